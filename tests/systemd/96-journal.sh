#!/bin/bash
# The journal: a line for each change, with fields that can be searched for and explanations; what people read is as it was.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0
write /etc/netns/nginx/network/interfaces <<'END'
auto eth0
iface eth0 inet static
    address 192.0.2.2/24
    gateway 192.0.2.1
END
netns_conf nginx

# told MATCH…: the messages with those fields, since the script began.
since=$(date '+%F %T')
told() { journalctl --sync && journalctl --quiet --no-pager --since "$since" -o cat "$@"; }
fields() { journalctl --sync && journalctl --quiet --no-pager --since "$since" -o json "$@"; }

systemctl start nginx
check_has 'the move of the NIC is told' 'ip link set dev eth0 netns nginx' told NETNS=nginx LINK=eth0 OP=move-link
check_has 'so is its address' '192.0.2.2/24' told NETNS=nginx LINK=eth0 OP=add-address
check_has 'so is the default route' '192.0.2.1' told NETNS=nginx OP=add-route
check_is 'each line has an ID that the catalog knows' '' \
    "$(comm -23 <(fields NETNS=nginx | jq -r .MESSAGE_ID | sort -u) <(journalctl --list-catalog | cut -d' ' -f1 | sort))"
check_has 'that it is up is told with its summary' 'nginx is up: 1 link moved in, 1 address added, 1 route set' \
    told NETNS=nginx OP=start
check_is 'once' 1 "$(told --unit systemd-netns@nginx | grep -c 'nginx is up: ')"
check_has 'journalctl -x explains' 'Subject: The network namespace nginx is up' \
    journalctl --no-pager --catalog --since "$since" NETNS=nginx
check_not 'no text lacks a field' eval "journalctl --no-pager --catalog --since '$since' NETNS=nginx | grep -E '(ABOUT|OP)\\b' | grep Subject"
check_is 'it is all of the unit' systemd-netns@nginx.service "$(fields NETNS=nginx | jq -r ._SYSTEMD_UNIT | sort -u)"
check_is 'by one name' systemd-netns "$(fields NETNS=nginx | jq -r .SYSLOG_IDENTIFIER | sort -u)"

sed -i 's|192.0.2.2/24|192.0.2.3/24|' /etc/netns/nginx/network/interfaces
systemctl reload systemd-netns@nginx
check_has 'a reload tells what it changes' 192.0.2.3/24 told NETNS=nginx OP=add-address
check_has 'and that it is done' 'nginx is in line with its files' told NETNS=nginx OP=reload
systemctl stop nginx
eventually inactive systemd-netns@nginx
check_has 'a stop too' 'nginx is down: ' told NETNS=nginx OP=stop

write /etc/netns/bad/network/interfaces <<'END'
auto eth0
iface eth0 inet static
    address 192.0.2.2/24
    up ip route add 203.0.113.0/24 via 198.51.100.1
END
check_not 'a start fails' systemctl start systemd-netns@bad
check_has 'the command that failed is told' 'ended with status' told NETNS=bad OP=run PRIORITY=3
check_has 'so is that the start did' 'post-up command of eth0 ended with status' told NETNS=bad OP=start PRIORITY=3

# Of a plan with very many changes not each is told.
{
    printf 'auto br7\niface br7 inet static\n    bridge_ports none\n    bridge_fd 0\n'
    for n in $(seq 700); do printf '    address 10.7.%s.%s/32\n' $((n / 250)) $((n % 250 + 1)); done
} | write /etc/netns/big/network/interfaces
sleeper big
netns_conf big
systemctl start big
check_has 'very many changes are summed up' ' more changes' told NETNS=big OP=more
check_is 'after the first ones' 500 "$(fields NETNS=big MESSAGE_ID=e5b8c56dcd694dcf884c95778e1aeafb | jq -r .OP | grep -cv more)"
systemctl stop big
eventually inactive systemd-netns@big

# Commands typed by hand speak to who typed them.
systemd-netns start nginx 2>/run/said
check_has 'by hand it is said where it was typed' 'nginx is up: ' cat /run/said
systemd-netns stop nginx
