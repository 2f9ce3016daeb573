#!/bin/bash
# Other network managers leave what systemd-netns makes alone, by the rules of the package; what they hold is found.
# timeout: 240
. /tests/lib/assert.sh
. /tests/lib/machine.sh

nic=$(nic_with_mac 02:00:00:00:00:11)
write /etc/netns/app/network/links <<'END'
link-netns app link0 link1
iface link0 inet static
    address 100.64.0.0/31
END
write /etc/netns/app/network/interfaces <<'END'
auto link1
iface link1 inet static
    address 100.64.0.1/31
END

# Everything is networkd's, and gets an address of its.
printf '[Match]\nName=*\n[Network]\nLinkLocalAddressing=no\nAddress=203.0.113.99/24\n' >/etc/systemd/network/50-all.network
systemctl start systemd-networkd
sleeper app
netns_conf app
check 'the namespace starts' systemctl start app
# Two routers: the device of one has another name, which is the other one's.
write /etc/systemd-netns/router/lan.conf <<'END'
[Router]
Device = gate7
Address = 192.168.7.1/24
END
write /etc/systemd-netns/router/gate7.conf <<'END'
[Router]
Device = gate8
Address = 192.168.8.1/24
END
check 'a router with a device of another name starts' systemctl start systemd-netns-router@lan
ip link add other0 type veth peer name other1
ip link set other0 up
ip link set other1 up
state() { networkctl --no-legend list "$1" | awk '{ print $NF }'; }
has() { ip address show dev "$1" | grep -q 203.0.113.99; }
check 'a pair of somebody else is configured' eventually has other0
check_is 'one of ours is not' unmanaged "$(state link0)"
check_not 'and has no other address' has link0
check_has 'because udev says so' SYSTEMD_NETNS=1 udevadm info /sys/class/net/link0
check_is "nor is a router's device, whatever its name" unmanaged "$(state gate7)"
check_not 'which has no other address either' has gate7
ip link add lan type veth peer name other2
ip link set lan up
ip link set other2 up
check "a link that only has a router's name is configured" eventually has lan
ip link delete lan
systemctl stop systemd-netns-router@lan.socket systemd-netns-router@lan
systemctl start systemd-netns-router@gate7
spared_by_networkd() { [ "$(state "$1")" = unmanaged ]; }
check 'the other one is left alone, too' eventually spared_by_networkd gate8
check_exit 'the doctor finds nothing' 0 systemd-netns doctor

printf 'auto %s\niface %s inet static\n    address 192.0.2.2/24\n' "$nic" "$nic" >>/etc/netns/app/network/interfaces
ip link set "$nic" up
check 'a NIC that is to move is configured' eventually has "$nic"
check_has 'which the doctor finds' "systemd-networkd configures $nic by /etc/systemd/network/50-all.network" systemd-netns doctor
check_exit 'and calls wrong' 1 systemd-netns doctor
printf '[Match]\nName=%s\n[Link]\nUnmanaged=yes\n' "$nic" >"/etc/systemd/network/05-netns-$nic.network"
networkctl reload
let_go() { [ "$(state "$nic")" = unmanaged ]; }
eventually let_go
check_exit 'until it is told to leave it alone' 0 systemd-netns doctor
systemctl stop systemd-networkd.socket systemd-networkd
rm /etc/systemd/network/*.network
ip address flush dev "$nic"

# NetworkManager, which here does not spare pairs by rules of its own.
touch /etc/udev/rules.d/85-nm-unmanaged.rules
mkdir -p /etc/NetworkManager/conf.d
printf '[main]\nplugins=keyfile\nno-auto-default=*\n' >/etc/NetworkManager/conf.d/plain.conf
udevadm control --reload
udevadm trigger --subsystem-match=net --action=add
udevadm settle
systemctl start NetworkManager
managed() { [ "$(busctl get-property org.freedesktop.NetworkManager "$(nm_path "$1")" org.freedesktop.NetworkManager.Device Managed)" = 'b true' ]; }
nm_path() {
    busctl call org.freedesktop.NetworkManager /org/freedesktop/NetworkManager org.freedesktop.NetworkManager \
        GetDeviceByIpIface s "$1" | cut -d'"' -f2
}
check 'NetworkManager manages the NIC' eventually managed "$nic"
check_not 'and no link of ours' managed link0
ip tuntap add dev plain7 mode tun
ip address add 192.168.9.1/24 dev plain7
ip link set plain7 up
check 'a device of somebody else is managed' eventually managed plain7
check_not "a router's is not" managed gate8
ip link delete plain7
check_has 'the doctor finds the NIC' "NetworkManager configures $nic" systemd-netns doctor
check_not 'and nothing else' eval "systemd-netns doctor | grep 'configures link0'"
systemd-netns doctor 2>/dev/null | awk '/NetworkManager configures/ { inside = 1; next } inside && /^        / { print substr($0, 9) }' >/run/remedy
check 'it says what to do' bash -euxo pipefail /run/remedy
spared() { ! managed "$nic"; }
check 'it can be told to leave it alone' eventually spared
check_exit 'and all is well' 0 systemd-netns doctor
systemctl restart NetworkManager
check 'also after it was started again' eventually spared
systemctl stop NetworkManager
systemctl stop systemd-netns-router@gate7.socket systemd-netns-router@gate7
systemctl stop app
eventually inactive systemd-netns@app
rm -r /etc/udev/rules.d/85-nm-unmanaged.rules /etc/NetworkManager/conf.d/*
