#!/bin/bash
# The examples of the README of the Python systemd-netns-helper, as they stand there; `...` is filled in.
# Its VLAN is in vm/10-vlan.sh, for want of 802.1Q in the kernel that containers share.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0 eth1
before=$(snapshot)
sleeper service1
sleeper service2

# "Base configuration" and "What if I want to communicate with the namespace?"
write /etc/network/interfaces <<'END'
	auto lo
	iface lo inet loopback
	
	auto eth1
	iface eth1 inet static
	   address 192.0.2.9/24

	link-netns service1 link0 link1
	iface link0 inet static
	  address 100.64.0.0/31
END
# "Per-service network configuration"
write /etc/netns/nginx/network/interfaces <<'END'
	auto lo
	iface lo inet loopback
	
	auto eth0
	iface eth0 inet static
	   address 192.0.2.2/24
END
write /etc/netns/service1/network/interfaces <<'END'
	auto link1
	iface link1 inet static
	  address 100.64.0.1/31
END

# "Per-service systemd configuration"
mkdir /etc/systemd/system/nginx.service.d
ln -s /usr/share/systemd-netns-helper/netns.conf /etc/systemd/system/nginx.service.d/
mkdir /etc/systemd/system/service1.service.d
ln -s /usr/share/systemd-netns-helper/netns.conf /etc/systemd/system/service1.service.d/

# "What if I want to run several services on the same interface?"
mkdir /etc/systemd/system/service2.service.d
write /etc/systemd/system/service2.service.d/netns.conf <<'END'
	[Unit]
	BindsTo=systemd-netns@service1.service
	After=systemd-netns@service1.service
	
	[Service]
	NetworkNamespacePath=/run/netns/service1
END
write /etc/systemd/system/service1.service.d/deps.conf <<'END'
	[Service]
	ExecStartPost=+/bin/systemctl restart service2
END

# "Re-launching the service"
systemctl stop nginx.service
systemctl daemon-reload
check 'nginx starts' systemctl start nginx.service
check 'it answers' fetch 192.0.2.2
# "Controlling the behavior"
check_is 'ip netns pids lists all of nginx' "$(pgrep -x nginx | sort)" "$(ip netns pids nginx | sort)"

check 'service1 starts' systemctl start service1
check 'and service2 with it' systemctl is-active service2
check_is 'in the same namespace' "$(inode_of service1)" "$(netns_of "$(main_pid service2)")"
check 'the host talks to it' ping -c 1 -W 2 100.64.0.1
check 'the commands of the Python tool still work: start' systemd-netns start service1
check 'service1 restarts' systemctl restart service1
check_is 'in the same namespace' "$(inode_of service1)" "$(netns_of "$(main_pid service1)")"

systemctl stop nginx service1 service2
check 'all stop' eventually inactive systemd-netns@service1
check 'all stop' eventually inactive systemd-netns@nginx
check_is 'the machine is as it was' "$before" "$(snapshot)"
