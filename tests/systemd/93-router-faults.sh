#!/bin/bash
# Whatever becomes of a router, of its devices and of what they stand on: connections go on, and it is said what happened.
. /tests/lib/assert.sh
. /tests/lib/machine.sh
. /tests/lib/router.sh

web_in_lan
before=$(everything)
service=systemd-netns-router@emperor0.service socket=systemd-netns-router@emperor0.socket
device=systemd-netns-device@app:tun0.service file=/run/systemd-netns/router/emperor0.sock
emperor0
tuntap app 192.168.0.2/24
tuntap other 192.168.0.3/24
web_service app
sleeper other
netns_conf other
systemctl start app other
# Not of the services: they go on when these are restarted.
transfer_begin app
transfer_begin other

is_another() { [ "$(main_pid "$1")" != "$2" ] && [ "$(main_pid "$1")" != 0 ]; }
says() { journal -u "$1" | grep -qF -e "$2"; }
both_are_in() { peer_is_in 192.168.0.2 && peer_is_in 192.168.0.3; }
# all_go_on WHAT: everybody is in, the connections of before go on, new ones come about.
all_go_on() {
    new_ones_come "$1"
    check "$1: connections go on" transfer_goes_on app other
}
new_ones_come() {
    check "$1: both are in" eventually both_are_in
    check_is "$1: the service is reached" "app's page" "$(curl -fsS --connect-timeout 5 http://192.168.0.2/)"
}
# drop_in LINE…: for the router's unit.
drop_in() {
    printf '[Service]\n' | cat - <(printf '%s\n' "$@") | write /run/systemd/system/$service.d/test.conf
    systemctl daemon-reload
}

what='the router is restarted' pid=$(main_pid $service)
mark
check "$what" systemctl restart $service
check "$what: it is another" is_another $service "$pid"
all_go_on "$what"
check "$what: what holds the device has said so" says $device 'the router is gone'
check "$what: and that it is back" says $device 'is connected to the router'

what='the router is killed' pid=$(main_pid $service)
mark
kill -9 "$pid"
check "$what: another comes" eventually is_another $service "$pid"
all_go_on "$what"
check "$what: it is said" says $service 'status=9/KILL'

what='the package is installed again' pid=$(main_pid $service)
check "$what" dpkg --install /package.deb
check_is "$what: the router goes on" "$pid" "$(main_pid $service)"
all_go_on "$what"
check "$what: the router is restarted" systemctl restart $service
check "$what: it is the new one" test /proc/"$(main_pid $service)"/exe -ef /usr/sbin/systemd-netns
all_go_on "$what, and the router restarted"

what='the router hangs'
drop_in WatchdogSec=1s
systemctl restart $service
eventually both_are_in
mark
pid=$(main_pid $service)
kill -STOP "$pid"
check "$what: another comes" eventually is_another $service "$pid"
all_go_on "$what"
check "$what: it is said" says $service 'Watchdog timeout'

what='io_uring is forbidden'
mark
drop_in SystemCallFilter=~io_uring_setup
check "$what: the router starts" systemctl restart $service
check "$what: it says how it goes on" says $service 'packets go by epoll'
check_is "$what: statistics do so too" epoll "$(figures | jq -r .way)"
all_go_on "$what"
rm -r /run/systemd/system/$service.d
systemctl daemon-reload
mark
systemctl restart $service
check "$what, and no longer: io_uring is back" says $service 'packets go by io_uring'
all_go_on "$what, and no longer"

what='the device'\''s unit is restarted' pid=$(main_pid $device)
mark
check "$what" systemctl restart $device
check "$what: it is another" is_another $device "$pid"
all_go_on "$what"
check "$what: the router has seen it go" says $service 'is gone'
check "$what: and come" says $service 'is in: pid'

what='what holds the device is killed' pid=$(main_pid $device)
mark
kill -9 "$pid"
check "$what: another comes" eventually is_another $device "$pid"
all_go_on "$what"
check "$what: it is said" says $device 'status=9/KILL'

what='the service is restarted' inode=$(inode_of app)
check "$what" systemctl restart app
check_is "$what: in the same namespace" "$inode" "$(netns_of "$(main_pid app)")"
all_go_on "$what"

