#!/bin/bash
# iface BRIDGE..NAME: a veth whose other end is a port of the host's bridge; and a bridge inside the namespace.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

ip link add br0 type bridge
ip address add 192.0.2.1/24 dev br0
ip link set br0 up
before=$(snapshot)
for service in app a-service-with-a-long-name; do
    sleeper "$service"
    netns_conf "$service"
done
write /etc/netns/app/network/interfaces <<'END'
auto br0..1
iface br0..1 inet static
    address 192.0.2.2/24
END
write /etc/netns/a-service-with-a-long-name/network/interfaces <<'END'
auto br0..1
iface br0..1 inet static
    address 192.0.2.3/24
END
check 'two services start' systemctl start app a-service-with-a-long-name
check 'the host reaches the first' ping -c 1 -W 2 192.0.2.2
check 'and the second' ping -c 1 -W 2 192.0.2.3
check_is 'the bridge has two ports' 2 "$(ip -j link show master br0 | jq length)"
check 'the services reach each other' ip netns exec app ping -c 1 -W 2 192.0.2.3
check 'they stop' systemctl stop app a-service-with-a-long-name
check 'the namespaces go' eventually inactive systemd-netns@app
check 'both' eventually inactive systemd-netns@a-service-with-a-long-name
check_is 'the host is as it was' "$before" "$(snapshot)"

lan_nic eth0
write /etc/netns/app/network/interfaces <<'END'
auto br7
iface br7 inet static
    address 192.0.2.4/24
    bridge_ports eth0
    bridge_stp off
    bridge_fd 0
END
ip address delete 192.0.2.1/24 dev br0
before=$(snapshot)
check 'a bridge inside starts' systemctl start app
check_has 'its port has moved in' 'master br7' ip -n app link show dev eth0
check 'it reaches the LAN' ip netns exec app ping -c 1 -W 2 192.0.2.1
systemctl stop app
check 'the namespace goes' eventually inactive systemd-netns@app
check_is 'the host is as it was' "$before" "$(snapshot)"
