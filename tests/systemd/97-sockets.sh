#!/bin/bash
# Sockets of the host that are handed to services inside: as descriptors to nginx, and through a proxy.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0
ip address add 192.0.2.9/24 dev eth0
ip link set eth0 up
netns_conf nginx
# Inside there is nothing but lo: no address of any network.
write /etc/netns/nginx/network/interfaces <<<'auto lo'
write /etc/netns/nginx/network/nat <<'END'
[socket web]
Listen = 192.0.2.9:8080

[socket proxied]
Listen = 192.0.2.9:8081, /run/nginx-proxied.sock
To = 127.0.0.1:80
END
write /etc/systemd/system/nginx.service.d/descriptor.conf <<'END'
[Service]
# It takes inherited sockets, and stays in the foreground then; its test of the file gets none.
Type=exec
ExecStartPre=
Environment=NGINX=3;
END
mkdir -p /etc/nginx/conf.d
write /etc/nginx/conf.d/handed.conf <<'END'
server {
    listen 192.0.2.9:8080;
    location / { return 200 "seen as $remote_addr\n"; }
}
END
ask() { lan curl -fsS --max-time 10 "http://192.0.2.9:$1/"; }
socket=systemd-netns-publish-nginx-web.socket

check 'publish' systemd-netns publish nginx
check 'systemd listens' systemctl -q is-active $socket
check 'systemd finds no fault in the units' \
    systemd-analyze verify --man=no /run/systemd/generator/systemd-netns-publish-nginx-{web,proxied}.socket
check_not 'nothing runs yet' systemctl -q is-active nginx
check_is 'the first one who asks starts nginx, which sees who that is' 'seen as 192.0.2.1' "$(ask 8080)"
check_is 'it is in its namespace' "$(inode_of nginx)" "$(netns_of "$(main_pid nginx)")"
check_is 'where there is no way out' '' "$(ip -n nginx route)"
check_has 'status shows the sockets' 'socket web: 192.0.2.9:8080 to nginx.service' systemd-netns status nginx
check_is 'both listen' '[true,true]' "$(systemd-netns status nginx --json | jq -c '.[0].sockets | map(.active)')"
check 'the proxy passes on' ask 8081
check 'by a path as well' curl -fsS -o /dev/null --max-time 10 --unix-socket /run/nginx-proxied.sock http://nginx/
check_is 'the proxy is inside' "$(inode_of nginx)" "$(netns_of "$(main_pid systemd-netns-publish-nginx-proxied)")"
check 'once more, nothing changes' systemd-netns publish
check 'nginx restarts' systemctl restart nginx
check_is 'and has its descriptor again' 'seen as 192.0.2.1' "$(ask 8080)"
failed=0
for _ in $(seq 200); do ask 8080 >/dev/null || failed=$((failed + 1)); done
check_is '200 requests are answered' 0 $failed
check_is 'there are no rules, and nothing is forwarded' ' 0' "$(nft list tables) $(sysctl -n net.ipv4.ip_forward)"

sed -i '/^\[socket web\]/,/^$/d' /etc/netns/nginx/network/nat
check 'a socket is no longer in the file' systemd-netns publish nginx
check 'systemd listens no more' eventually inactive $socket
check 'the other one goes on' ask 8081
systemctl stop systemd-netns-publish-nginx-proxied.socket
check_has 'status says of one that does not listen what to do' '(does not listen; systemd-netns publish nginx)' systemd-netns status nginx
systemctl stop systemd-netns-publish-nginx-proxied.socket systemd-netns-publish-nginx-proxied.service nginx
check 'the namespace goes' eventually inactive systemd-netns@nginx
rm -f /etc/nginx/conf.d/handed.conf
