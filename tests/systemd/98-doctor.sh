#!/bin/bash
# boot: own
# Doctor: each thing that is wrong is found, and what it says to do puts it right.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0
write /etc/netns/nginx/network/interfaces <<'END'
auto eth0
iface eth0 inet static
    address 192.0.2.2/24
END
write /etc/netns/nginx/network/links <<'END'
link-netns nginx link0 link1
iface link0 inet static
    address 100.64.0.0/31
END
cat >>/etc/netns/nginx/network/interfaces <<'END'
auto link1
iface link1 inet static
    address 100.64.0.1/31
END
netns_conf nginx
systemctl start nginx
check_exit 'a machine that is well' 0 systemd-netns doctor
check_is 'each part is good' 6 "$(systemd-netns doctor | grep -c ': good$')"
check_is 'programs are told the same' '6 0' "$(systemd-netns doctor --json | jq -r '"\(length) \(map(.findings[]) | length)"')"

# remedy WORD: runs what the doctor says to do, of what is found with that word in it.
remedy() {
    systemd-netns doctor 2>/dev/null | awk -v word="$1" '
        /^    (wrong|hint): / { inside = index($0, word) > 0; next }
        /^[^ ]/ { inside = 0 }
        inside && /^        / { print substr($0, 9) }' >/run/remedy
    [ -s /run/remedy ] && bash -euxo pipefail /run/remedy
}
# wrong NAME WORD: it is found, and the status says so; put right, all is well.
wrong() {
    check_has "$1 is found" "$2" systemd-netns doctor
    check_exit "$1 is wrong" 1 systemd-netns doctor
    check "$1 is put right" remedy "$2"
    check_exit "$1 is right then" 0 systemd-netns doctor
}

printf '[publish own]\nAddress = 127.0.0.1\nPort = 8080\nTo = 100.64.0.1:80\n' >/etc/netns/nginx/network/nat
systemctl reload systemd-netns@nginx
check 'nginx is reached at the loopback of the host' curl -fsS -o /dev/null --max-time 5 http://127.0.0.1:8080/
nft flush ruleset
wrong 'a table that somebody flushed' 'nothing guards 127.0.0.1 from those on its links'
rm /etc/netns/nginx/network/nat
systemctl reload systemd-netns@nginx

sleeper app
mkdir -p /etc/systemd/system/app.service.d
printf '[Unit]\nBindsTo=systemd-netns@nginx.service\nAfter=systemd-netns@nginx.service\n' \
    >/etc/systemd/system/app.service.d/other.conf
systemctl daemon-reload
systemctl start app
wrong 'a service that is bound and outside' 'app.service bypasses its namespace nginx'
check_is 'it is inside now' "$(inode_of nginx)" "$(netns_of "$(main_pid app)")"
systemctl stop app
rm -r /etc/systemd/system/app.service.d

mkdir -p /etc/systemd/system/app.service.d
printf '[Service]\nNetworkNamespacePath=/run/netns/nginx\n# see systemd-netns@nginx.service\n' >/etc/systemd/system/app.service.d/other.conf
systemctl daemon-reload
wrong 'a service that is inside and not bound' 'is not bound to it'
systemctl stop app
rm -r /etc/systemd/system/app.service.d
systemctl daemon-reload

sleeper app
systemd-netns enable app --netns nginx
systemctl start app
echo '# new' >>/etc/systemd/system/app.service
touch -d '+1 min' /etc/systemd/system/app.service
wrong 'a unit that was not read again' 'newer than what systemd has read'

systemctl stop app
printf '[Socket]\nListenStream=8080\n' >/etc/systemd/system/app.socket
systemctl daemon-reload
systemctl start app.socket
check_has 'a socket in the host is hinted at' 'app.socket, which starts app.service, listens in the host' systemd-netns doctor
check_exit 'which is not wrong' 0 systemd-netns doctor
check_is 'nor for programs' '["services",false,4]' \
    "$(systemd-netns doctor --json | jq -c '.[] | .check as $c | .findings[] | [$c, .wrong, (.remedy | length)]')"
check 'the hint can be followed' remedy 'app.socket, which starts'
check_is 'it listens inside then' '' "$(systemd-netns doctor | grep app.socket)"
check_has 'indeed' ':8080' ip netns exec nginx ss -Hltn
systemctl stop app.socket
rm -r /etc/systemd/system/app.socket /etc/systemd/system/app.socket.d
systemd-netns disable app

chmod o+w /etc/netns/nginx/network/interfaces
wrong 'a file that anybody may write to' 'can be changed by others than root'

systemctl stop nginx
eventually inactive systemd-netns@nginx
write /etc/netns/own/network/interfaces <<<'auto lo'
systemd-netns start own
ip netns delete own
wrong 'a namespace that somebody else deleted' 'somebody else deleted the namespace own'
systemctl stop systemd-netns@own
eventually inactive systemd-netns@own
systemd-netns start own
record=/run/systemd-netns/own/record.json
jq '.progress = "unfinished"' $record >/run/unfinished
cp /run/unfinished $record
check_has 'what nobody has finished is found' 'was begun and not finished' systemd-netns doctor
check_exit 'unless somebody is at work' 0 flock /run/systemd-netns/own/lock systemd-netns doctor
systemd-netns stop own
rm -r /etc/netns/own

ip netns add nginx
check_has 'a namespace of somebody else' 'was not made by systemd-netns' systemd-netns doctor
remedy 'was not made by systemd-netns'
check_exit 'can be deleted' 0 systemd-netns doctor

write /etc/netns/bad/network/interfaces <<<'nonsense'
systemctl start systemd-netns@bad || true
check_has 'mistakes are found' 'bad has 1 mistake in its files' systemd-netns doctor
check_is 'by programs, too' 'systemd-netns check bad' \
    "$(systemd-netns doctor --json 2>/dev/null | jq -r '.[] | select(.check == "files") | .findings[] | select(.wrong) | .remedy[]')"
check_exit 'with the same status' 1 systemd-netns doctor --json
check_has 'and what failed for them' 'systemd-netns@bad.service failed (exit-code)' systemd-netns doctor
rm -r /etc/netns/bad
systemctl reset-failed
check_exit 'all is well again' 0 systemd-netns doctor

write /etc/netns/fast/network/interfaces <<'END'
auto dummy7
iface dummy7 inet manual
    link-type dummy
END
if unshare --net ip link add dummy7 type dummy 2>/dev/null; then
    skip 'a kind of link that the kernel has not got' "this machine's kernel has dummy links"
else
    check_has 'a kind of link that the kernel has not got' 'knows no links of kind dummy, which fast needs' systemd-netns doctor
    check_exit 'is wrong' 1 systemd-netns doctor
fi
rm -r /etc/netns/fast

systemctl start nginx
printf '[Match]\nName=*\n[Network]\nLinkLocalAddressing=no\nAddress=203.0.113.99/24\n' >/etc/systemd/network/50-all.network
systemctl start systemd-networkd
taken() { ip address show dev link0 | grep -q 203.0.113.99; }
eventually taken
wrong 'a link of ours that systemd-networkd configures' 'systemd-networkd configures link0 by /etc/systemd/network/50-all.network'
systemctl stop systemd-networkd.socket systemd-networkd
