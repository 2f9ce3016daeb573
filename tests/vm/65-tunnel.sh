#!/bin/bash
# Two hosts joined by a third, by our tunnels and by WireGuard, side by side: what each carries of one TCP stream. All of it is
# emulated, so that only the ratio says something. Then one of them is badly connected.
# timeout: 600
. /tests/lib/assert.sh
. /tests/lib/machine.sh

ip link add hosts type bridge
ip link set hosts up
number=0
for host in s h1 h2; do
    number=$((number + 1))
    ip netns add $host
    ip link add v$number type veth peer name eth0 netns $host
    ip link set v$number master hosts up
    ip -n $host link set lo up
    ip -n $host address add 10.67.0.$number/24 dev eth0
    ip -n $host link set eth0 up
done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=hub \
    -addext subjectAltName=IP:10.67.0.1 -addext basicConstraints=critical,CA:FALSE \
    -keyout /run/hub.key -out /run/hub.pem 2>/dev/null

# WireGuard: 192.168.66.0/24.
umask 077
for host in s h1 h2; do
    wg genkey >/run/$host.key
    wg pubkey <"/run/$host.key" >"/run/$host.pub"
done
# peer HOST NUMBER ALLOWED
peer() { printf '[Peer]\nPublicKey = %s\nEndpoint = 10.67.0.%s:51820\nAllowedIPs = %s\n' "$(cat "/run/$1.pub")" "$2" "$3"; }
number=0
for host in s h1 h2; do
    number=$((number + 1))
    {
        printf '[Interface]\nPrivateKey = %s\nListenPort = 51820\n' "$(cat /run/$host.key)"
        case $host in
            s) peer h1 2 192.168.66.2/32 && peer h2 3 192.168.66.3/32 ;;
            *) peer s 1 192.168.66.0/24 ;;
        esac
    } >/run/$host.wg
    ip -n $host link add wg0 type wireguard
    ip netns exec $host wg setconf wg0 /run/$host.wg
    ip -n $host address add 192.168.66.$number/24 dev wg0
    ip -n $host link set wg0 up
done
ip netns exec s sysctl -qw net.ipv4.ip_forward=1

# Ours: 192.168.67.0/24 by TLS, 192.168.68.0/24 in the clear.
# tunnel SUBNET PORT SERVER-KEYS HOST-KEYS: routers on all three.
tunnel() {
    write "/run/tunnels/etc/systemd-netns/router/s$1.conf" <<END
[Tunnel]
Listen = 10.67.0.1:$2
$3
Default = all
[Table all]
Route =
    192.168.$1.2 host-1
    192.168.$1.3 host-2
END
    start s "s$1"
    for number in 1 2; do
        write "/run/tunnels/etc/systemd-netns/router/h$number-$1.conf" <<END
[Router]
Address = 192.168.$1.$((number + 1))/24
[Uplink up]
Server = 10.67.0.1:$2
Host = host-$number
Route = 192.168.$1.0/24
$4
END
        start h$number "h$number-$1"
    done
}
# start HOST ROUTER
start() {
    nsenter --net="/run/netns/$1" systemd-netns router prepare --root /run/tunnels "$2"
    nsenter --net="/run/netns/$1" systemd-netns router run -v --root /run/tunnels "$2" 2>>"/run/$1-$2.log" &
    eventually grep -q 'is ready' "/run/$1-$2.log"
}
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
mkdir -p /run/systemd-netns/router
tunnel 67 8443 $'Certificate = /run/hub.pem\nKey = /run/hub.key' 'CA = /run/hub.pem'
tunnel 68 8444 'Plain = yes' 'Plain = yes'
for subnet in 66 67 68; do
    check "192.168.$subnet.0/24 is one network" eventually ip netns exec h1 ping -qc 1 -W 1 192.168.$subnet.3
done
tail -n 20 /run/*-*.log

ip netns exec h2 iperf3 -s >/dev/null &
eventually ip netns exec h2 ss -lntH sport = :5201 >/dev/null
# carried SUBNET: Mbit/s of one stream.
carried() {
    ip netns exec h1 iperf3 -J -c "192.168.$1.3" -t 3 | jq -r '.end.sum_received.bits_per_second / 1e6 | floor'
}
for subnet in 66 67 68; do : >/run/carried-$subnet; done
for _ in 1 2 3; do
    for subnet in 66 67 68; do carried $subnet >>/run/carried-$subnet; done
done
median() { sort -n "/run/carried-$1" | sed -n 2p; }
wireguard=$(median 66) tls=$(median 67) plain=$(median 68)
ratio() { jq -nr "$1 / $wireguard * 100 | round / 100"; }
check "one stream by TLS: $tls Mbit/s, $(ratio "$tls") of WireGuard's $wireguard" test "$tls" -gt 0
check "one stream in the clear: $plain Mbit/s, $(ratio "$plain") of WireGuard's" test "$plain" -gt 0

# Of what goes to the first host a fifth is lost, and the rest is late. TCP's own repetition mends that, within the tunnel's connection.
tc qdisc add dev v2 root netem loss 20% delay 100ms
for subnet in 67 68; do
    client=(timeout 120 ip netns exec h1 iperf3 -c "192.168.$subnet.3" -n 256K)
    check "192.168.$subnet.0/24: what is sent to a host that a fifth of its packets does not reach arrives" "${client[@]}" -R
    check "192.168.$subnet.0/24: what is sent by it arrives" "${client[@]}"
done
