#!/bin/bash
# Names of services pass through every layer as they are written: %i, %N, the folder in /etc/netns, /run/netns.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

for name in a-b 'foo\x2dbar' foo@bar 'foo@a\x2db' a_b.c; do
    file=$name
    case $name in *@*) file=${name%%@*}@ ;; esac
    write "/etc/netns/$name/network/interfaces" <<<'auto lo'
    echo "nameserver 203.0.113.9 # $name" | write "/etc/netns/$name/resolv.conf"
    sleeper "$file"
    netns_conf "$file"
    check "$name starts" systemctl start "$name.service"
    pid=$(main_pid "$name.service")
    check_is "$name: its namespace has its name" "$(inode_of "$name")" "$(netns_of "$pid")"
    check_is "$name: it sees its own resolv.conf" "nameserver 203.0.113.9 # $name" "$(cat "/proc/$pid/root/etc/resolv.conf")"
    check_has "$name: status knows it" "$name" systemd-netns status
    check "$name stops" systemctl stop "$name.service"
    check "$name: its namespace goes" eventually inactive "systemd-netns@$name.service"
    check_not "$name: nothing is left in /run/netns" test -e "/run/netns/$name"
done

check 'enable takes an instance' systemd-netns enable foo@bar
check 'it starts' systemctl start foo@bar
check_is 'it is inside' "$(inode_of foo@bar)" "$(netns_of "$(main_pid foo@bar)")"
