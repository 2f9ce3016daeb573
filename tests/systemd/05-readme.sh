#!/bin/bash
# Every example of the README and of the chapter on LANs, copied and pasted. A machine of its kind: two NICs, a bridge br0, the services
# named there.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

while read -r example; do
    if [ "$example" = 'an IPsec gateway' ]; then
        skip "README: $example" 'it needs Debian'\''s kernel; vm/50-xfrm.sh does it'
        continue
    fi
    lan_nic eth0 eth1
    ip link add br0 type bridge
    ip link set br0 up
    for service in service1 service2 app; do sleeper $service; done
    check "README: $example" bash -euxo pipefail -c "$(/tests/lib/readme /README.md "$example")"
    reset_machine
done < <(/tests/lib/readme /README.md)

# There the files make br0, and eth0 has the one address.
while read -r example; do
    lan_nic eth0
    [ "$example" = 'the NIC in a bridge' ] || ip address add 192.0.2.9/24 dev eth0
    ip link set eth0 up
    sleeper app
    check "chapter on LANs: $example" bash -euxo pipefail -c "$(/tests/lib/readme /lan.md "$example")"
    reset_machine
done < <(/tests/lib/readme /lan.md)
