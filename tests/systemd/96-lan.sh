#!/bin/bash
# timeout: 400
# One server, one public address, many services on a private network: the way there from a plain bridge with the NIC in it to a
# network of its own with masquerading, SNAT and published ports; with nginx, sshd, a container, and somebody else's rules beside.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

# --- A bridge that has the NIC for a port: everybody is on the LAN.
lan_nic eth0
ip link set eth0 up
before=$(snapshot)
write /etc/netns/intranet/network/links <<'END'
auto br0
iface br0 inet static
    address 192.0.2.10/24
    bridge_ports eth0
    bridge_stp off
    bridge_fd 0
END
write /etc/netns/app/network/interfaces <<'END'
auto br0..1
iface br0..1 inet static
    address 192.0.2.20/24
    gateway 192.0.2.1
END
sleeper app
netns_conf app
check 'a bridge with the NIC: the service starts, and the bridge before it' systemctl start app
check 'the LAN reaches the service' eventually lan ping -q -c 1 -W 2 192.0.2.20
check 'and the host by the bridge' eventually lan ping -q -c 1 -W 2 192.0.2.10
check_has 'the namespace of the bridge is up, as its files say' 'up, as the files say' systemd-netns status intranet
check 'it stops' systemctl stop app
check 'the bridge goes when nobody is on it' eventually inactive systemd-netns@intranet
check_is 'the host is as it was' "$before" "$(snapshot)"
rm -r /etc/netns/app /etc/netns/intranet
systemctl daemon-reload

# --- A network of its own. The host's rules are somebody else's.
ip address add 192.0.2.9/24 dev eth0
nft -f - <<'END'
table ip somebodys {
    chain forward { type filter hook forward priority 0; policy accept; counter; }
}
table ip nat {
    chain PREROUTING { type nat hook prerouting priority -100; policy accept; tcp dport 7777 redirect to :80; }
}
END
theirs=$(nft -s list ruleset)
forwarding() { sysctl net.ipv4.conf.{all,default,eth0}.forwarding net.ipv6.conf.{all,eth0}.forwarding net.ipv6.conf.eth0.accept_ra; }
forwarded=$(forwarding)
before=$(snapshot)
write /etc/netns/intranet/network/links <<'END'
auto br1
iface br1
    address 10.1.1.1/24
    address fd01::1/64
    bridge_ports tap0
    bridge_fd 0

iface tap0 inet manual
    tunctl-user root
END
write /etc/netns/intranet/network/nat <<'END'
[snat]
From = 10.1.1.0/24
To = 192.0.2.9
Link = eth0

[publish ssh]
Address = 192.0.2.9
Port = 22210
To = 10.1.1.6:22
Link = eth0

[publish web]
Address = 192.0.2.9
Port = 8080
To = 10.1.1.7:80
Link = eth0
END
for service in ssh:6 nginx:7; do
    write "/etc/netns/${service%:*}/network/interfaces" <<END
