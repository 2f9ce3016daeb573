#!/bin/bash
# Routing tunnels as units: a router that lets hosts in by TLS, with a key and passwords that only root may read, and two services
# that are hosts of it. One has its own device at it, the other is a peer of a second router that has an uplink.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

mkdir -p /etc/systemd-netns/router /etc/ssl/private
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=ca \
    -keyout /root/ca.key -out /etc/ssl/ca.pem 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=hub -addext subjectAltName=DNS:hub.example.org \
    -keyout /etc/ssl/private/hub.key -out /root/hub.csr 2>/dev/null
openssl x509 -req -in /root/hub.csr -CA /etc/ssl/ca.pem -CAkey /root/ca.key -days 2 -copy_extensions copy -out /etc/ssl/hub.pem 2>/dev/null
printf 'first\n' | tee /etc/systemd-netns/first >/etc/systemd-netns/one
printf 'second\n' >/etc/systemd-netns/second
chmod 600 /etc/ssl/private/hub.key /etc/systemd-netns/{first,second,one}

write /etc/systemd-netns/router/hub.conf <<'END'
[Router]
Statistics = /run/systemd-netns-router/hub/statistics.sock

[Tunnel]
Listen = 127.0.0.1:8443
Certificate = /etc/ssl/hub.pem
Key = /etc/ssl/private/hub.key
Default = office

[Table office]
Route =
    192.168.123.1 host-1
    192.168.124.0/24 host-2

[Client first]
User = first
PasswordFile = /etc/systemd-netns/first
Host = host-1

[Client second]
User = second
PasswordFile = /etc/systemd-netns/second
Host = host-2
END
write /etc/systemd-netns/router/branch.conf <<'END'
[Router]
Address = 192.168.124.1/24

[Uplink office]
Server = 127.0.0.1:8443
ServerName = hub.example.org
CA = /etc/ssl/ca.pem
Host = host-2
User = second
PasswordFile = /etc/systemd-netns/second
Route = 192.168.123.0/24
END
write /etc/netns/one/network/tuntap <<'END'
[Tuntap]
Router = tls://127.0.0.1:8443
ServerName = hub.example.org
CA = /etc/ssl/ca.pem
Host = host-1
User = first
PasswordFile = /etc/systemd-netns/one
Address = 192.168.123.1/24
Route = 192.168.124.0/24
DNS = 192.168.124.53
Domains = office.example.org
END
write /etc/netns/two/network/tuntap <<'END'
[Tuntap]
Router = branch
Address = 192.168.124.2/24
Gateway = 192.168.124.1
END
for service in one two; do
    sleeper "$service"
    netns_conf "$service"
done

check 'the files are right' systemd-netns check --router hub
check 'and the other router'"'"'s' systemd-netns check --router branch
check 'the hub starts' systemctl start systemd-netns-router@hub
check 'it is not root' test "$(stat -c %u "/proc/$(main_pid systemd-netns-router@hub)")" != 0
check_has 'its copies of secrets are for nobody else' '400' stat -Lc %a /run/systemd-netns-router/hub/secrets/*
check 'a service whose device is a host starts' systemctl start one
check 'a service of a router with an uplink starts' systemctl start two
inside() { ip netns exec "$@"; }
check 'the second reaches the first' eventually inside two ping -qc 1 -W 1 192.168.123.1
check 'and the first the second' inside one ping -qc 1 -W 1 192.168.124.2
names=$(systemd-netns run one -- cat /etc/resolv.conf)
check_has 'its name servers are those of its file' 'nameserver 192.168.124.53' echo "$names"
check_has 'and its domains' 'search office.example.org' echo "$names"
check_has 'status has the hosts' 'host host-1 at 127.0.0.1' systemd-netns status
check_has 'and the client by its name' 'client second' systemd-netns status
check_has 'and how far away they are' 'round trip' systemd-netns status

pid=$(main_pid systemd-netns-router@hub)
kill -9 "$pid"
check 'the hub comes back' eventually systemctl is-active systemd-netns-router@hub
check 'and so do its hosts' eventually inside one ping -qc 1 -W 1 192.168.124.2

sed -i 's/192.168.124.0\/24 host-2/192.168.124.0\/25 host-2/' /etc/systemd-netns/router/hub.conf
printf 'changed\n' >/etc/systemd-netns/first
check 'other passwords and routes are reloaded' systemctl reload systemd-netns-router@hub
check 'who has the old one is out' eventually sh -c 'systemd-netns status | grep -q "no client has user first"'
check_not 'the first is not reached any more' inside two ping -qc 1 -W 1 192.168.123.1
# Its own file is read again each time that it connects.
printf 'changed\n' >/etc/systemd-netns/one
check 'with the new one it is in again' eventually inside two ping -qc 1 -W 1 192.168.123.1
check 'all of it stops' systemctl stop one two systemd-netns-router@branch systemd-netns-router@hub
check_not 'no secret is left' test -e /run/systemd-netns-router/hub/secrets

# The guide for who comes from gost, copied and pasted. The server's address is this machine's.
reset_machine
began=$(date '+%F %T')
ip address add 203.0.113.1/32 dev lo
sleeper app
guide() { check "from gost: $1" bash -euxo pipefail -c "$(/tests/lib/readme /migrate-from-gost.md "$1")"; }
guide 'the server'
guide 'a client of one service'
said() { journalctl --quiet --output cat --unit "systemd-netns-router@$1" --since "$began" | grep "$2"; }
check 'the service is the host' eventually said hub 'is in: host host-1 at .*203.0.113.1'
systemctl stop app
guide 'a client of a whole host'
check 'the whole host is' eventually said office 'uplink hub is connected to 203.0.113.1:8443'
ip address delete 203.0.113.1/32 dev lo
