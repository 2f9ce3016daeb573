#!/bin/bash
# reload applies what has changed in the files while nginx runs on and its connections stay up.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0
write /etc/netns/nginx/network/interfaces <<'END'
auto eth0
iface eth0 inet static
    address 192.0.2.2/24
END
netns_conf nginx
# Five seconds for this file.
head -c 500000 /dev/zero >/var/www/html/slow
write /etc/nginx/conf.d/slow.conf <<'END'
limit_rate 100k;
END
systemctl start nginx
pid=$(main_pid nginx)
inode=$(inode_of nginx)

lan curl -fsS -o /run/slow http://192.0.2.2/slow &
curl=$!
eventually test -s /run/slow
cat >>/etc/netns/nginx/network/interfaces <<'END'

iface eth0 inet static
    address 192.0.2.3/24
    gateway 192.0.2.1
END
check 'the namespace is reloaded' systemctl reload systemd-netns@nginx
check_has 'the new address is there' '192.0.2.3/24' ip -n nginx address show dev eth0
check_has 'and the old one' '192.0.2.2/24' ip -n nginx address show dev eth0
check_has 'and the new route' 'default via 192.0.2.1' ip -n nginx route
check 'nginx answers on the new address' fetch 192.0.2.3
status=0
wait $curl || status=$?
check_is 'the transfer that was under way comes to its end' 0 $status
check_is 'complete' 500000 "$(stat -c %s /run/slow)"

sed -i '1,4{/address/s/2\/24/4\/24/}' /etc/netns/nginx/network/interfaces
check 'the first address is changed' systemctl reload systemd-netns@nginx
check 'nginx answers on it' fetch 192.0.2.4
check_not 'the old address has gone' grep -q 192.0.2.2/ <(ip -n nginx address)
check_is 'nginx is the same process' "$pid" "$(main_pid nginx)"
check_is 'the namespace is the same' "$inode" "$(inode_of nginx)"

# What the kernel says while a reload finds nothing to do: nothing.
settled() { ! ip -n nginx -6 address | grep -q tentative; }
eventually settled
ip -n nginx monitor link address route >/run/monitor &
monitor=$!
sleep 0.3
check 'a second reload is fine' systemctl reload systemd-netns@nginx
sleep 0.3
kill $monitor
wait $monitor 2>/dev/null || true
check_is 'and does nothing' '' "$(cat /run/monitor)"
check_is 'a plan says so too' '' "$(systemd-netns plan nginx | grep -v '^#' || true)"

echo 'iface eth0 inet statik' >>/etc/netns/nginx/network/interfaces
check_not 'a wrong file is refused' systemctl reload systemd-netns@nginx
check 'the namespace stays as it is' systemctl is-active systemd-netns@nginx nginx
check 'nginx answers' fetch 192.0.2.4
rm -f /etc/nginx/conf.d/slow.conf /var/www/html/slow
