#!/bin/bash
# A service whose NIC asks for its address: with each client a lease before the service starts, name servers, a client
# that systemd supervises, and a lease that is given back.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0
ip link set eth0 address 02:00:00:00:00:02
netns_conf nginx
lan_dnsmasq --dhcp-host=02:00:00:00:00:02,192.0.2.120
cp -a /etc/resolv.conf /run/resolv.conf.before
name=$(hostname)
unit='systemd-netns-dhcp@nginx:eth0:inet.service'
client_pid() { systemctl show -P MainPID "$unit"; }
has_address() { ip -n nginx address show dev eth0 | grep -q 'inet 192.0.2.120/24'; }

for client in dhcpcd dhclient udhcpc; do
    write /etc/netns/nginx/network/interfaces <<END
auto eth0
iface eth0 inet dhcp
    dhcp-client $client
    hostname host-of-$client
END
    since=$(date +%s.%N)
    : >/run/dnsmasq.log
    check "$client: nginx starts" systemctl start nginx
    check "$client: the address is there" has_address
    check_has "$client: it has an end" 'dynamic' ip -n nginx -4 address show dev eth0
    check_has "$client: so is the route" 'default via 192.0.2.1 dev eth0 proto dhcp' ip -n nginx route
    check "$client: the server was told the name" grep -q "host-of-$client" /run/dnsmasq.log
    check_has "$client: the start says what it waits for" "waiting for a DHCP lease on eth0 ($client), at most 60 s" \
        journalctl --no-pager --since "@$since" -u systemd-netns@nginx
    check_has "$client: nginx has the lease's name server" 'nameserver 192.0.2.1' cat "/proc/$(main_pid nginx)/root/etc/resolv.conf"
    check_has "$client: and its domain" 'example.org' cat "/proc/$(main_pid nginx)/root/etc/resolv.conf"
    check "$client: nginx answers" fetch 192.0.2.120
    check_is "$client: the client is a unit of its own" active "$(systemctl show -P ActiveState "$unit")"
    check_is "$client: in the namespace" "$(inode_of nginx)" "$(netns_of "$(client_pid)")"
    check "$client: the host's resolv.conf is as before" cmp /etc/resolv.conf /run/resolv.conf.before
    check_is "$client: so is the host's name" "$name" "$(hostname)"

    pid=$(client_pid)
    acks=$(served DHCPACK)
    check "$client: nginx is restarted" systemctl restart nginx
    check_is "$client: the client runs on" "$pid" "$(client_pid)"
    check "$client: the namespace is reloaded" systemctl reload systemd-netns@nginx
    check_is "$client: the client runs on" "$pid" "$(client_pid)"
    check_is "$client: nobody asked the server again" "$acks" "$(served DHCPACK)"

    kill -KILL "$pid"
    again() { systemctl -q is-active "$unit" && [ "$(client_pid)" != 0 ] && [ "$(client_pid)" != "$pid" ] && [ "$(served DHCPACK)" -gt "$acks" ] && has_address; }
    check "$client: it is killed, and systemd starts it again, which gets the same address" eventually again
    check "$client: nginx answers" fetch 192.0.2.120

    releases=$(served DHCPRELEASE)
    check "$client: nginx stops" systemctl stop nginx
    check "$client: the namespace goes" eventually inactive systemd-netns@nginx
    check_is "$client: the server is given the address back" $((releases + 1)) "$(served DHCPRELEASE)"
    check_is "$client: no unit is left" '' "$(systemctl list-units --all --plain --no-legend 'systemd-netns-dhcp@*')"
    check_not "$client: no file is left" test -e /run/systemd-netns/nginx
    check_not "$client: the NIC comes back without the address" grep -q 192.0.2.120 <(ip address show dev eth0)
done

# Without dhcp-client it is the first that is installed.
printf 'auto eth0\niface eth0 inet dhcp\n' >/etc/netns/nginx/network/interfaces
check_has 'the first client is dhcpcd' "systemctl start systemd-netns-dhcp@nginx:eth0:inet.service  # dhcpcd" systemd-netns plan nginx
check 'nginx starts' systemctl start nginx
check 'the namespace is restarted' systemctl restart systemd-netns@nginx
running() { systemctl -q is-active nginx && systemctl -q is-active "$unit" && has_address; }
check 'nginx came along, with a lease' eventually running

# Another stanza is another client, while the service runs on.
pid=$(main_pid nginx)
releases=$(served DHCPRELEASE)
printf 'auto eth0\niface eth0 inet static\n  address 192.0.2.77/24\n' >/etc/netns/nginx/network/interfaces
check 'a reload to a static address' systemctl reload systemd-netns@nginx
check_is 'the client ends' inactive "$(systemctl show -P ActiveState "$unit")"
check_is 'the server is given the address back' $((releases + 1)) "$(served DHCPRELEASE)"
check 'nginx answers on the other one' fetch 192.0.2.77
check_is 'nginx is the same process' "$pid" "$(main_pid nginx)"
