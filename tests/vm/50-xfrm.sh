#!/bin/bash
# IPsec with real strongSwan: the gateway of the README, as an administrator installs it, against another gateway and two road
# warriors, each with a strongSwan of its own.
# timeout: 900
# binaries: kernel_xfrm cli_xfrm
#
#   lan (10.1.0.254) ── eth1 │tunnel│ ipsec0 ┄┄ strongswan ── eth0 ── internet ── eth0 ── siteb ┄┄ ipsec0 │tunnelb│ lan1 ── lanb
#    fw (10.9.0.254) ── eth2 │warriors│ ipsec1 ┄┄┘                        └── anne, bert
. /tests/lib/assert.sh
. /tests/lib/machine.sh
. /tests/lib/cargo-test.sh

cargo_test kernel_xfrm
cargo_test cli_xfrm

# --- The world around: cables, the Internet, the LANs, the firewall ---

# cable NIC NAMESPACE: a NIC of this machine whose other end is in NAMESPACE under the same name.
cable() {
    [ -e "/run/netns/$2" ] || ip netns add "$2"
    ip -n "$2" link set lo up
    ip link add "$1" type veth peer name "$1" netns "$2"
    ip -n "$2" link set "$1" up
}

# addresses NAMESPACE NIC ADDRESS…
addresses() {
    local netns=$1 nic=$2 address
    shift 2
    for address in "$@"; do
        case $address in
            *:*) ip -n "$netns" address add "$address" dev "$nic" nodad ;;
            *) ip -n "$netns" address add "$address" dev "$nic" ;;
        esac
    done
}

