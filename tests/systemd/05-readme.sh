#!/bin/bash
# Every example of the README, copied and pasted. A machine of its kind: two NICs, a bridge br0, the services named there.
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
