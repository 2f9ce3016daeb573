#!/bin/bash
# enable and disable: the drop-in is there, systemd has read it, and both can be done again.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

sleeper app
write /etc/netns/app/network/interfaces <<<'auto lo'

check 'enable' systemd-netns enable app
check_has 'systemd knows already' 'systemd-netns@app.service' systemctl show -P BindsTo app
check 'enable again' systemd-netns enable app.service
check 'it starts' systemctl start app
check_is 'it is inside' "$(inode_of app)" "$(netns_of "$(main_pid app)")"
systemctl stop app

check 'disable' systemd-netns disable app
check_is 'systemd knows already' '' "$(systemctl show -P BindsTo app)"
check_not 'no drop-in is left' test -e /etc/systemd/system/app.service.d
check 'disable again' systemd-netns disable app
check 'it starts' systemctl start app
check_is 'in the host' "$(netns_of 1)" "$(netns_of "$(main_pid app)")"
systemctl stop app

# A drop-in of the administrator's own is not taken away.
write /etc/systemd/system/app.service.d/mine.conf <<<'[Service]'
check 'enable beside another drop-in' systemd-netns enable app
check 'disable' systemd-netns disable app
check 'the other drop-in is still there' test -e /etc/systemd/system/app.service.d/mine.conf
