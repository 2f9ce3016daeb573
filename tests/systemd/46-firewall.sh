#!/bin/bash
# Rules and settings of a service's own: a mistake in them keeps it down, and the host's are nobody's business here.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0
netns_conf nginx
write /etc/netns/nginx/network/interfaces <<'END'
auto eth0
iface eth0 inet static
    address 192.0.2.2/24
END
rules() {
    write /etc/netns/nginx/network/nftables <<END
#!/usr/sbin/nft -f
flush ruleset
table inet filter {
    chain input {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        iif lo accept
        $1
    }
}
END
}
nft add table inet the-hosts
theirs=$(nft list ruleset)
forwarding=$(sysctl -n net.ipv4.ip_forward)
echo 'net.ipv4.ip_forward = 1' >/etc/netns/nginx/network/sysctl

rules 'tcp dport 80 acept'
check_not 'with a mistake in its rules nginx does not start' systemctl start nginx
check_has 'the journal has its place' '/etc/netns/nginx/network/nftables:8:' journalctl --no-pager -u systemd-netns@nginx
check 'nothing of it is there' test ! -e /run/netns/nginx -a -e /sys/class/net/eth0
rules 'tcp dport 80 accept'
check 'without one it does' systemctl start nginx
check 'it is reached' fetch 192.0.2.2
check_not 'by its port alone' lan ping -q -c 1 -W 1 192.0.2.2
check_is 'its settings are its own' '1 0' "$(ip netns exec nginx sysctl -n net.ipv4.ip_forward) $forwarding"
check_is 'the host has its own' "$forwarding" "$(sysctl -n net.ipv4.ip_forward)"
rules 'tcp dport 81 acept'
check_not 'a reload refuses a mistake' systemctl reload systemd-netns@nginx
check 'and changes nothing' fetch 192.0.2.2
rules 'tcp dport 81 accept'
check 'a reload' systemctl reload systemd-netns@nginx
check_not 'changes the rules' lan curl -fsS -o /dev/null --max-time 2 http://192.0.2.2/
check_is 'the rules of the host are untouched' "$theirs" "$(nft list ruleset)"
systemctl stop nginx
check 'it stops' eventually inactive systemd-netns@nginx
nft delete table inet the-hosts
