#!/bin/bash
# boot: own
# The order of things at boot and at shutdown, as systemd has it, and that nothing waits for what cannot come.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0
write /etc/netns/nginx/network/interfaces <<'END'
auto eth0
iface eth0 inet static
    address 192.0.2.2/24
END
netns_conf nginx
unit=systemd-netns@nginx.service
after=" $(systemctl show -P After $unit) "
for name in network-pre.target network.target sysinit.target; do
    check "the namespace comes after $name" test "${after/ $name /}" != "$after"
done
check_has 'nginx comes after the namespace' $unit systemctl show -P After nginx
check_has 'and is bound to it' $unit systemctl show -P BindsTo nginx
check_has 'shutdown stops it' shutdown.target systemctl show -P Conflicts $unit
check_is 'it goes when unneeded' yes "$(systemctl show -P StopWhenUnneeded $unit)"

# A container has no udev, so device units never come: the start may not wait for one.
SECONDS=0
check 'nginx starts' systemctl start nginx
check 'without waiting for a device' test $SECONDS -lt 10

# systemd makes a unit for the mount of the namespace, and unmounts it at shutdown: not too early.
ordered() { systemctl show -P After $unit | grep -q run-netns-nginx.mount; }
check 'shutdown unmounts the namespace after its last use' eventually ordered

# No ordering cycle once everything is part of one start.
systemctl enable nginx 2>/dev/null
check_is 'systemd finds no cycle' '' "$(systemd-analyze verify --man=no multi-user.target 2>&1 | grep -i cycle || true)"