auto br1..1
iface br1..1
    address 10.1.1.${service#*:}/24
    address fd01::${service#*:}/64
    gateway 10.1.1.1
    gateway fd01::1
END
    netns_conf "${service%:*}"
done
write /etc/netns/nginx/network/nftables <<'END'
table inet filter {
    chain input {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        iif lo accept
        meta l4proto { icmp, ipv6-icmp } accept
        tcp dport 80 accept
    }
}
END
check 'check finds nothing to say' systemd-netns check intranet ssh nginx
check 'nginx starts, behind its own firewall' systemctl start nginx
check 'the bridge is there' ip link show dev br1
check_is 'the tap device is its port' br1 "$(ip -j link show dev tap0 | jq -r '.[0].master')"
check_has 'its own rules are inside' 'tcp dport 80 accept' ip netns exec nginx nft list ruleset
check_is 'and not on the host' 'table inet systemd-netns-nat-intranet' "$(nft list tables | grep systemd-netns)"

if [ -x /usr/sbin/sshd ]; then
    systemctl stop ssh.socket 2>/dev/null || true
    mkdir -p /run/sshd /root/.ssh
    ssh-keygen -A >/dev/null
    [ -e /root/.ssh/id_ed25519 ] || ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
    cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
    check 'sshd starts inside' systemctl start ssh
    ssh_lan() { lan timeout 20 ssh -p 22210 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes "$@"; }
    check_has 'the LAN logs in by the published port' 'inet 10.1.1.6/24' ssh_lan root@192.0.2.9 ip -4 address
    check 'a SOCKS proxy by it' ssh_lan -M -S /run/ssh.control -f -N -D 127.0.0.1:8081 root@192.0.2.9
    check 'reaches the web server of the network' \
        eventually lan curl -fsS -o /dev/null --max-time 5 --socks5-hostname 127.0.0.1:8081 http://10.1.1.7/
    lan ssh -S /run/ssh.control -O exit root@192.0.2.9 2>/dev/null || true
else
    skip 'sshd behind a published port' 'there is no sshd in this root'
fi
check 'the LAN reaches the published web server' fetch 192.0.2.9:8080
check 'so does the host' curl -fsS -o /dev/null --max-time 5 http://192.0.2.9:8080/
check_has 'status shows what is published' 'publish web: 192.0.2.9 port 8080 tcp to 10.1.1.7:80 by eth0  (' systemd-netns status intranet
check 'and who is on the same network' ip netns exec ssh curl -fsS -o /dev/null --max-time 5 http://192.0.2.9:8080/
# Debian has no br_netfilter unless somebody loads it: rules are not asked about frames that are bridged.
for key in iptables ip6tables; do sysctl -qw net.bridge.bridge-nf-call-$key=0 2>/dev/null || true; done
check 'and the service itself' ip netns exec nginx curl -fsS -o /dev/null --max-time 5 http://192.0.2.9:8080/
check_not 'its firewall lets nothing else in' ip netns exec ssh curl -fsS -o /dev/null --max-time 2 http://10.1.1.7:81/
check 'what is inside reaches the LAN' ip netns exec nginx ping -q -c 1 -W 2 192.0.2.1
check_is 'IPv4 is forwarded link by link' '0 1 1' "$(sysctl -n net.ipv4.conf.{all,eth0,br1}.forwarding | paste -sd' ')"

# --- A container is a port like any other; a pair stands for what systemd-nspawn and LXC make.
ip netns add container
ip link add vb-container type veth peer name host0 netns container
ip link set vb-container master br1 up
ip -n container address add 10.1.1.8/24 dev host0
ip -n container link set host0 up
ip -n container route add default via 10.1.1.1
check 'a container on the bridge reaches a service' eventually ip netns exec container ping -q -c 1 -W 2 10.1.1.7
check 'and the LAN' ip netns exec container ping -q -c 1 -W 2 192.0.2.1
check_has 'it is no drift' 'up, as the files say' systemd-netns status intranet

# --- A reload while 200 connections are made at once.
write /run/ask <<'END'
#!/bin/bash
# ask N: N requests one after another; prints how many failed.
failed=0
for _ in $(seq "$1"); do
    exec 3<>/dev/tcp/192.0.2.9/8080 || { failed=$((failed + 1)); continue; }
    printf 'HEAD / HTTP/1.0\r\n\r\n' >&3
    IFS= read -r -t 20 line <&3
    case $line in *' 200 '*) ;; *) failed=$((failed + 1)) ;; esac
    exec 3<&- 3>&-
done
echo "$failed"
END
for _ in $(seq 200); do lan bash /run/ask 20 & done >/run/asked 2>&1
for port in $(seq 40); do
    printf '[publish more]\nPort = %s\nTo = 10.1.1.8\nAddress = 192.0.2.9\nLink = eth0\n' "$port" >/run/more
    sed '/^\[publish more\]/,$d' /etc/netns/intranet/network/nat >/run/nat
    cat /run/nat /run/more >/etc/netns/intranet/network/nat
    systemctl reload systemd-netns@intranet || echo reload failed
done >/run/reloaded 2>&1
wait
check_is '40 reloads' '' "$(cat /run/reloaded)"
check_is '200 at once, 4000 connections: all were answered' '200 0' "$(sort /run/asked | uniq -c | awk '{print $1, $2}')"
lan bash /run/ask 10000 >/run/asked 2>&1 &
asking=$!
reloads=0
while kill -0 $asking 2>/dev/null; do
    touch /etc/netns/intranet/network/nat
    sed -i "s/^Port = [0-9]*\$/&/; s/^To = 10.1.1.8\$/To = 10.1.1.8:$((reloads % 99 + 1))/; s/^To = 10.1.1.8:.*\$/To = 10.1.1.8:$((reloads % 99 + 1))/" /etc/netns/intranet/network/nat
    systemctl reload systemd-netns@intranet
    reloads=$((reloads + 1))
    sleep 0.5
done
check_is 'so were 10000 one after another' 0 "$(cat /run/asked)"
check 'there were reloads meanwhile' test $reloads -gt 2

# --- What others do, and what is left.
check_is 'the rules of others are as they were' "$theirs" \
    "$(nft -s list ruleset | awk '/^table inet systemd-netns/ { skip = 1 } !skip { print } /^}/ { skip = 0 }')"
nft flush ruleset
check_has 'somebody flushes all rules: status says so' 'nft -f -' systemd-netns status intranet
check 'a reload' systemctl reload systemd-netns@intranet
check 'brings ours back' fetch 192.0.2.9:8080
check 'the network is restarted' systemctl restart systemd-netns@intranet
check 'those who were on the bridge are on it again' eventually fetch 192.0.2.9:8080
systemctl stop ssh nginx 2>/dev/null
ip netns delete container
check 'all stops with the last service' eventually inactive systemd-netns@intranet
check_is 'there is no rule left' '' "$(nft list tables)"
check_is 'forwarding is as it was' "$forwarded" "$(forwarding)"
check_is 'the host is as it was' "$before" "$(snapshot)"
check_not 'nor a record' test -e /run/systemd-netns/intranet
