#!/bin/bash
# timeout: 300
# firewalld and our tables side by side: neither touches the other's, whoever is started, reloaded or stopped first.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

if ! command -v firewall-cmd >/dev/null; then
    skip 'firewalld beside our tables' 'there is no firewalld in this root'
    exit 0
fi

nic=$(nic_with_mac 02:00:00:00:00:11)
lan_with "$(nic_with_mac 02:00:00:00:00:12)"
ip address replace 192.0.2.9/24 dev "$nic"
ip link set "$nic" up
write /etc/netns/intranet/network/links <<'END'
auto br1
iface br1
    address 10.1.1.1/24
    bridge_ports none
    bridge_fd 0
END
write /etc/netns/intranet/network/nat <<END
[masquerade]
From = 10.1.1.0/24
Link = $nic

[publish web]
Port = 8080
To = 10.1.1.7:80
END
write /etc/netns/nginx/network/interfaces <<'END'
auto br1..1
iface br1..1
    address 10.1.1.7/24
    gateway 10.1.1.1
END
netns_conf nginx

theirs() { nft -s list table inet firewalld; }
ours() { nft -s list table inet systemd-netns-nat-intranet; }
out() { ip netns exec nginx ping -q -c 1 -W 2 192.0.2.1; }

check 'firewalld starts' systemctl start firewalld
check_is 'it runs' running "$(firewall-cmd --state 2>&1)"
before=$(theirs)
check 'nginx starts' systemctl start nginx
check_is 'the table of firewalld is as it was' "$before" "$(theirs)"
mine=$(ours)
check 'the LAN reaches the published port: firewalld lets in what is led elsewhere' fetch 192.0.2.9:8080
check_not 'firewalld forwards nothing else, which is its business' out
check 'as its administrator one allows it' firewall-cmd --quiet --zone=trusted --change-interface=br1
# The LAN has no way to 10.1.1.0/24: who is answered there has the host's address.
check_is 'the LAN knows nothing of what is inside' '' "$(ip -n lan route show to match 10.1.1.7)"
check 'then what is inside gets out, with the address of the host' eventually out

check 'firewalld reloads' firewall-cmd --quiet --reload
check_is 'our table is as it was' "$mine" "$(ours)"
check 'the port is still published' fetch 192.0.2.9:8080
check_has 'nothing has drifted' 'up, as the files say' systemd-netns status intranet
before=$(theirs)
printf '[publish more]\nPort = 8081\nTo = 10.1.1.7:80\n' >>/etc/netns/intranet/network/nat
check 'we reload' systemctl reload systemd-netns@intranet
check_is 'the table of firewalld is as it was' "$before" "$(theirs)"
check 'another port is published' fetch 192.0.2.9:8081
mine=$(ours)
check 'firewalld stops' systemctl stop firewalld
check_is 'our table is as it was' "$mine" "$(ours)"
check 'firewalld starts again' systemctl start firewalld
# It has its name on the bus before its rules.
has_rules() { firewall-cmd --quiet --state && theirs >/dev/null; }
check 'and has its rules' eventually has_rules
check_is 'our table is as it was' "$mine" "$(ours)"
before=$(theirs)
systemctl stop nginx
stopped() { eventually inactive systemd-netns@intranet || eventually inactive systemd-netns@intranet; }
check 'we stop' stopped
check_is 'the table of firewalld is as it was' "$before" "$(theirs)"
check_is 'of ours there is none' '' "$(nft list tables | grep systemd-netns || true)"
systemctl stop firewalld
