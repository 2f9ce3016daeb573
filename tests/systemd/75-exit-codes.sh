#!/bin/bash
# Exit codes: 0 done, 1 failed, 2 usage, 78 wrong configuration; what is wrong is said with its place in the file.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0
write /etc/netns/good/network/interfaces <<'END'
auto eth0
iface eth0 inet static
    address 192.0.2.2/24
END
write /etc/netns/bad/network/interfaces <<'END'
auto eth0
iface eth0 inet statik
    address 192.0.2.2/24

iface eth0 inet static
    address 192.0.2.999/24
END
check_exit 'check accepts a right file' 0 systemd-netns check good
check_exit 'check refuses a wrong one' 78 systemd-netns check bad
check_has 'it says where the method is wrong' '/etc/netns/bad/network/interfaces:2:17' systemd-netns check bad
check_has 'and where the address is, in one go' '/etc/netns/bad/network/interfaces:6:13' systemd-netns check bad
check_exit 'check of everything refuses too' 78 systemd-netns check
check_exit 'start refuses a wrong file' 78 systemd-netns start bad
check_not 'and makes nothing' test -e /run/netns/bad
check_exit 'no such namespace is a mistake of the configuration' 78 systemd-netns start none
check_exit 'no command is a mistake of usage' 2 systemd-netns
check_exit 'an unknown command too' 2 systemd-netns strat nginx
check_exit 'a missing name too' 2 systemd-netns start
check_exit 'a name that leaves its folder is refused' 2 systemd-netns start ../etc
check_exit 'help is not a mistake' 0 systemd-netns --help

# The kernel refuses: a next hop that cannot be reached.
sed -i '$a\    up ip route add 203.0.113.0/24 via 198.51.100.1' /etc/netns/good/network/interfaces
check_exit 'a failure of the system is 1' 1 systemd-netns start good
check_exit 'status works with nothing to show' 0 systemd-netns status
check 'and as JSON' eval 'systemd-netns status --json | jq -e .'

sed -i '$d' /etc/netns/good/network/interfaces
check_exit 'start' 0 systemd-netns start good
check_exit 'start again' 0 systemd-netns start good
check_exit 'run passes on the exit status' 7 systemd-netns run good -- sh -c 'exit 7'
check_has 'run is inside' 192.0.2.2 systemd-netns run good -- ip address
check_has 'status shows the address' 192.0.2.2 systemd-netns status good
check_has 'plan --stop says what it would do' eth0 systemd-netns plan good --stop
check_exit 'stop' 0 systemd-netns stop good
check_not 'all is gone' test -e /run/netns/good
