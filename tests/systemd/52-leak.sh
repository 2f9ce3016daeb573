#!/bin/bash
# No name that a service looks up leaves by the host: not by its resolver, nor by nscd or systemd-resolved, which answer for the host's
# network and are there, running. Each of the three is seen to work for the host first.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0 eth1
# resolved asks nobody while there is no way out.
ip address add 192.0.2.9/24 dev eth1
ip link set eth1 up
ip route add default via 192.0.2.1
netns_conf app
sleeper app
write /etc/netns/app/network/interfaces <<'END'
auto eth0
iface eth0 inet static
    address 192.0.2.2/24
    dns-nameservers 192.0.2.1
END
lan_dnsmasq --log-queries --address=/leak.example.org/192.0.2.99

# The host's resolver, at an address that only the host has.
cp -a /etc/resolv.conf /etc/nsswitch.conf /run/
ip address add 198.51.100.53/32 dev lo
: >/run/host-dnsmasq.log
systemd-run --quiet --unit=lan-host-dnsmasq --property=StandardError=append:/run/host-dnsmasq.log dnsmasq --no-daemon \
    --conf-file=/dev/null --no-resolv --no-hosts --bind-interfaces --listen-address=198.51.100.53 --log-queries \
    --address=/leak.example.org/203.0.113.66
printf 'nameserver 198.51.100.53\n' >/etc/resolv.conf
mkdir -p /run/systemd/resolved.conf.d
printf '[Resolve]\nDNS=198.51.100.53\nDomains=~.\nDNSStubListener=no\nCache=no\n' >/run/systemd/resolved.conf.d/host.conf
sed -i 's/^hosts:.*/hosts: files resolve [!UNAVAIL=return] dns/' /etc/nsswitch.conf
has_resolved=$(systemctl cat systemd-resolved >/dev/null 2>&1 && echo yes || true)
has_nscd=$(systemctl cat nscd >/dev/null 2>&1 && echo yes || true)

# asked FILE NAME: how often a name server was asked for it.
asked() { grep -c "query\[A*\] $2 " "$1" || true; }
in_view() { nsenter --mount --net --target "$(main_pid app)" "$@"; }
# looks_up HOW: the service asks for a name of its own each time, and the host for another.
looks_up() {
    local name
    for i in $(seq 10); do
        name=$1-$i.leak.example.org
        in_view getent ahosts "$name" >/run/found || true
        check_is "$1 $i: the service is told by its own server" 192.0.2.99 "$(awk 'NR == 1 { print $1 }' /run/found)"
        check_is "$1 $i: the host's was not asked" 0 "$(asked /run/host-dnsmasq.log "$name")"
        check "$1 $i: its own was" test "$(asked /run/dnsmasq.log "$name")" -gt 0
    done
    check_has "$1: the host itself is told by the host's" 203.0.113.66 getent ahosts "$1-host.leak.example.org"
    check "$1: which was asked" test "$(asked /run/host-dnsmasq.log "$1-host.leak.example.org")" -gt 0
}

check 'it starts' systemctl start app
looks_up plain
if [ -n "$has_resolved" ]; then
    systemctl start systemd-resolved
    answers() { resolvectl query by-resolved.leak.example.org | grep -q 203.0.113.66; }
    check 'resolved answers for the host' eventually answers
    check_has 'with the address of the host'\''s server' 203.0.113.66 resolvectl query by-resolved.leak.example.org
    systemctl restart app
    looks_up resolved
else
    skip 'no query leaves by systemd-resolved' 'there is none in this root'
fi
if [ -n "$has_nscd" ]; then
    sed -i 's/^\(\s*enable-cache\s*hosts\s*\).*/\1yes/' /etc/nscd.conf
    systemctl start nscd
    getent ahosts by-nscd.leak.example.org >/dev/null
    systemctl restart app
    looks_up nscd
    # A cache answers without asking.
    check_has 'what the host has cached' 203.0.113.66 getent ahosts by-nscd.leak.example.org
    check_has 'the service does not see' 192.0.2.99 in_view getent ahosts by-nscd.leak.example.org
else
    skip 'no query leaves by nscd' 'there is none in this root'
fi

# Without an answer of its own it has none at all.
systemctl stop lan-dnsmasq
check_not 'its own server is gone: it finds nothing' in_view timeout 20 getent ahosts alone.leak.example.org
check_is 'and the host was not asked' 0 "$(asked /run/host-dnsmasq.log alone.leak.example.org)"

systemctl stop app lan-host-dnsmasq
[ -z "$has_nscd" ] || systemctl stop nscd nscd.socket 2>/dev/null || systemctl stop nscd
[ -z "$has_resolved" ] || systemctl stop systemd-resolved
rm -rf /run/systemd/resolved.conf.d
cp -a --remove-destination /run/resolv.conf /run/nsswitch.conf /etc/
ip address delete 198.51.100.53/32 dev lo
ip link delete eth1
