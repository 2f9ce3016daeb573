#!/bin/bash
# Several services in one namespace; it goes with the last of them.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0
write /etc/netns/service1/network/interfaces <<'END'
auto eth0
iface eth0 inet static
    address 192.0.2.2/24
END
sleeper service1
sleeper service2
sleeper service3
netns_conf service1
check 'service2 is put into the namespace of service1' systemd-netns enable service2 --netns service1
# As the Python tool's README says it is done by hand.
write /etc/systemd/system/service3.service.d/netns.conf <<'END'
[Unit]
BindsTo=systemd-netns@service1.service
After=systemd-netns@service1.service

[Service]
NetworkNamespacePath=/run/netns/service1
END
systemctl daemon-reload

check 'the second starts first' systemctl start service2
check 'then the others' systemctl start service1 service3
for service in service1 service2 service3; do
    check_is "$service is inside" "$(inode_of service1)" "$(netns_of "$(main_pid $service)")"
done
systemctl stop service1
sleep 0.5
check 'the namespace stays for the others' systemctl is-active systemd-netns@service1 service2 service3
systemctl stop service2 service3
check 'and goes with the last' eventually inactive systemd-netns@service1
check 'the NIC is back' ip link show dev eth0
