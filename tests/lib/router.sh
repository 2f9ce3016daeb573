# shellcheck shell=bash
# Fixtures for the scripts about routers: a LAN with a web server, services without a NIC, and connections through it all.

# web_in_lan: eth0 leads from the host, 192.0.2.10, to the LAN; there, at 192.0.2.1, are a page and a file of 32 MiB, /large.
web_in_lan() {
    lan_nic eth0
    ip address add 192.0.2.10/24 dev eth0
    ip link set eth0 up
    mkdir -p /run/lan-web
    echo "the LAN's page" >/run/lan-web/index.html
    head -c 32M /dev/urandom >/run/lan-web/large
    web_conf /run/lan-web 192.0.2.1:80 >/run/lan-web.conf
    systemd-run --quiet --unit=lan-web ip netns exec lan nginx -c /run/lan-web.conf
    eventually fetch 192.0.2.1
}

# web_conf FOLDER ADDRESS: an nginx in the foreground that logs beside the folder.
web_conf() {
    cat <<END
daemon off;
pid $1.pid;
error_log $1.error;
events { }
http {
    access_log $1.log;
    server { listen $2; root $1; }
}
END
}

# emperor0 [LINE] [SECTION…]: the router of the README, with statistics; a line before all others of its first section.
emperor0() {
    {
        printf '[Router]\n' && [ -z "${1-}" ] || printf '%s\n' "$1"
        printf 'Address = 192.168.0.1/24\nMasquerade = eth0\nStatistics = /run/systemd-netns-router/emperor0/statistics.sock\n'
        printf '%s\n' "${@:2}"
    } | write /etc/systemd-netns/router/emperor0.conf
}

# tuntap NETNS ADDRESS
tuntap() { printf '[Tuntap]\nRouter = emperor0\nAddress = %s\nGateway = 192.168.0.1\n' "$2" | write "/etc/netns/$1/network/tuntap"; }

# web_service NAME: nginx in a namespace without a NIC. It does not start without the LAN, whose page it takes to /run/NAME.page.
web_service() {
    mkdir -p "/run/web-$1"
    echo "$1's page" >"/run/web-$1/index.html"
    web_conf "/run/web-$1" 80 >"/run/web-$1.conf"
    write "/etc/systemd/system/$1.service" <<END
[Service]
Type=exec
ExecStartPre=/usr/bin/curl -fsS --connect-timeout 5 -o /run/$1.page http://192.0.2.1/?$1
ExecStart=/usr/sbin/nginx -c /run/web-$1.conf
END
    netns_conf "$1"
}

# everything: snapshot, and all else that a router may touch.
everything() {
    snapshot
    nft list ruleset
    sysctl -a --pattern '\.(forwarding|accept_ra|ip_forward)$' 2>/dev/null
    find /run/systemd-netns /run/systemd-netns-router /run/netns -mindepth 1 \
        ! -path /run/systemd-netns/lock ! -path '/run/systemd-netns/router' 2>/dev/null | sort
}

# journal OPTION…: what was said since the last mark.
mark() { journal_from=$(date +%s.%N); }
journal() { journalctl --sync && journalctl --no-pager -o cat --since "@$journal_from" "$@"; }
mark

# is_before UNIT UNIT: whether the first was active before the second.
is_before() {
    [ "$(systemctl show -P ActiveEnterTimestampMonotonic "$1")" -le "$(systemctl show -P ActiveEnterTimestampMonotonic "$2")" ] &&
        echo yes || echo no
}

# capabilities UNIT SET: of every thread of its process, which agree.
capabilities() { sed -n "s/^Cap$2:\t//p" "/proc/$(main_pid "$1")"/task/*/status | sort -u; }

# figures: what the router's statistics socket says. peers [ADDRESS]: its peers, or the one with an address.
figures() { curl -fs --unix-socket /run/systemd-netns-router/emperor0/statistics.sock http://localhost/; }
peers() { figures | jq -c --arg address "${1-}" '.peers[] | select($address == "" or .addr == $address)'; }
peer_is_in() { [ -n "$(peers "$1")" ]; }

# transfer_begin NETNS: takes /large out of the LAN over one connection, piece by piece, which lasts for minutes.
transfer_begin() {
    rm -f "/run/transfer-$1.finish"
    : >"/run/transfer-$1"
    cat >/run/transfer.sh <<'END'
exec 3<>/dev/tcp/192.0.2.1/80
printf 'GET /large HTTP/1.0\r\n\r\n' >&3
while IFS= read -r line <&3 && [ "$line" != $'\r' ]; do :; done
until [ -e "$1.finish" ]; do
    head -c 16384 <&3 >>"$1"
    sleep 0.1
done
cat <&3 >>"$1"
END
    # What has arrived, and was not read yet, says nothing about what arrives: it is kept small.
    systemd-netns run "$1" -- sysctl -q -w net.ipv4.tcp_rmem='4096 32768 32768'
    systemd-run --quiet --unit="transfer-$1" --property=RemainAfterExit=yes \
        systemd-netns run "$1" -- bash -e /run/transfer.sh "/run/transfer-$1"
    transfer_goes_on "$1"
}

are_larger() {
    local sizes=$1 name
    shift
    for name in "$@"; do
        [ "$(stat -c %s "/run/transfer-$name")" -gt $((${sizes%% *} + 70000)) ] || return 1
        sizes=${sizes#* }
    done
}
has_ended() { [ "$(systemctl show -P SubState "$1")" != running ]; }

# transfer_goes_on NETNS…: of each more comes than was on the way. TCP tries again after about as long as it was in vain.
transfer_goes_on() {
    local sizes
    sizes=$(for name in "$@"; do stat -c %s "/run/transfer-$name"; done | tr '\n' ' ')
    eventually are_larger "$sizes" "$@" || eventually are_larger "$sizes" "$@"
}

# transfer_end NETNS: the rest comes at once, and all of it is what was sent.
transfer_end() {
    systemd-netns run "$1" -- sysctl -q -w net.ipv4.tcp_rmem='4096 131072 6291456'
    touch "/run/transfer-$1.finish"
    { eventually has_ended "transfer-$1" || eventually has_ended "transfer-$1"; } && systemctl stop "transfer-$1" && cmp "/run/transfer-$1" /run/lan-web/large
}
