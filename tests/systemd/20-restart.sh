#!/bin/bash
# Restarts of nginx, by hand and by Restart= after a crash, keep the namespace; a restart of the namespace takes nginx along.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0
write /etc/netns/nginx/network/interfaces <<'END'
auto eth0
iface eth0 inet static
    address 192.0.2.2/24
END
netns_conf nginx
write /etc/systemd/system/nginx.service.d/restart.conf <<'END'
[Service]
Restart=on-failure
RestartSec=1
END
systemctl daemon-reload
systemctl start nginx
inode=$(inode_of nginx)
invocation=$(systemctl show -P InvocationID systemd-netns@nginx)

same_namespace() {
    [ "$(inode_of nginx)" = "$inode" ] && [ "$(netns_of "$(main_pid nginx)")" = "$inode" ] &&
        [ "$(systemctl show -P InvocationID systemd-netns@nginx)" = "$invocation" ]
}

pid=$(main_pid nginx)
check 'nginx is restarted' systemctl restart nginx
check_not 'it is a new process' test "$(main_pid nginx)" = "$pid"
check 'in the same namespace, whose unit was not touched' same_namespace
check 'it answers' fetch 192.0.2.2

pid=$(main_pid nginx)
kill -KILL "$pid"
restarted() { [ "$(main_pid nginx)" != "$pid" ] && systemctl -q is-active nginx; }
check 'nginx is killed, and started again by systemd' eventually restarted
check 'in the same namespace, whose unit was not touched' same_namespace
check 'it answers' fetch 192.0.2.2

check 'nginx reloads' systemctl reload nginx
check 'in the same namespace' same_namespace

pid=$(main_pid nginx)
check 'the namespace is restarted' systemctl restart systemd-netns@nginx
check 'nginx came along' eventually restarted
check 'it answers' fetch 192.0.2.2

check 'a namespace that is enabled stays without nginx' systemctl enable systemd-netns@nginx
systemctl stop nginx
sleep 1
check 'it is still there' systemctl is-active systemd-netns@nginx
systemctl disable systemd-netns@nginx 2>/dev/null
check 'and stops by hand' systemctl stop systemd-netns@nginx
