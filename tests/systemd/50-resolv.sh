#!/bin/bash
# What a service sees of resolv.conf, hosts and nsswitch.conf, whatever the host has in their place, and that caches
# and resolvers of the host are out of its reach.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

sleeper app
netns_conf app
write /etc/netns/app/network/interfaces <<<'auto lo'
seen() { cat "/proc/$(main_pid app)/root/etc/$1"; }
cp -a /etc/resolv.conf /etc/hosts /etc/nsswitch.conf /run/

check 'without files of its own it starts' systemctl start app
for file in resolv.conf hosts nsswitch.conf; do
    check_is "it sees the host's $file" "$(cat /etc/$file)" "$(seen $file)"
done

for file in resolv.conf hosts nsswitch.conf; do echo "# $file of app" >"/etc/netns/app/$file"; done
check 'with files of its own it starts' systemctl restart app
for file in resolv.conf hosts nsswitch.conf; do check_is "it sees its own $file" "# $file of app" "$(seen $file)"; done
check_not 'the host does not' grep -q 'of app' /etc/resolv.conf /etc/hosts /etc/nsswitch.conf
check_is 'the file is read-only to it' ro "$(findmnt -N "$(main_pid app)" -no OPTIONS /etc/resolv.conf | cut -d, -f1)"
check_has 'run sees them as well' '# hosts of app' systemd-netns run app -- cat /etc/hosts

mkdir -p /run/resolver
echo '# of the resolver' >/run/resolver/stub.conf
ln -sf ../run/resolver/stub.conf /etc/resolv.conf
check 'the host has a symlink there: it starts' systemctl restart app
check_is 'and sees its own' '# resolv.conf of app' "$(seen resolv.conf)"
check_is 'the host sees the resolver' '# of the resolver' "$(cat /etc/resolv.conf)"
rm -r /run/resolver
check 'the symlink dangles: it starts' systemctl restart app
check_is 'and sees its own' '# resolv.conf of app' "$(seen resolv.conf)"
rm -f /etc/resolv.conf
check 'the host has none: it starts' systemctl restart app
check_is 'and sees its own' '# resolv.conf of app' "$(seen resolv.conf)"
cp -a --remove-destination /run/resolv.conf /etc/

# Sockets as nscd and systemd-resolved make them; curl says 7 for a connection refused, 56 for an empty answer.
sockets="/run/nscd/socket /run/systemd/resolve/io.systemd.Resolve /run/avahi-daemon/socket"
for socket in $sockets; do
    unit=$(systemd-escape --path "$socket")
    printf '[Socket]\nListenStream=%s\nAccept=yes\n' "$socket" >"/run/systemd/system/$unit.socket"
    printf '[Service]\nExecStart=/bin/true\n' >"/run/systemd/system/$unit@.service"
    systemctl daemon-reload
    systemctl start "$unit.socket"
done
systemctl restart app
for socket in $sockets; do
    ask=(curl -s -m 2 --unix-socket "$socket" http://localhost/)
    check_exit "the host reaches $socket" 56 "${ask[@]}"
    check_exit "the service does not" 7 nsenter --mount --target "$(main_pid app)" "${ask[@]}"
done
for socket in $sockets; do
    unit=$(systemd-escape --path "$socket")
    systemctl stop "$unit.socket"
    rm -f "$socket" "/run/systemd/system/$unit.socket" "/run/systemd/system/$unit@.service"
done
