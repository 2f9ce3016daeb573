#!/bin/bash
# stop works from what was recorded: whatever has happened to files, processes and names since then.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0
ip link set eth0 address 02:00:00:00:00:02 mtu 1400 up
ip link property add dev eth0 altname front
ip address add 198.51.100.2/24 dev eth0
ip route add 203.0.113.0/24 via 198.51.100.1
before=$(snapshot)
netns_conf nginx
write /etc/network/interfaces <<'END'
link-netns nginx link0 link1
iface link0 inet static
    address 100.64.0.0/31
END
configure() {
    write /etc/netns/nginx/network/interfaces <<'END'
auto eth0
iface eth0 inet static
    address 192.0.2.2/24
    hwaddress ether 02:00:00:00:00:99
    mtu 1300
END
}

configure
systemctl start nginx
rm -r /etc/netns/nginx
: >/etc/network/interfaces
check 'the files were deleted: nginx stops' systemctl stop nginx
check 'the namespace goes' eventually inactive systemd-netns@nginx
check_is 'the machine is as it was' "$before" "$(snapshot)"

configure
systemctl start nginx
ip netns exec nginx sleep 1000 &
check 'a process sits in the namespace: nginx stops' systemctl stop nginx
check 'the namespace goes' eventually inactive systemd-netns@nginx
check_is 'the machine is as it was' "$before" "$(snapshot)"
kill %1

systemctl start nginx
ip link add eth0 type veth peer name other
check 'the name was taken: nginx stops' systemctl stop nginx
check 'the namespace goes' eventually inactive systemd-netns@nginx
check_has 'the log says that the name was taken' 'eth0 is taken' journalctl -o cat -u systemd-netns@nginx -n 20
check_has 'the NIC is back under another name' '02:00:00:00:00:02' ip -br link
ip link delete other
found=$(nic_with_mac 02:00:00:00:00:02)
ip link set "$found" down
ip link set "$found" name eth0 up

configure
systemctl start nginx
systemctl stop nginx
eventually inactive systemd-netns@nginx
check 'stop on what is stopped does nothing' systemd-netns stop nginx
check 'stop of what never was does nothing' systemd-netns stop never

configure
systemctl start nginx
ip -n nginx link set eth0 down
ip -n nginx link set eth0 name away0
check 'the NIC was renamed inside: nginx stops' systemctl stop nginx
check 'the namespace goes' eventually inactive systemd-netns@nginx
check_has 'the NIC is back' '02:00:00:00:00:02' ip -br link show dev eth0