forwards() { ip netns exec "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; }

cable eth0 internet
addresses internet eth0 192.0.2.1/24
cable ethb internet
addresses internet ethb 198.51.100.1/24
for who in anne bert; do cable "eth-$who" internet; done
addresses internet eth-anne 203.0.113.1/25
addresses internet eth-bert 203.0.113.129/25
forwards internet

cable eth1 lan
addresses lan eth1 10.1.0.254/24 fd01::fe/64
ip -n lan route add 10.2.0.0/16 via 10.1.0.1
ip -n lan route add fd02::/48 via fd01::1

cable eth2 fw
addresses fw eth2 10.9.0.254/24 fd09::fe/64
ip -n fw route add 10.143.14.0/24 via 10.9.0.1
ip -n fw route add fd14::/64 via fd09::1
forwards fw
ip netns exec fw sysctl -qw net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth2.send_redirects=0
ip netns exec fw nft -f - <<'END'
table inet count {
    counter four { }
    counter six { }
    chain forward {
        type filter hook forward priority 0
        icmp type { echo-request, echo-reply } counter name four
        icmpv6 type { echo-request, echo-reply } counter name six
    }
}
END
counted() { ip netns exec fw nft -j list counter inet count "$1" | jq '.nftables[] | .counter? // empty | .packets'; }

cable lanb lanb
addresses lanb lanb 10.2.0.254/24 fd02::fe/64
ip -n lanb route add 10.1.0.0/16 via 10.2.0.1
ip -n lanb route add fd01::/48 via fd02::1

# --- The other site: a second strongSwan, in a namespace of its own, with its links in another ---

# charon NAME: a strongSwan of its own, with /etc/NAME/swanctl.conf, as NAME.service.
charon() {
    write "/etc/$1/strongswan.conf" <<END
charon-systemd {
    load_modular = yes
    install_routes = ${2:-no}
    install_virtual_ip = ${2:-no}
    plugins {
        include /etc/strongswan.d/charon/*.conf
        vici {
            socket = unix:///run/$1.vici
        }
    }
}
END
    write "/etc/systemd/system/$1.service" <<END
[Service]
Type=notify
Environment=STRONGSWAN_CONF=/etc/$1/strongswan.conf
ExecStart=/usr/sbin/charon-systemd
ExecStartPost=/usr/sbin/swanctl --load-all --noprompt --uri unix:///run/$1.vici --file /etc/$1/swanctl.conf
END
}

write /etc/netns/siteb/network/interfaces <<'END'
auto ethb
iface ethb inet static
    address 198.51.100.20/24
    gateway 198.51.100.1
END
write /etc/netns/siteb/network/xfrm <<'END'
[ipsec0]
IfId = 0x11
DestNetNS = tunnelb
Prefixes = 10.1.0.0/16,
           fd01::/48
END
write /etc/netns/tunnelb/network/interfaces <<'END'
auto lanb
iface lanb
    address 10.2.0.1/24
    address fd02::1/64
END
write /etc/siteb/swanctl.conf <<'END'
connections {
    site-a {
        local_addrs = 198.51.100.20
        remote_addrs = 192.0.2.10
        if_id_in = 0x11
        if_id_out = 0x11
        local {
            auth = psk
            id = b.example.org
        }
        remote {
            auth = psk
            id = a.example.org
        }
        children {
            lan {
                local_ts = 10.2.0.0/16, fd02::/48
                remote_ts = 10.1.0.0/16, fd01::/48
                start_action = trap
            }
        }
    }
}
secrets {
    ike-a {
        id = a.example.org
        secret = "the secret of site B"
    }
}
END
charon siteb

# Road warriors: plain strongSwan in plain namespaces, with virtual addresses.
warrior() {
    ip netns add "$1"
    ip -n "$1" link set lo up
    ip link set "eth-$1" netns "$1"
    ip -n "$1" link set "eth-$1" up
    addresses "$1" "eth-$1" "$2"
    ip -n "$1" route add default via "$3"
    write "/etc/$1/swanctl.conf" <<END
connections {
    gateway {
        remote_addrs = 192.0.2.10
        vips = 0.0.0.0, ::
        local {
            auth = psk
            id = $1@example.org
        }
        remote {
            auth = psk
            id = a.example.org
        }
        children {
            all {
                remote_ts = 10.0.0.0/8, fd00::/8
            }
        }
    }
}
secrets {
    ike-a {
        id = a.example.org
        secret = "the secret of the road warriors"
    }
}
END
    charon "$1" yes
    sed -i "s|^Type=.*|&\nNetworkNamespacePath=/run/netns/$1|" "/etc/systemd/system/$1.service"
}
warrior anne 203.0.113.2/25 203.0.113.1
warrior bert 203.0.113.130/25 203.0.113.129

# --- The gateway, by the README ---

before=$(snapshot)
check 'the README is followed' bash -euxo pipefail -c "$(/tests/lib/readme /README.md 'an IPsec gateway')"
check 'strongSwan runs' systemctl is-active strongswan
check_is 'in its namespace' "$(inode_of strongswan)" "$(netns_of "$(main_pid strongswan)")"
check_has 'a link is in the namespace that its section names' 'if_id 0x11' ip -n tunnel -d link show dev ipsec0
check_has 'so is the one with the hexadecimal ID' 'if_id 0x12' ip -n warriors -d link show dev ipsec1
check_has 'bound to where strongSwan is' 'link-netns strongswan' ip -n tunnel -d link show dev ipsec0
check_has 'as large as the underlay lets it be' 'mtu 1379' ip -n tunnel link show dev ipsec0
check_has 'with IPv4 routes' '10.2.0.0/16 dev ipsec0' ip -n tunnel route
check_has 'and IPv6 routes' 'fd02::/48 dev ipsec0' ip -n tunnel -6 route
check_is 'status says so' 'strongswan: up, as the files say' "$(systemd-netns status strongswan | sed -n 1p)"
check_is 'a second start would do nothing' '# nothing to do' "$(systemd-netns plan strongswan)"
check_exit 'nor would a reload' 0 systemctl reload systemd-netns@strongswan
for each in tunnel warriors; do
    check_is "$each forwards IPv4 and IPv6" '1 1' \
        "$(ip netns exec $each sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding | tr '\n' ' ' | sed 's/ $//')"
done

# The other side: the same by the command line.
systemd-netns enable siteb 2>/dev/null
check 'the other gateway starts' systemctl start siteb

# --- Site to site ---

ip netns exec internet tcpdump -i eth0 -n -U -w /run/underlay.pcap 2>/dev/null &
capture=$!
sleep 1
# patiently COMMAND…: tries for a minute: negotiations that nobody answered are begun again after a while.
patiently() {
    local end=$((SECONDS + 60))
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}
pings() { ip netns exec "$1" ping -n -q -c 3 -i 0.3 -W 5 "$2"; }
check 'IPv4 reaches the other site' eventually pings lan 10.2.0.254
check 'so does IPv6' eventually pings lan fd02::fe
check 'a service in the tunnel reaches it too' pings tunnel 10.2.0.254
check_has 'the tunnel has its states' '0x11, 2 SAs' systemd-netns status strongswan
check_is 'JSON has its packets' true \
    "$(systemd-netns status strongswan --json | jq '.[0].tunnels[] | select(.name == "ipsec0") | .rx_packets > 5 and .tx_packets > 5')"
ip netns exec lanb iperf3 -s -1 -D -I /run/iperf3.pid >/dev/null
eventually test -s /run/iperf3.pid
check 'a stream crosses' ip netns exec lan iperf3 -c 10.2.0.254 -n 4M --connect-timeout 5000
kill $capture
wait $capture 2>/dev/null || true
outside=$(tcpdump -n -r /run/underlay.pcap 2>/dev/null)
check 'it was seen on the way' test "$(grep -c 'ESP(spi' <<<"$outside")" -gt 1000
check_is 'as ESP only, beside the negotiation' '' \
    "$(tcpdump -n -r /run/underlay.pcap 'host 192.0.2.10 and not arp and not esp and not port 500 and not port 4500' 2>/dev/null | head -n 3)"
check_is 'and with no address from inside' '' \
    "$(tcpdump -n -r /run/underlay.pcap 'net 10.0.0.0/8 or ip6 net fd00::/8' 2>/dev/null | head -n 3)"

# --- Nothing leaks when there is no state ---

# Whether something for the other site leaves by the uplink of `tunnel` while COMMAND runs.
leaks() {
    local watch seen
    ip netns exec lan timeout 6 tcpdump -i eth1 -n -l 'src host 10.1.0.1 and (dst net 10.2.0.0/16)' >/run/leak 2>/dev/null &
    watch=$!
    sleep 1
    "$@" >/dev/null 2>&1 || true
    wait $watch || true
    seen=$(grep -c ' IP ' /run/leak || true)
    [ "$seen" -gt 0 ]
}
systemctl stop siteb
swanctl --terminate --ike site-b --timeout 5 >/dev/null 2>&1 || true
check_not 'without a state nothing leaves by the uplink' leaks ip netns exec tunnel ping -n -q -c 3 -i 0.3 -W 1 10.2.0.254
check_not 'and nothing arrives' pings tunnel 10.2.0.254
systemctl start siteb
check 'with the other side back it goes on' patiently pings lan 10.2.0.254

# --- BlockP2P: road warriors and the firewall ---

check_has 'only the uplink looks the routes up' 'iif eth2 lookup 117' ip -n warriors rule
check_has 'for IPv6 too' 'iif eth2 lookup 117' ip -n warriors -6 rule
check_has 'the routes are in their table' '10.143.14.0/24 dev ipsec1' ip -n warriors route show table 117
check_not 'and in no other' grep -q ipsec1 <(ip -n warriors route)
systemctl start anne bert
for who in anne bert; do
    check "$who connects" swanctl --initiate --child all --timeout 60 --uri unix:///run/$who.vici
done
inner() { ip -n "$1" -j address | jq -r --arg f "$2" '.[].addr_info[] | select(.family == $f) | .local' | grep -E '^(10\.143|fd14:)' | head -n 1; }
bert4=$(inner bert inet) bert6=$(inner bert inet6)
check 'anne reaches bert by IPv4' pings anne "$bert4"
check_is 'by the firewall: three questions, three answers' 6 "$(counted four)"
check 'and by IPv6' pings anne "$bert6"
check_is 'by the firewall as well' 6 "$(counted six)"
ip netns exec fw nft add rule inet count forward ip saddr 10.143.14.0/24 ip daddr 10.143.14.0/24 drop
check_not 'which can forbid it: there is no other way' pings anne "$bert4"
check 'a warrior reaches what is behind the firewall' pings anne 10.9.0.254
ip netns exec warriors sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth2.rp_filter=1
check 'strict reverse-path filtering is no obstacle' pings anne 10.9.0.254

# It follows the uplink.
cable eth3 fw
addresses fw eth3 10.99.0.254/24
cat >>/etc/netns/warriors/network/interfaces <<'END'

auto eth3
iface eth3
    address 10.99.0.1/24
    gateway 10.99.0.254
END
sed -i '/gateway 10.9.0.254/d' /etc/netns/warriors/network/interfaces
check 'the default route moves' systemd-netns reload warriors
check_has 'the rule follows it' 'iif eth3 lookup 117' ip -n warriors rule
check_not 'and leaves the old link' grep -q eth2 <(ip -n warriors rule)
sed -i '/gateway/d' /etc/netns/warriors/network/interfaces
check 'the default routes go' systemd-netns reload warriors
check_has 'that is said' 'has no default route' systemd-netns check strongswan
check_not 'there is no rule' grep -q 117 <(ip -n warriors rule)
check 'the rest still works' patiently pings lan 10.2.0.254

# --- Services in the tunnel; restarts ---

systemd-netns enable nginx --netns tunnel 2>/dev/null
check 'a service starts in the tunnel' systemctl start nginx
check_is 'there' "$(inode_of tunnel)" "$(netns_of "$(main_pid nginx)")"
check_has 'after strongSwan' strongswan.service systemctl show -P After systemd-netns@tunnel
served() { ip netns exec lanb curl -fsS -o /dev/null --connect-timeout 5 --retry 3 --retry-connrefused http://10.1.0.1/; }
check 'it serves the other site' patiently served
index=$(ip -n tunnel -j link show dev ipsec0 | jq '.[].ifindex')
web=$(main_pid nginx)
check 'strongSwan restarts' systemctl restart strongswan
check_is 'the link is the same' "$index" "$(ip -n tunnel -j link show dev ipsec0 | jq '.[].ifindex')"
check_is 'the service too' "$web" "$(main_pid nginx)"
check 'and serves again' patiently served
pid=$(main_pid strongswan)
kill -SEGV "$pid"
gone() { [ "$(main_pid strongswan)" != "$pid" ]; }
check 'strongSwan crashes' eventually gone
systemctl start strongswan
check_is 'the link stays' "$index" "$(ip -n tunnel -j link show dev ipsec0 | jq '.[].ifindex')"
check_is 'the service too' "$web" "$(main_pid nginx)"
check 'and serves again' patiently served
check 'the namespace of the tunnel restarts' systemctl restart systemd-netns@tunnel
check_is 'its links stay, as others need it' "$index" "$(ip -n tunnel -j link show dev ipsec0 | jq '.[].ifindex')"
check 'the namespace of strongSwan stops' systemctl stop systemd-netns@strongswan
check_not 'its link goes' ip -n tunnel link show dev ipsec0
check_is 'the service stays' active "$(systemctl is-active nginx)"
check_not 'still nothing leaves by the uplink' leaks ip netns exec tunnel ping -n -q -c 3 -i 0.3 -W 1 10.2.0.254
check 'strongSwan starts again' systemctl start strongswan
check 'the namespace of strongSwan restarts' systemctl restart systemd-netns@strongswan
systemctl start strongswan nginx
# The other side may still believe in states that went with the namespace.
check 'strongSwan comes back with it' patiently pings lan 10.2.0.254
check 'and what it serves' patiently served
check_is 'as the files say' 'strongswan: up, as the files say' "$(systemd-netns status strongswan | sed -n 1p)"

# --- Each mistake of the documentation ---

cp /etc/netns/strongswan/network/xfrm /run/xfrm
mistakes=0
while IFS= read -r row; do
    line=${row#'| `'} told=${row#*'` | '}
    line=${line%%'` | '*} told=${told%' |'}
    {
        printf '[ipsec0]\n%s\n' "$line"
        [ "${line%%[ =]*}" = IfId ] || echo 'IfId = 17'
        [ "${line%%[ =]*}" = Prefixes ] || echo 'Prefixes = 10.2.0.0/16'
    } >/etc/netns/strongswan/network/xfrm
    check_has "refused: $line" "$told" systemd-netns reload strongswan
    mistakes=$((mistakes + 1))
done < <(sed -n '/^<!-- table: mistakes -->$/,/^<!-- end of table -->$/s/^| `/&/p' /README.md)
check 'there are many' test "$mistakes" -ge 15
check_exit 'a mistake changes nothing' 78 systemd-netns reload strongswan
check 'everything goes on' patiently pings lan 10.2.0.254
cp /run/xfrm /etc/netns/strongswan/network/xfrm
check 'without the mistake there is nothing to do' systemd-netns reload strongswan

# --- A rollback: what the kernel refuses is not half there ---

printf '[ipsec2]\nIfId = 19\nDestNetNS = tunnel\nPrefixes = 10.77.0.0/16, 0.0.0.0/0\n' >>/etc/netns/strongswan/network/xfrm
check_exit 'a second default route is refused by the kernel' 1 systemd-netns reload strongswan
check_not 'the new link is gone' ip -n tunnel link show dev ipsec2
check_is 'the old one is the same' "$index" "$(ip -n tunnel -j link show dev ipsec0 | jq '.[].ifindex')"
cp /run/xfrm /etc/netns/strongswan/network/xfrm
check_is 'as the files say' 'strongswan: up, as the files say' "$(systemd-netns status strongswan | sed -n 1p)"

# --- The end, with the files gone ---

rm -r /etc/netns
check 'strongSwan stops' systemctl stop strongswan
check 'the service in the tunnel goes on' systemctl is-active nginx
systemctl stop nginx siteb
for unit in strongswan tunnel siteb; do
    check "the namespace $unit goes" patiently inactive "systemd-netns@$unit"
done
no_namespaces() { ! ip netns list | grep -qE '^(strongswan|tunnel|warriors|siteb|tunnelb)\b'; }
check 'no namespace is left' patiently no_namespaces
check_not 'nor any record' test -e /run/systemd-netns
ip link delete eth3
check_is 'the host is as it was' "$before" "$(snapshot)"
