#!/bin/bash
# A NIC moves in, and comes back under udev with the name that udev had given it.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

nic=$(nic_with_mac 02:00:00:00:00:11)
peer=$(nic_with_mac 02:00:00:00:00:12)
check_not 'udev has given the NIC a name of its own' test "${nic#eth}" != "$nic"

lan_with "$peer"
before=$(snapshot)
write /etc/netns/nginx/network/interfaces <<END
auto $nic
iface $nic inet static
    address 192.0.2.2/24
END
netns_conf nginx

check_has 'the unit waits for the NIC' "sys-subsystem-net-devices-$nic.device" \
    systemctl show -P After systemd-netns@nginx
check_has 'and asks for it' "sys-subsystem-net-devices-$nic.device" systemctl show -P Wants systemd-netns@nginx
check_not 'but is not bound to it' grep -q "$nic" <(systemctl show -P BindsTo systemd-netns@nginx)
check 'systemd knows the NIC' systemctl is-active "sys-subsystem-net-devices-$nic.device"

check 'nginx starts' systemctl start nginx
check 'it answers on the wire' fetch 192.0.2.2
check 'udev sees the NIC leave' eventually inactive "sys-subsystem-net-devices-$nic.device"
check 'nginx goes on' systemctl is-active nginx
check 'nginx stops' systemctl stop nginx
check 'the namespace goes' eventually inactive systemd-netns@nginx
check 'the NIC comes back under its name' test "$(nic_with_mac 02:00:00:00:00:11)" = "$nic"
check 'udev sees it come' eventually systemctl is-active "sys-subsystem-net-devices-$nic.device"
udevadm settle
check_is 'it is as it was' "$before" "$(snapshot)"

check 'nginx starts again' systemctl start nginx
check 'and answers' fetch 192.0.2.2
check 'nginx stops again' systemctl stop nginx
check 'and its namespace' eventually inactive systemd-netns@nginx

# One that an administrator moves in by hand goes to the host, where its name is somebody else's by then.
printf 'auto lo\niface lo inet loopback\n' | write /etc/netns/nginx/network/interfaces
check 'a namespace without a NIC' systemctl start systemd-netns@nginx
ip link set "$nic" netns nginx
ip link add "$nic" type bridge
check 'it stops with a NIC of somebody in it' systemctl stop systemd-netns@nginx
check 'and is gone' eventually test ! -e /run/netns/nginx
came_back() { nic_with_mac 02:00:00:00:00:11 | grep -q .; }
check 'the NIC is on the host' eventually came_back
check_not 'under another name' test "$(nic_with_mac 02:00:00:00:00:11)" = "$nic"
check_has 'which the journal tells' "$nic was moved into nginx by somebody else" \
    journalctl -b -o cat -u systemd-netns@nginx
ip link delete "$nic" type bridge
ip link set "$(nic_with_mac 02:00:00:00:00:11)" down
ip link set "$(nic_with_mac 02:00:00:00:00:11)" name "$nic"
