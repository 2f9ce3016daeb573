#!/bin/bash
# link-netns: a pair of links between the host and the namespace, from the host's file and from the namespace's own.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

before=$(snapshot)
sleeper service1
netns_conf service1

write /etc/network/interfaces <<'END'
auto lo
iface lo inet loopback

link-netns service1 link0 link1
iface link0 inet static
    address 100.64.0.0/31
END
write /etc/netns/service1/network/interfaces <<'END'
auto link1
iface link1 inet static
    address 100.64.0.1/31
END
check 'the service starts' systemctl start service1
check_has 'the host has its end with its address' '100.64.0.0/31' ip address show dev link0
check_has 'the namespace has the other' '100.64.0.1/31' ip -n service1 address show dev link1
check 'they talk' ping -c 1 -W 2 100.64.0.1
check_has 'lo is up without being named' 'LOOPBACK,UP' ip -n service1 link show dev lo
check 'the service stops' systemctl stop service1
check 'the namespace goes' eventually inactive systemd-netns@service1
check_is 'the pair has gone' "$before" "$(snapshot)"

# Inside an iface stanza, in a sourced file: link-netns is taken all the same.
write /etc/network/interfaces <<'END'
source interfaces.d/*
END
write /etc/network/interfaces.d/pair <<'END'
iface link0 inet static
    address 100.64.0.0/31
    link-netns service1 link0 link1
END
check 'it starts from a sourced file' systemctl start service1
check 'they talk' ping -c 1 -W 2 100.64.0.1
systemctl stop service1
eventually inactive systemd-netns@service1
rm -r /etc/network/interfaces.d

# A host without ifupdown's file, the pair in the namespace's own folder.
rm /etc/network/interfaces
write /etc/netns/service1/network/links <<'END'
link-netns service1 link0 link1
iface link0 inet static
    address 100.64.0.0/31
END
check 'it starts on a host without /etc/network/interfaces' systemctl start service1
check 'they talk' ping -c 1 -W 2 100.64.0.1
systemctl stop service1
eventually inactive systemd-netns@service1
check_is 'nothing is left' "$before" "$(snapshot)"
