#!/bin/bash
# The program is killed in the middle of a start: systemd cleans up by ExecStopPost=, and the next start works.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0
ip link set eth0 up
ip address add 198.51.100.2/24 dev eth0
netns_conf nginx
before=$(snapshot)
write /etc/netns/nginx/network/interfaces <<'END'
auto eth0
iface eth0 inet static
    address 192.0.2.2/24
    up touch /run/in-the-middle; test -e /run/no-wait || sleep 60
END

rm -f /run/in-the-middle
systemctl start --no-block nginx
eventually test -e /run/in-the-middle
check_is 'the start is under way' activating "$(systemctl show -P ActiveState systemd-netns@nginx)"
kill -KILL "$(main_pid systemd-netns@nginx)"
failed() { [ "$(systemctl show -P ActiveState systemd-netns@nginx)" = failed ]; }
check 'killed, the unit has failed' eventually failed
check_is 'the machine is as it was' "$before" "$(snapshot)"
check_not 'no namespace is left' test -e /run/netns/nginx
check_not 'no hook is left' pgrep -x sleep

# Killed outside of systemd, where nothing cleans up.
rm -f /run/in-the-middle
systemd-netns start nginx &
pid=$!
eventually test -e /run/in-the-middle
kill -KILL $pid
wait $pid 2>/dev/null || true
check 'killed by hand, stop finishes the job' systemd-netns stop nginx
check_is 'the machine is as it was' "$before" "$(snapshot)"
check 'stop again does nothing' systemd-netns stop nginx

rm -f /run/in-the-middle
systemd-netns start nginx &
pid=$!
eventually test -e /run/in-the-middle
kill -KILL $pid
wait $pid 2>/dev/null || true
touch /run/no-wait
check 'killed by hand, start finishes the job' systemctl start nginx
check 'nginx answers' fetch 192.0.2.2
systemctl stop nginx
check 'the namespace goes' eventually inactive systemd-netns@nginx
check_is 'the machine is as it was' "$before" "$(snapshot)"
rm -f /run/no-wait /run/in-the-middle
