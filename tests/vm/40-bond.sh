#!/bin/bash
# A bond of two NICs: when the link of the one that works goes down, what is under way goes on over the other.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0 eth1
before=$(snapshot)
netns_conf nginx
# Five seconds for this file.
head -c 500000 /dev/zero >/var/www/html/slow
write /etc/nginx/conf.d/slow.conf <<'END'
limit_rate 100k;
END
write /etc/netns/nginx/network/interfaces <<'END'
auto bond0
iface bond0 inet static
    address 192.0.2.2/24
    bond-slaves eth0 eth1
    bond-mode active-backup
    bond-primary eth0
    bond-miimon 100
END
bond() { ip -n nginx -j -d link show dev bond0 | jq -r "$1"; }
works() { [ "$(bond '.[0].linkinfo.info_data.active_slave')" = "$1" ]; }
mii() { ip -n nginx -j -d link show dev "$1" | jq -r '.[0].linkinfo.info_slave_data.mii_status'; }
broken() { [ "$(mii "$1")" = DOWN ]; }

check 'nginx starts on a bond' systemctl start nginx
check_is 'both NICs are its slaves' $'eth0\neth1' \
    "$(ip -n nginx -j link show master bond0 | jq -r '.[].ifname' | sort)"
check_is 'it is what the file says' 'active-backup 100 eth0' \
    "$(bond '.[0].linkinfo.info_data | "\(.mode) \(.miimon) \(.primary)"')"
check 'the first works' eventually works eth0
check 'nginx answers' fetch 192.0.2.2

lan curl -fsS -o /run/slow http://192.0.2.2/slow &
curl=$!
eventually test -s /run/slow
ip -n lan link set eth0 down
check 'the cable of the first is pulled' eventually broken eth0
check 'the second takes over' eventually works eth1
status=0
wait $curl || status=$?
check_is 'the transfer that was under way comes to its end' 0 $status
check_is 'complete' 500000 "$(stat -c %s /run/slow)"
check 'nginx answers' fetch 192.0.2.2
check 'the bond can be looked at' systemd-netns status nginx
check_is 'there is nothing to mend' '' "$(systemd-netns plan nginx | grep -v '^#' || true)"

ip -n lan link set eth0 up
check 'the first works again' eventually works eth0
ip -n lan link set eth1 down
check 'the cable of the second does not matter' fetch 192.0.2.2
ip -n lan link set eth1 up

check 'nginx stops' systemctl stop nginx
check 'the namespace goes' eventually inactive systemd-netns@nginx
udevadm settle
check_is 'the host is as it was' "$before" "$(snapshot)"

# A slave more while it runs, then one less.
write /etc/netns/nginx/network/interfaces <<'END'
auto bond0
iface bond0 inet static
    address 192.0.2.2/24
    bond-slaves eth1
    bond-mode active-backup
    bond-miimon 100
END
check 'nginx starts on a bond of one' systemctl start nginx
check 'the other NIC is still in the host' ip link show dev eth0
sed -i 's/slaves eth1/slaves eth0 eth1/' /etc/netns/nginx/network/interfaces
check 'the other joins' systemctl reload systemd-netns@nginx
check_is 'there are two' 2 "$(ip -n nginx -j link show master bond0 | jq length)"
sed -i 's/slaves eth0 eth1/slaves eth0/' /etc/netns/nginx/network/interfaces
check 'the first leaves' systemctl reload systemd-netns@nginx
check_is 'one is left' eth0 "$(ip -n nginx -j link show master bond0 | jq -r '.[].ifname')"
check 'nginx answers over it' fetch 192.0.2.2
check 'nginx stops' systemctl stop nginx
check 'the namespace goes' eventually inactive systemd-netns@nginx
udevadm settle
check_is 'the host is as it was' "$before" "$(snapshot)"
rm -f /etc/nginx/conf.d/slow.conf /var/www/html/slow
