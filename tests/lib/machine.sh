# shellcheck shell=bash
# Fixtures for the scripts inside a booted Debian: NICs, a LAN behind them, configuration files, snapshots.

# The LAN is a namespace of its own, 192.0.2.1/24 and 2001:db8::1/64, from where `lan COMMAND…` speaks.

# lan_nic NAME…: each a veth that plays a NIC of this machine; its other end is a port of the LAN's switch.
lan_nic() {
    local name
    if [ ! -e /run/netns/lan ]; then
        ip netns add lan
        ip -n lan link add switch type bridge
        lan_address switch
    fi
    for name in "$@"; do
        ip link add "$name" type veth peer name "$name" netns lan
        ip -n lan link set "$name" master switch up
    done
}

# lan_with NIC: the LAN is what hangs on the cable of that NIC, in a virtual machine.
lan_with() {
    ip netns add lan
    ip link set "$1" netns lan
    lan_address "$1"
}

# cable_with_vlan: the first cable of a virtual machine. `nic` is its end here and is up, `peer` the LAN, which has VLAN 124
# too, 198.51.100.1/24.
cable_with_vlan() {
    nic=$(nic_with_mac 02:00:00:00:00:11)
    peer=$(nic_with_mac 02:00:00:00:00:12)
    lan_with "$peer"
    ip -n lan link add link "$peer" name vlan124 type vlan id 124
    ip -n lan address add 198.51.100.1/24 dev vlan124
    ip -n lan link set vlan124 up
    ip link set "$nic" up
}

lan_address() {
    ip -n lan address add 192.0.2.1/24 dev "$1"
    ip -n lan address add 2001:db8::1/64 dev "$1" nodad
    ip -n lan link set lo up
    ip -n lan link set "$1" up
}

nic_with_mac() { ip -j link | jq -r --arg mac "$1" '.[] | select(.address == $mac and .link == null) | .ifname'; }

# lan_dnsmasq OPTION…: a DHCP server in the LAN for 192.0.2.100 to .150; what it says goes to /run/dnsmasq.log.
lan_dnsmasq() {
    : >/run/dnsmasq.log
    systemd-run --quiet --unit=lan-dnsmasq --property=StandardError=append:/run/dnsmasq.log \
        ip netns exec lan dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --interface=switch --log-dhcp \
        --dhcp-authoritative --no-ping --dhcp-leasefile=/run/dnsmasq.leases --dhcp-range=192.0.2.100,192.0.2.150,1h \
        --dhcp-option=option:dns-server,192.0.2.1 --dhcp-option=option:domain-name,example.org "$@"
    eventually grep -q 'DHCP, IP range' /run/dnsmasq.log
}

# served WORD: how often the server has said it.
served() { grep -c "$1" /run/dnsmasq.log || true; }

lan() { ip netns exec lan "$@"; }

# fetch ADDRESS: asks the web server there from the LAN, patient while neighbours are found.
fetch() { lan curl -fsS -o /dev/null --connect-timeout 2 --retry 3 --retry-connrefused "http://$1/"; }

# write PATH: standard input into that file, with its folders.
write() {
    mkdir -p "$(dirname "$1")"
    cat >"$1"
}

# netns_conf SERVICE: the drop-in, linked as an administrator does it.
netns_conf() {
    mkdir -p "/etc/systemd/system/$1.service.d"
    ln -sf /usr/share/systemd-netns-helper/netns.conf "/etc/systemd/system/$1.service.d/"
    systemctl daemon-reload
}

# sleeper NAME [LINE…]: a service that does nothing, with more lines for its [Service] section. Type=exec: it is
# inside its namespace when `systemctl start` returns.
sleeper() {
    { printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=exec\nExecStart=/bin/sleep infinity\n' && printf '%s\n' "${@:2}"; } \
        >"/etc/systemd/system/$1.service"
    systemctl daemon-reload
}

# systemctl: now and then systemd 257 removes the control group of a unit that it is about to start, and the start fails
# (https://github.com/systemd/systemd/issues/41278); 252 does so, too, with one that it is about to reload. Such a one is tried again.
systemctl() {
    local status began
    began=$(date +%s)
    command systemctl "$@" && return
    status=$?
    case $1 in
        start | restart | reload)
            journalctl --quiet --since "@$began" --grep 'Failed to spawn executor|Failed at step CGROUP' >/dev/null || return $status
            ;;
        *) return $status ;;
    esac
    command systemctl "$@"
}

inactive() { [ "$(systemctl show -P ActiveState "$1")" = inactive ]; }
main_pid() { systemctl show -P MainPID "$1"; }

# netns_of PID: the inode of the network namespace that a process is in; of NAME under /run/netns: inode_of.
netns_of() { stat -Lc %i "/proc/$1/ns/net"; }
inode_of() { stat -Lc %i "/run/netns/$1"; }

# snapshot [-n NAMESPACE]: links, addresses and routes, one a line, but for what the kernel adds by itself.
snapshot() {
    ip "$@" -j -d link | jq -cS 'sort_by(.ifname)[] | {ifname, address, mtu, altnames, master,
        kind: .linkinfo.info_kind, up: (.flags | index("UP") != null)}'
    ip "$@" -j address | jq -cS '.[] | .ifname as $link | .addr_info[]
        | select(.family == "inet" or .scope != "link")
        | {link: $link, local, prefixlen, broadcast, scope, "label"}' | sort
    { ip "$@" -j -4 route show table all; ip "$@" -j -6 route show table all; } |
        jq -cS '.[] | select(.protocol != "kernel") | del(.expires, .cacheinfo, .flags)' | sort
}

# reset_machine: what a script may have left, so that the next one starts afresh.
reset_machine() (
    # Much of this has gone already, or goes with something else.
    set +e
    for name in nginx.service $(find /etc/systemd/system -maxdepth 1 -type f -name '*.service' -printf '%f\n'); do
        [ "$name" = tests.service ] || systemctl stop "$name"
    done
    systemctl stop 'systemd-netns@*.service' 'lan-*.service' 'transfer-*.service'
    systemctl stop 'systemd-netns-router@*.socket' 'systemd-netns-router@*.service'
    rm -f /run/dnsmasq.* /etc/systemd-netns/router/*
    rm -rf /run/lan-web* /run/web-* /run/transfer*
    find /etc/systemd/system -maxdepth 1 -type f -name '*.service' ! -name tests.service -delete
    rm -rf /etc/systemd/system/*.service.d /run/systemd/system/*.service.d /etc/netns
    printf 'auto lo\niface lo inet loopback\n' >/etc/network/interfaces
    for name in $(ip netns list | cut -d' ' -f1); do ip netns delete "$name"; done
    for name in $(ip -j link | jq -r '.[] | select(.link_type != "loopback") | .ifname'); do
        # A NIC of the machine itself cannot be deleted, and stays.
        ip link delete "$name" 2>/dev/null || ip link set "$name" down 2>/dev/null
    done
    rm -rf /run/systemd-netns
    systemctl daemon-reload
    systemctl reset-failed
    true
)
