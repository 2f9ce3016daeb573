#!/bin/bash
# A bridge inside: over a VLAN of a NIC that stays in the host, and one that tells VLANs apart by itself.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

cable_with_vlan
netns_conf nginx
before=$(snapshot)

write /etc/netns/nginx/network/interfaces <<END
auto br0
iface br0 inet static
    address 198.51.100.2/24
    bridge_ports $nic.124
    bridge_stp off
    bridge_fd 0
END
check 'nginx starts on a bridge over a VLAN' systemctl start nginx
check 'the NIC is still in the host' ip link show dev "$nic"
check_is 'the VLAN is a port of the bridge' "$nic.124 bridge" \
    "$(ip -n nginx -j -d link show master br0 | jq -r '.[] | "\(.ifname) \(.linkinfo.info_slave_kind)"')"
check_has 'with its number' 'vlan protocol 802.1Q id 124' ip -n nginx -d link show dev "$nic.124"
check 'nginx answers through it' fetch 198.51.100.2
check_not 'without a tag it is not reached' lan curl -fsS --interface "$peer" --connect-timeout 2 http://198.51.100.2/
check 'nginx stops' systemctl stop nginx
check 'the namespace goes' eventually inactive systemd-netns@nginx
udevadm settle
check_is 'the host is as it was' "$before" "$(snapshot)"

# The NIC itself is a port, and the bridge has the VLANs. What comes without a tag is in VLAN 1.
write /etc/netns/nginx/network/interfaces <<END
auto br0 br0.124
iface br0 inet static
    address 192.0.2.2/24
    bridge-ports $nic
    bridge-vlan-aware yes
    bridge-vids 124
    bridge-fd 0
iface br0.124 inet static
    address 198.51.100.2/24
END
check 'nginx starts on a bridge that knows VLANs' systemctl start nginx
check_is 'the port is in both of them' '1 124' \
    "$(ip netns exec nginx bridge -j vlan show dev "$nic" | jq -r '[.[0].vlans[].vlan] | join(" ")')"
check 'nginx answers in the VLAN' fetch 198.51.100.2
check 'and without a tag' fetch 192.0.2.2
sed -i '/bridge-vids/s/124/125/' /etc/netns/nginx/network/interfaces
check 'the NIC is put into another VLAN' systemctl reload systemd-netns@nginx
check_is 'and is there' '1 125' \
    "$(ip netns exec nginx bridge -j vlan show dev "$nic" | jq -r '[.[0].vlans[].vlan] | join(" ")')"
check_not 'nobody answers in the old one' lan curl -fsS --connect-timeout 2 http://198.51.100.2/
check 'without a tag nginx answers as before' fetch 192.0.2.2
check 'nginx stops' systemctl stop nginx
check 'the namespace goes' eventually inactive systemd-netns@nginx
udevadm settle
check_is 'the host is as it was' "$before" "$(snapshot)"
