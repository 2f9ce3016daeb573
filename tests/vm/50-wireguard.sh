#!/bin/bash
# WireGuard between two namespaces that have no other link: their UDP sockets are in a third, that of the host.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

ip link set lo up
before=$(snapshot)
umask 077
for name in near far; do
    wg genkey >"/run/$name.key"
    wg pubkey <"/run/$name.key" >"/run/$name.pub"
    sleeper "$name"
    netns_conf "$name"
done
# tunnel NAME NUMBER OTHER NUMBER: the files of one end.
tunnel() {
    write "/etc/wireguard/$1.conf" <<END
[Interface]
PrivateKey = $(cat "/run/$1.key")
ListenPort = 5182$2
[Peer]
PublicKey = $(cat "/run/$3.pub")
Endpoint = 127.0.0.1:5182$4
AllowedIPs = 10.66.0.$4/32, fd66::$4/128
END
    write "/etc/netns/$1/network/interfaces" <<END
auto wg0
iface wg0 inet static
    address 10.66.0.$2/24
    wireguard-config-path /etc/wireguard/$1.conf
    wireguard-netns host
iface wg0 inet6 static
    address fd66::$2/64
    dad-attempts 0
END
}
tunnel near 1 far 2
tunnel far 2 near 1

check 'both services start' systemctl start near far
for name in near far; do
    check_is "$name has nothing but its tunnel" 'lo wg0' \
        "$(ip -n $name -j link | jq -r '[.[].ifname] | sort | join(" ")')"
    check_is "no socket is in $name" 0 "$(ip netns exec $name ss -lun | grep -c :5182)"
done
check_has 'the sockets are in the host: one' ':51821' ss -lunH
check_has 'and the other' ':51822' ss -lunH
check_not 'the host has no tunnel' ip link show dev wg0
check 'a ping crosses' ip netns exec near ping -c 1 -W 5 10.66.0.2
check 'back as well' ip netns exec far ping -c 1 -W 5 10.66.0.1
check 'with IPv6 too' ip netns exec near ping -c 1 -W 5 fd66::2
check_is 'the handshake was with the other end' "$(cat /run/far.pub)" \
    "$(ip netns exec near wg show wg0 latest-handshakes | awk '$2 > 0 { print $1 }')"
check_not 'the host itself does not reach them' ping -c 1 -W 1 10.66.0.2
check_not 'no secret is shown' grep -qF "$(cat /run/near.key)" \
    <(systemd-netns plan near; systemd-netns status near; journalctl -u systemd-netns@near)

# New keys while it runs: a reload sets them, and what does not know them is not answered any more.
wg genkey >/run/far.key
wg pubkey </run/far.key >/run/far.pub
tunnel far 2 near 1
check 'one end has new keys' systemctl reload systemd-netns@far
check_not 'the other does not know them' ip netns exec far ping -c 1 -W 2 10.66.0.1
tunnel near 1 far 2
check 'it learns them' systemctl reload systemd-netns@near
check 'a ping crosses again' eventually ip netns exec near ping -c 1 -W 2 10.66.0.2

check 'the services stop' systemctl stop near far
check 'the namespaces go' eventually inactive systemd-netns@near
check 'both' eventually inactive systemd-netns@far
check_is 'no socket is left' '' "$(ss -lunH | grep ':5182' || true)"
check_is 'the host is as it was' "$before" "$(snapshot)"
rm -f /run/{near,far}.{key,pub} /etc/wireguard/{near,far}.conf
