#!/bin/bash
# Namespaces and links that this program did not make or take are never touched.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

netns_conf nginx
lan_nic eth0
write /etc/netns/nginx/network/interfaces <<'END'
auto eth0
iface eth0 inet static
    address 192.0.2.2/24
END
ip netns add nginx
ip -n nginx link add mine type bridge
inode=$(inode_of nginx)
before=$(snapshot)

check_not 'nginx does not start over a namespace of somebody else' systemctl start nginx
check_has 'the log says why' '/run/netns/nginx' journalctl -o cat -u systemd-netns@nginx
check_is 'the namespace is still there' "$inode" "$(inode_of nginx)"
check 'with what was in it' ip -n nginx link show dev mine
check_is 'the host is as it was' "$before" "$(snapshot)"
# Whether these call it a failure or nothing to do is theirs.
systemd-netns stop nginx || true
check_is 'stop leaves it alone' "$inode" "$(inode_of nginx)"
systemd-netns delete nginx || true
check_is 'so does delete' "$inode" "$(inode_of nginx)"

ip netns delete nginx
check 'nginx starts when it has gone' systemctl start nginx
# Somebody replaces the namespace behind our back.
ip netns delete nginx
ip netns add nginx
inode=$(inode_of nginx)
systemctl stop nginx
eventually eval '! systemctl -q is-active systemd-netns@nginx'
check_is 'a namespace that took the name since then stays' "$inode" "$(inode_of nginx)"
ip netns delete nginx
