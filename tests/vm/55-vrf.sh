#!/bin/bash
# VRFs with members: the same addresses twice, each NIC with a table and a default route of its own.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

# Two LANs with the same numbers.
lan_nic eth0
ip netns add lan2
ip link add eth1 type veth peer name eth1 netns lan2
ip -n lan2 address add 192.0.2.1/24 dev eth1
ip -n lan2 link set eth1 up
# What only one of them has behind it.
ip -n lan address add 203.0.113.1/32 dev switch
ip -n lan2 address add 203.0.113.2/32 dev eth1
before=$(snapshot)
sleeper app
netns_conf app

write /etc/netns/app/network/interfaces <<'END'
auto red blue eth0 eth1
iface red
    vrf-table 10
iface blue
    vrf-table auto
iface eth0 inet static
    address 192.0.2.2/24
    gateway 192.0.2.1
    vrf red
iface eth1 inet static
    address 192.0.2.2/24
    gateway 192.0.2.1
    vrf blue
END
members() { ip -n app -j link show master "$1" | jq -r '[.[].ifname] | join(" ")'; }
from() { ip netns exec app ping -c 1 -W 3 -I "$1" "$2"; }

check 'the service starts' systemctl start app
check_is 'a VRF has its member' eth0 "$(members red)"
check_is 'and the other has its own' eth1 "$(members blue)"
check_is 'its table is what the file says' 10 \
    "$(ip -n app -j -d link show dev red | jq '.[0].linkinfo.info_data.table')"
check_has 'the default route is in it' 'default via 192.0.2.1 dev eth0' ip -n app route show table 10
check_is 'the main table is empty' '' "$(ip -n app route)"
check 'one LAN is reached through the one' from red 203.0.113.1
check 'the other through the other' from blue 203.0.113.2
check_not 'but not the other way round' from red 203.0.113.2
check_not 'and none of them from outside of both' ip netns exec app ping -c 1 -W 1 192.0.2.1
check 'the LANs reach the same address: one' lan ping -c 1 -W 3 192.0.2.2
check 'and the other' ip netns exec lan2 ping -c 1 -W 3 192.0.2.2
check_is 'there is nothing to mend' '' "$(systemd-netns plan app | grep -v '^#' || true)"

# A member leaves its VRF while it runs, and takes its routes along.
sed -i '/vrf red/d' /etc/netns/app/network/interfaces
check 'a NIC leaves its VRF' systemctl reload systemd-netns@app
check_is 'the VRF has no member' '' "$(members red)"
check_has 'the default route is in the main table' 'default via 192.0.2.1 dev eth0' ip -n app route
check 'its LAN is reached without a VRF' ip netns exec app ping -c 1 -W 3 203.0.113.1
check 'the other as before' from blue 203.0.113.2

check 'the service stops' systemctl stop app
check 'the namespace goes' eventually inactive systemd-netns@app
udevadm settle
check_is 'the host is as it was' "$before" "$(snapshot)"
