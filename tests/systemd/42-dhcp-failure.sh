#!/bin/bash
# Nobody answers: the start fails in time, says so, and leaves nothing behind; nor does one that is killed while it waits.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0
before=$(snapshot)
netns_conf nginx
unit='systemd-netns-dhcp@nginx:eth0:inet.service'

for client in dhcpcd dhclient udhcpc; do
    printf 'auto eth0\niface eth0 inet dhcp\n  dhcp-client %s\n  dhcp-timeout 2\n' $client >/etc/netns-file
    write /etc/netns/nginx/network/interfaces </etc/netns-file
    since=$(date +%s.%N)
    check_not "$client: nginx does not start" systemctl start nginx
    check_has "$client: the reason is told" 'a DHCP lease on eth0: no answer in 2 s' \
        journalctl --no-pager --since "@$since" -u systemd-netns@nginx
    check_not "$client: there is no namespace" test -e /run/netns/nginx
    check_not "$client: no client is left" systemctl is-active "$unit"
    check_is "$client: no unit is left" '' "$(systemctl list-units --all --plain --no-legend 'systemd-netns-dhcp@*')"
    check_is "$client: the NIC is back" "$before" "$(snapshot)"
done

printf 'auto eth0\niface eth0 inet dhcp\n  dhcp-client udhcpc\n' >/etc/netns/nginx/network/interfaces
systemctl --no-block start nginx
check 'a start waits for a lease' eventually systemctl -q is-active "$unit"
# Only it: a kill of the whole unit may hit the clean-up, too, which is then left to the next start.
kill -KILL "$(main_pid systemd-netns@nginx)"
gone() { ! systemctl -q is-active "$unit" && [ ! -e /run/netns/nginx ] && [ ! -e /run/systemd-netns/nginx ]; }
check 'it is killed, and nothing is left' eventually gone
check_is 'the NIC is back' "$before" "$(snapshot)"
rm /etc/netns-file
