#!/bin/bash
# iface BRIDGE..NAME: a veth whose other end is a port of the host's bridge.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

# The bridge of a host has the MAC of its NIC, as the lowest of its ports: that must not change under it.
lan_nic eth0
ip link set eth0 address 82:00:00:00:00:02
ip link add br0 type bridge
ip link set eth0 master br0 up
ip address add 192.0.2.9/24 dev br0
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
check_is 'the bridge has two more ports' 3 "$(ip -j link show master br0 | jq length)"
check 'both reach the LAN behind the NIC' lan ping -c 1 -W 2 192.0.2.3
check_is 'the MAC of the bridge is still that of the NIC' 82:00:00:00:00:02 "$(cat /sys/class/net/br0/address)"
check 'the services reach each other' ip netns exec app ping -c 1 -W 2 192.0.2.3
check 'they stop' systemctl stop app a-service-with-a-long-name
check 'the namespaces go' eventually inactive systemd-netns@app
check 'both' eventually inactive systemd-netns@a-service-with-a-long-name
check_is 'the host is as it was' "$before" "$(snapshot)"
