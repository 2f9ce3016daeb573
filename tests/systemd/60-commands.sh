#!/bin/bash
# The administrator's own commands: where they run, what they see, and that the unit's confinement lets them work.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0
netns_conf nginx
write /etc/netns/nginx/network/interfaces <<'END'
auto eth0
iface eth0 inet static
    address 192.0.2.2/24
    colour blue
    pre-up env | sort >/run/hooks-environment
    up echo up >>/var/log/hooks.log
    up echo up >/run/hooks-were-here
    up echo up >/etc/hooks-were-here
    up echo up >/tmp/hooks-were-here
    up iptables -A INPUT -p tcp --dport 25 -j DROP
    up iptables-save >/etc/hooks.rules
    up nft add table inet hooks
    up sysctl -q -w net.ipv4.ip_forward=1
    up echo 1 >/proc/sys/net/ipv4/conf/eth0/rp_filter
    up ip tuntap add tun7 mode tun
    up ip rule add from 192.0.2.2 table 100
    up ip netns exec nginx true
    up /run/hooks-daemon 1000 &
    up readlink /proc/self/ns/net >/run/hooks-namespace
    up ! touch /usr/hooks-were-here
    down echo down >>/var/log/hooks.log
    down pgrep -x hooks-daemon >>/var/log/hooks.log
    post-down echo post-down >>/var/log/hooks.log
END
cp /bin/sleep /run/hooks-daemon
rm -f /var/log/hooks.log
forward=$(sysctl -n net.ipv4.ip_forward)
check 'nginx starts' systemctl start nginx
check_is 'commands run in the namespace' "net:[$(inode_of nginx)]" "$(cat /run/hooks-namespace)"
for line in IFACE=eth0 LOGICAL=eth0 ADDRFAM=inet METHOD=static MODE=start PHASE=pre-up IF_ADDRESS= IF_COLOUR=blue; do
    check_has "they have $line" "$line" cat /run/hooks-environment
done
for file in /run /etc /tmp; do check "they write to $file" test -s "$file/hooks-were-here"; done
check_not 'not to /usr' test -e /usr/hooks-were-here
check_has 'iptables rules are in the namespace' '--dport 25' ip netns exec nginx iptables -S
check_not 'not in the host' grep -q -e '--dport 25' <(iptables -S)
check_has 'so are nftables rules' 'table inet hooks' ip netns exec nginx nft list tables
check_is 'sysctl works on the namespace' 1 "$(ip netns exec nginx sysctl -n net.ipv4.ip_forward)"
check_is 'not on the host' "$forward" "$(sysctl -n net.ipv4.ip_forward)"
check 'a tun device is there' ip -n nginx link show dev tun7
daemon=$(pgrep -x hooks-daemon)
check_is 'a daemon that they left runs in the namespace' "$(inode_of nginx)" "$(netns_of "$daemon")"
check 'nginx stops' systemctl stop nginx
check 'the namespace goes' eventually inactive systemd-netns@nginx
check_is 'down commands ran once each, while the daemon still lived' "up down $daemon post-down" \
    "$(tr '\n' ' ' </var/log/hooks.log | sed 's/ $//')"
check_not 'the daemon has gone' pgrep -x hooks-daemon
rm -f {/run,/etc,/tmp}/hooks-were-here /etc/hooks.rules /run/hooks-* /var/log/hooks.log
