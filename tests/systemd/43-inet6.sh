#!/bin/bash
# IPv6 from the network: addresses that a router advertises (radvd, dnsmasq), and DHCPv6, stateless and stateful.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0
ip link set eth0 address 02:00:00:00:00:02
netns_conf nginx
stanza() { { echo 'auto eth0' && printf '%s\n' "$@"; } >/etc/netns/nginx/network/interfaces; }
mkdir -p /etc/netns/nginx/network
own=2001:db8::ff:fe00:2
autoconfigured() { ip -n nginx -6 address show dev eth0 -tentative | grep -q "inet6 $own/64"; }
leased() { ip -n nginx -6 address show dev eth0 | grep -q 'inet6 2001:db8::1[0-9a-f][0-9a-f]/128'; }

cat >/run/radvd.conf <<'END'
interface switch {
    AdvSendAdvert on;
    MinRtrAdvInterval 3;
    MaxRtrAdvInterval 4;
    prefix 2001:db8::/64 { };
};
END
systemd-run --quiet --unit=lan-radvd ip netns exec lan radvd -n -C /run/radvd.conf -p /run/radvd.pid
stanza 'iface eth0 inet6 auto' '  privext 0'
check 'auto: nginx starts' systemctl start nginx
check 'auto: the address is that of the prefix and the NIC' eventually autoconfigured
check_has 'auto: and the router that advertises' 'proto ra' ip -n nginx -6 route show default
check_is 'auto: advertisements are taken by routers too, as ifupdown has it' 2 \
    "$(ip netns exec nginx sysctl -n net.ipv6.conf.eth0.accept_ra)"
check 'auto: nginx answers' fetch "[$own]"
check_is 'auto: a plan has nothing to do' '' "$(systemd-netns plan nginx | grep -v '^#' || true)"
systemctl stop nginx
stanza 'iface eth0 inet6 auto' '  accept_ra 0'
check 'auto, accept_ra 0: nginx starts' systemctl start nginx
sleep 5
check_not 'auto, accept_ra 0: no address comes' autoconfigured
systemctl stop nginx lan-radvd
eventually inactive systemd-netns@nginx

lan_dnsmasq --enable-ra --dhcp-range=2001:db8::100,2001:db8::1ff,slaac,64,1h \
    '--dhcp-option=option6:dns-server,[2001:db8::1]' --dhcp-option=option6:domain-search,six.example
for client in dhcpcd dhclient; do
    stanza 'iface eth0 inet6 dhcp' "  dhcp-client $client"
    : >/run/dnsmasq.log
    check "$client: nginx starts" systemctl start nginx
    check "$client: a leased address is there" leased
    check "$client: an autoconfigured one comes as well" eventually autoconfigured
    check_has "$client: nginx has the name server" 'nameserver 2001:db8::1' cat "/proc/$(main_pid nginx)/root/etc/resolv.conf"
    check_has "$client: and the domain" 'six.example' cat "/proc/$(main_pid nginx)/root/etc/resolv.conf"
    check "$client: nginx answers" fetch "[$own]"
    systemctl stop nginx
    check "$client: the namespace goes" eventually inactive systemd-netns@nginx
    check_is "$client: the address is given back" 1 "$(served DHCPRELEASE)"

    stanza 'iface eth0 inet6 auto' '  dhcp 1' "  dhcp-client $client"
    check "$client, stateless: nginx starts" systemctl start nginx
    check "$client, stateless: an autoconfigured address comes" eventually autoconfigured
    check_not "$client, stateless: no other" leased
    check_has "$client, stateless: nginx has the name server" 'nameserver 2001:db8::1' \
        cat "/proc/$(main_pid nginx)/root/etc/resolv.conf"
    systemctl stop nginx
    eventually inactive systemd-netns@nginx
done
rm /run/radvd.conf
