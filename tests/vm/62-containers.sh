#!/bin/bash
# timeout: 420
# Containers that others make are ports of our bridge like any other: a booted one of systemd-nspawn, one of LXC, and a pair whose end is
# named in `bridge_ports`. They are reached by published ports; a reload leaves them on the bridge, and a stop leaves them alone.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

nic=$(nic_with_mac 02:00:00:00:00:11)
lan_with "$(nic_with_mac 02:00:00:00:00:12)"
ip address replace 192.0.2.9/24 dev "$nic"
ip link set "$nic" up
write /etc/netns/intranet/network/links <<'END'
auto br1
iface br1
    address 10.1.1.1/24
    bridge_ports ve-named
    bridge_fd 0
END
write /etc/netns/intranet/network/nat <<END
[masquerade]
From = 10.1.1.0/24
Link = $nic

[publish nspawn]
Port = 8081
To = 10.1.1.11:80

[publish lxc]
Port = 8082
To = 10.1.1.12:80

[publish named]
Port = 8083
To = 10.1.1.13:80
END

# root_for NAME: this machine's own root below a layer of a container's own.
root_for() {
    mkdir -p "/run/$1"/{upper,work,root}
    mount -t overlay -o "lowerdir=/,upperdir=/run/$1/upper,workdir=/run/$1/work" "$1" "/run/$1/root"
    rm -rf "/run/$1/root/etc/netns" "/run/$1/root/etc/systemd-netns"
    echo "$1" >"/run/$1/root/etc/hostname"
    echo "$1" >"/run/$1/root/var/www/html/who.txt"
}
# asked PORT: who answers the LAN there.
asked() { lan curl -fsS --max-time 5 "http://192.0.2.9:$1/who.txt"; }
answers() { [ "$(asked "$1")" = "$2" ]; }
master() { ip -j link show dev "$1" | jq -r '.[0].master'; }
# patiently COMMAND…: for what boots in here.
patiently() { for _ in $(seq 18); do eventually "$@" && return; done; return 1; }

root_for booted
rm -f /run/booted/root/etc/systemd/system/multi-user.target.wants/tests.service
tr -d - </proc/sys/kernel/random/uuid >/run/booted/root/etc/machine-id
write /run/booted/root/etc/systemd/network/10-host0.network <<'END'
[Match]
Name=host0
[Network]
Address=10.1.1.11/24
Gateway=10.1.1.1
LinkLocalAddressing=no
END
chroot /run/booted/root systemctl --quiet enable nginx systemd-networkd
chroot /run/booted/root systemctl --quiet mask systemd-networkd-wait-online.service NetworkManager.service networking.service

# The pair of a container that has its network from somebody else altogether.
ip netns add named
ip link add ve-named type veth peer name host0 netns named
ip -n named address add 10.1.1.13/24 dev host0
ip -n named link set host0 up
ip -n named route add default via 10.1.1.1
root_for plain
systemd-run --quiet --unit=lan-named --property=RootDirectory=/run/plain/root --property=MountAPIVFS=yes \
    --property=NetworkNamespacePath=/run/netns/named /usr/sbin/nginx -g 'daemon off;'

# No service of ours needs it: it is kept by being enabled, as the guide says.
check 'the bridge comes up' systemctl enable --now systemd-netns@intranet
check_is 'a container that is there already is a port by the name of its link' br1 "$(master ve-named)"
systemd-run --quiet --unit=lan-booted --property=Delegate=yes systemd-nspawn --quiet --keep-unit --register=no \
    --machine=booted --directory=/run/booted/root --network-bridge=br1 --boot
check 'a container of systemd-nspawn boots, with an address on our bridge' patiently ping -q -c 1 -W 1 10.1.1.11
check_is 'its link is a port of the bridge' br1 "$(master vb-booted)"

if command -v lxc-start >/dev/null; then
    root_for lxc
    write /run/lxc.conf <<'END'
lxc.uts.name = lxc
lxc.rootfs.path = dir:/run/lxc/root
lxc.net.0.type = veth
lxc.net.0.link = br1
lxc.net.0.flags = up
lxc.net.0.name = eth0
lxc.net.0.veth.pair = ve-lxc
lxc.net.0.ipv4.address = 10.1.1.12/24
lxc.net.0.ipv4.gateway = 10.1.1.1
lxc.mount.auto = proc:rw sys:ro
lxc.mount.entry = tmpfs run tmpfs defaults 0 0
lxc.init.cmd = /usr/local/sbin/serve
lxc.apparmor.profile = unconfined
END
    printf '#!/bin/sh\nexec /usr/sbin/nginx -g "daemon off;"\n' >/run/lxc/root/usr/local/sbin/serve
    chmod +x /run/lxc/root/usr/local/sbin/serve
    systemd-run --quiet --unit=lan-lxc --property=Delegate=yes lxc-start --foreground --name lxc --rcfile /run/lxc.conf \
        --logfile /run/lxc.log
    check 'a container of LXC starts, with an address on our bridge' patiently ping -q -c 1 -W 1 10.1.1.12
    check_is 'its link is a port of the bridge' br1 "$(master ve-lxc)"
else
    skip 'a container of LXC' 'there is no lxc in this root'
fi

check 'the LAN reaches the one of systemd-nspawn by its published port' patiently answers 8081 booted
[ ! -e /run/lxc.conf ] || check 'and the one of LXC' patiently answers 8082 lxc
check 'and the one by name' eventually answers 8083 plain
check 'the host does as well' eventually curl -fsS -o /dev/null --max-time 5 http://192.0.2.9:8081/
check 'one reaches another' ip netns exec named ping -q -c 1 -W 2 10.1.1.11
check 'and the LAN' ip netns exec named ping -q -c 1 -W 2 192.0.2.1
check_has 'they are no drift' 'up, as the files say' systemd-netns status intranet
check_has 'status shows what leads to them' 'publish nspawn: port 8081 tcp to 10.1.1.11:80' systemd-netns status intranet

printf '[publish more]\nPort = 8091\nTo = 10.1.1.11:80\n' >>/etc/netns/intranet/network/nat
check 'a reload' systemctl reload systemd-netns@intranet
check 'leaves them on the bridge' answers 8081 booted
check_is 'and publishes more' booted "$(asked 8091)"

check 'a stop of ours' systemctl stop systemd-netns@intranet
check_not 'after which there is no bridge' ip link show dev br1
check 'leaves the link of a container alone' ip link show dev vb-booted
check_is 'which is no port then' null "$(master vb-booted)"
check_is 'nor is the one by name' null "$(master ve-named)"
check 'the container of systemd-nspawn runs on' systemctl -q is-active lan-booted
[ ! -e /run/lxc.conf ] || check 'so does the one of LXC' systemctl -q is-active lan-lxc
check 'a start' systemctl start systemd-netns@intranet
check 'has the one by name back at once' eventually answers 8083 plain
ip link set vb-booted master br1
check 'and others when they are attached again' eventually answers 8081 booted

systemctl stop lan-named lan-booted
[ ! -e /run/lxc.conf ] || systemctl stop lan-lxc
systemctl disable --now systemd-netns@intranet
ip netns delete named
for name in booted plain lxc; do umount "/run/$name/root" 2>/dev/null || true; done
rm -f /run/lxc.conf
