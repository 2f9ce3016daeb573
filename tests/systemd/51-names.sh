#!/bin/bash
# A service keeps its own resolv.conf and hosts whatever the host does with its files, and asks nobody but its own name
# servers.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0
netns_conf app
sleeper app
write /etc/netns/app/network/interfaces <<'END'
auto eth0
iface eth0 inet static
    address 192.0.2.2/24
    dns-nameservers 192.0.2.1
    dns-search example.org
END
echo '# hosts of app' >/etc/netns/app/hosts
lan_dnsmasq --log-queries --address=/inside.example.org/192.0.2.99
cp -a /etc/resolv.conf /etc/hosts /run/
header="# Written by systemd-netns from the namespace's files and its leases."

seen() { cat "/proc/$(main_pid app)/root/etc/$1"; }
in_view() { nsenter --mount --net --target "$(main_pid app)" "$@"; }
own() { [ "$(seen resolv.conf | head -n 1)" = "$header" ]; }
own_hosts() { [ "$(seen hosts)" = '# hosts of app' ]; }

check 'it starts' systemctl start app
check_is 'it sees what the interfaces file says' "$header
search example.org
nameserver 192.0.2.1" "$(seen resolv.conf)"
check_has 'ip address of a name of its own server' 192.0.2.99 in_view getent hosts inside
check 'the server was asked' grep -q 'query\[A.*inside.example.org from 192.0.2.2' /run/dnsmasq.log
check_not 'the host does not know it' getent hosts inside.example.org
check_is 'the file is read-only to it' ro "$(findmnt -N "$(main_pid app)" -no OPTIONS /etc/resolv.conf | tail -n 1 | cut -d, -f1)"
check 'the watch is there' eventually systemctl -q is-active systemd-netns-names

# Each way in which a host replaces its file.
for i in 1 2 3; do
    echo "# $i" >/etc/resolv.conf.new
    mv /etc/resolv.conf.new /etc/resolv.conf
    cp /run/hosts /etc/hosts.new
    mv /etc/hosts.new /etc/hosts
    check "the host renames over its files ($i): the service has its own again" eventually own
    check "hosts too ($i)" eventually own_hosts
done
check_is 'the host has what was renamed there' '# 3' "$(cat /etc/resolv.conf)"
check_is 'it is read-only again' ro "$(findmnt -N "$(main_pid app)" -no OPTIONS /etc/resolv.conf | tail -n 1 | cut -d, -f1)"
for i in $(seq 50); do
    echo "# $i" >/etc/resolv.conf.new
    mv /etc/resolv.conf.new /etc/resolv.conf
done
check 'fifty times in a row' eventually own
mkdir -p /run/resolver
echo '# of the resolver' >/run/resolver/stub.conf
ln -s ../run/resolver/stub.conf /etc/resolv.conf.new
mv /etc/resolv.conf.new /etc/resolv.conf
check 'a symbolic link takes its place' eventually own
check_is 'the host sees the resolver' '# of the resolver' "$(cat /etc/resolv.conf)"
echo '# again' >/run/resolver/stub.new
mv /run/resolver/stub.new /run/resolver/stub.conf
check 'what the link points to is replaced' eventually own
rm -f /etc/resolv.conf
cp -a /run/resolv.conf /etc/resolv.conf.new
mv /etc/resolv.conf.new /etc/resolv.conf
check 'the file goes and comes' eventually own
check 'other files of the host are the host'\''s own, at once' \
    bash -c 'echo 1 >/etc/other.new && mv /etc/other.new /etc/other && [ "$(cat "/proc/$1/root/etc/other")" = 1 ] &&
        echo 2 >/etc/other.new && mv /etc/other.new /etc/other && [ "$(cat "/proc/$1/root/etc/other")" = 2 ]' - "$(main_pid app)"

# What the files say changes while the service runs.
sed -i 's/192.0.2.1$/192.0.2.3/' /etc/netns/app/network/interfaces
check 'another name server' systemctl reload systemd-netns@app
check_has 'the service has it' 'nameserver 192.0.2.3' seen resolv.conf
echo '# of the administrator' >/etc/netns/app/resolv.conf
sed -i 's/192.0.2.3$/192.0.2.4/' /etc/netns/app/network/interfaces
check 'the administrator writes a file, and reloads' systemctl reload systemd-netns@app
check_is 'which the running service has' '# of the administrator' "$(seen resolv.conf)"
systemctl restart app
check_is 'and a new one' '# of the administrator' "$(seen resolv.conf)"
rm /etc/netns/app/resolv.conf
systemctl restart systemd-netns@app
check 'without it the interfaces file counts' eventually own

# Who wants the host's names says so.
write /etc/systemd/system/app.service.d/zz-host.conf <<'END'
[Service]
BindReadOnlyPaths=
InaccessiblePaths=
END
systemctl daemon-reload
systemctl restart app
check_is 'an opt-out: the service sees the host'\''s file' "$(cat /etc/resolv.conf)" "$(seen resolv.conf)"
echo '# new' >/etc/resolv.conf.new
mv /etc/resolv.conf.new /etc/resolv.conf
sleep 1
check_is 'also when it is replaced' '# new' "$(seen resolv.conf)"

systemctl stop app
check 'the watch ends with the last namespace' eventually inactive systemd-netns-names
rm -rf /run/resolver /etc/other
cp -a --remove-destination /run/resolv.conf /run/hosts /etc/
