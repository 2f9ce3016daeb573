#!/bin/bash
# VLANs: on a parent that stays in the host, and on one that moved in.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

cable_with_vlan
netns_conf nginx
before=$(snapshot)
write /etc/netns/nginx/network/interfaces <<END
auto $nic.124
iface $nic.124 inet static
    address 198.51.100.2/24
END
check 'nginx starts on a VLAN whose parent stays in the host' systemctl start nginx
check 'the parent is still in the host' ip link show dev "$nic"
check 'only the VLAN is inside' test "$(ip -n nginx -br link | grep -vc '^lo ')" = 1
check_has 'with its number' 'vlan protocol 802.1Q id 124' ip -n nginx -d link show dev "$nic.124"
check 'it answers on the VLAN' fetch 198.51.100.2
check 'nginx stops' systemctl stop nginx
check 'the namespace goes' eventually inactive systemd-netns@nginx
udevadm settle
check_is 'the host is as it was' "$before" "$(snapshot)"

write /etc/netns/nginx/network/interfaces <<END
auto $nic
iface $nic inet manual

auto $nic.124
iface $nic.124 inet static
    address 198.51.100.2/24
END
before=$(snapshot)
check 'nginx starts on a VLAN whose parent moves in' systemctl start nginx
check_not 'the parent has left the host' ip link show dev "$nic"
check 'both are inside' ip -n nginx link show dev "$nic.124"
check 'it answers on the VLAN' fetch 198.51.100.2
check 'nginx stops' systemctl stop nginx
check 'the namespace goes' eventually inactive systemd-netns@nginx
udevadm settle
check_is 'the host is as it was' "$before" "$(snapshot)"
