#!/bin/bash
# The main job: nginx on a NIC of its own, as the README has it; the machine is as before when nginx stops.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0
ip link set eth0 address 02:00:00:00:00:02 mtu 1400
ip link set eth0 up
ip address add 198.51.100.2/24 dev eth0
ip route add 203.0.113.0/24 via 198.51.100.1
before=$(snapshot)

write /etc/netns/nginx/network/interfaces <<'END'
auto lo
iface lo inet loopback

auto eth0
iface eth0 inet static
    address 192.0.2.2/24
    gateway 192.0.2.1

iface eth0 inet6 static
    address 2001:db8::2/64
    dad-attempts 0
END
netns_conf nginx

check 'nginx starts' systemctl start nginx
check 'the namespace is active' systemctl is-active systemd-netns@nginx
check_has 'ip netns pids lists nginx' "$(main_pid nginx)" ip netns pids nginx
check_has 'the address is that of the file' 'inet 192.0.2.2/24' ip -n nginx address show dev eth0
check_has 'so is the IPv6 address' 'inet6 2001:db8::2/64' ip -n nginx address show dev eth0
check_has 'so is the default route' 'default via 192.0.2.1 dev eth0' ip -n nginx route
check_has 'lo is up' 'LOOPBACK,UP' ip -n nginx link show dev lo
check_not 'the NIC has left the host' ip link show dev eth0
check 'a request from the LAN is answered' fetch 192.0.2.2
check 'so is one over IPv6' fetch '[2001:db8::2]'

check 'nginx stops' systemctl stop nginx
check 'the namespace goes with it' eventually inactive systemd-netns@nginx
check_not '/run/netns/nginx is gone' test -e /run/netns/nginx
check_not 'so is its record' test -e /run/systemd-netns/nginx
check_is 'the NIC is back as it was' "$before" "$(snapshot)"

check 'nginx starts again' systemctl start nginx
check 'and answers again' fetch 192.0.2.2