what='the router'\''s device goes down and up'
ip link set emperor0 down
check_not "$what: nobody is reached" curl -fsS --connect-timeout 1 http://192.168.0.2/
ip link set emperor0 up
all_go_on "$what"

what='the namespace'\''s device goes down and up'
ip -n app link set tun0 down
check_has "$what: status shows it" 'ip -n app link set dev tun0 up' systemd-netns status app
ip -n app link set tun0 up
# As with any NIC, its routes are gone.
check "$what: a reload brings them back" systemctl reload systemd-netns@app
all_go_on "$what"

what='the router'\''s device is deleted'
mark
ip link delete emperor0
check "$what: it is made anew" eventually ip link show dev emperor0
new_ones_come "$what"
check "$what: it is said" says $service "the router's device is gone"
check "$what: connections go on" transfer_goes_on app other

what='the namespace'\''s device is deleted'
mark
ip -n app link delete tun0
check "$what: another's connection goes on" transfer_goes_on other
check "$what: the router says so" eventually says $service 'its device is gone'
check "$what: a reload makes it anew" systemctl reload systemd-netns@app
all_go_on "$what"

what='an address is taken'
tuntap third 192.168.0.2/24
sleeper third
netns_conf third
mark
check_not "$what: the second service does not start" systemctl start third
check "$what: why is said" says systemd-netns@third 'the router refused tun0: the address 192.168.0.2 is held by another peer (pid '
check_not "$what: nothing of it stays" test -e /run/netns/third
check_is "$what: nothing holds its device" '' "$(systemctl list-units --plain --no-legend --all 'systemd-netns-device@third*')"
all_go_on "$what"
tuntap third 192.168.0.4/24
check "$what: with another it starts" systemctl start third
systemctl stop third

what='the socket'\''s file is deleted'
mark
rm $file
check "$what: a connection goes on" transfer_goes_on app
check "$what: it is made anew" eventually test -S $file
check "$what: it is said" says $service "$file is gone"
all_go_on "$what"
rm $file
check "$what: another service starts all the same" systemctl start third
all_go_on "$what, and another service has come"
rm $file
systemctl restart $service
all_go_on "$what, and the router restarted"
systemctl stop third

what='the router'\''s file gets a mistake'
mark
emperor0 'Adress = 192.168.0.1/24'
check_not "$what: it does not start again" systemctl restart $service
check "$what: file and line are said" says $service 'emperor0.conf:2:1: error: unknown key `Adress`'
check_not "$what: services go on without" curl -fsS --connect-timeout 1 http://192.168.0.2/
check "$what: what holds the device waits" systemctl is-active $device app
emperor0
all_go_on "$what, which is mended"

# The namespace itself ends what is in it.
what='the namespace is restarted' inode=$(inode_of app)
check "$what" systemctl restart systemd-netns@app
check "$what: the service is there again" eventually systemctl is-active app
check_not "$what: in another namespace" test "$inode" = "$(netns_of "$(main_pid app)")"
new_ones_come "$what"
check "$what: another's connection goes on" transfer_goes_on other
check 'a connection that lasted through it all ends, and nothing of it is lost' transfer_end other

# With the router's masquerading connections that it made go too.
what='the router has failed and is stopped'
emperor0 'Adress = 192.168.0.1/24'
check_not "$what: it does not start again" systemctl restart $service
check "$what: its device stays" ip link show dev emperor0
systemctl stop $socket $service
check_not "$what: its device goes" ip link show dev emperor0
emperor0
systemctl start $socket
new_ones_come "$what, and started again"

what='the router is gone for long'
mark
systemctl stop $socket $service
check "$what: what holds the device says so" eventually says $device "connect to the router at $file"
check "$what: it waits" systemctl is-active $device app
check_has "$what: status of the unit says so" "$file" systemctl status $device
check "$what: it comes back" systemctl start $socket
new_ones_come "$what, and comes back"

rm /etc/systemd-netns/router/emperor0.conf
systemctl stop app other
check 'the namespaces go without the router'\''s file' eventually inactive systemd-netns@app systemd-netns@other
check 'so does the router' systemctl stop $socket $service
check_is 'the machine is as it was' "$before" "$(everything)"
