#!/bin/bash
# A start that fails leaves everything as it was, says why, and the next start works without cleaning by hand.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0 eth1
ip address add 198.51.100.2/24 dev eth0
ip link set eth0 up
netns_conf nginx
before=$(snapshot)
log_of() { journalctl -o cat "_SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID systemd-netns@nginx)"; }

fails_and_leaves_nothing() {
    check_not "$1: nginx does not start" systemctl start nginx
    check_is "$1: the unit has failed" failed "$(systemctl show -P ActiveState systemd-netns@nginx)"
    check_not "$1: no namespace" test -e /run/netns/nginx
    check_not "$1: no record" test -e /run/systemd-netns/nginx
    check_is "$1: the machine is as it was" "$before" "$(snapshot)"
    systemctl stop nginx
}

write /etc/network/interfaces <<'END'
link-netns nginx link0 link1
iface link0 inet static
    address 100.64.0.0/31
END
write /etc/netns/nginx/network/interfaces <<'END'
auto eth0
iface eth0 inet static
    address 192.0.2.2/24
    up false

auto eth1
iface eth1 inet manual
END
fails_and_leaves_nothing 'a command fails'
check_has 'the log names the command' 'false' log_of

sed -i '/up false/d' /etc/netns/nginx/network/interfaces
sed -i 's/eth1/eth7/' /etc/netns/nginx/network/interfaces
fails_and_leaves_nothing 'a NIC is missing'
check_has 'the log names the NIC' 'eth7' log_of

sed -i 's/eth7/eth1/; s/manual/statik/' /etc/netns/nginx/network/interfaces
fails_and_leaves_nothing 'the file is wrong'
check_has 'the log has file, line and column' 'interfaces:6:' log_of
check_is 'the status is that of a wrong configuration' 78 "$(systemctl show -P ExecMainStatus systemd-netns@nginx)"

sed -i 's/statik/manual/' /etc/netns/nginx/network/interfaces
check 'a right file starts at once' systemctl start nginx
check 'nginx answers' fetch 192.0.2.2
