#!/bin/bash
# A router and services without a NIC: the README's two files, and what an administrator does with them afterwards.
. /tests/lib/assert.sh
. /tests/lib/machine.sh
. /tests/lib/router.sh

web_in_lan
# What the machine is like beside its links: all that a router touches.
before=$(everything)
mark
service=systemd-netns-router@emperor0.service socket=systemd-netns-router@emperor0.socket

# Mistakes are told with their places, and nothing comes of them.
mistake='router/emperor0.conf:2:1: error: unknown key `Adress`'
emperor0 'Adress = 192.168.0.1/24'
tuntap app 192.168.0.2/24
web_service app
check_exit 'check: a mistake in the router'\''s file' 78 systemd-netns check --router emperor0
check_not 'a mistake in the router'\''s file: it does not start' systemctl start $service
check_has 'its journal has file and line' "$mistake" journal -u $service
check_is 'it is not tried in a circle' 'failed 0' "$(systemctl show -P ActiveState $service) $(systemctl show -P NRestarts $service)"
check_not 'nor does a service' systemctl start app
check_has 'its journal has file and line' "$mistake" journal -u systemd-netns@app
emperor0
printf '[Tuntap]\nRouter = emperor0\nAddress = 192.168.0.2/33\n' >/etc/netns/app/network/tuntap
check_exit 'check: a mistake in the namespace'\''s file' 78 systemd-netns check app
check_not 'a mistake in the namespace'\''s file: the service does not start' systemctl start app
check_has 'the journal has file and line' 'app/network/tuntap:3:11: error:' journal -u systemd-netns@app
systemctl stop app $socket $service
systemctl reset-failed
check_is 'nothing has changed' "$before" "$(everything)"

# The two files, one command.
tuntap app 192.168.0.2/24
systemctl daemon-reload
check 'check: the router' systemd-netns check --router emperor0
check 'check: the namespace' systemd-netns check app
check_has 'plan: the router' 'ip tuntap add dev emperor0 mode tun' systemd-netns plan --router emperor0
check_has 'plan: the namespace' 'systemctl start systemd-netns-device@app:tun0.service' systemd-netns plan app
check_has 'status knows the router' 'router emperor0: not up' systemd-netns status
check_is 'plans change nothing' "$before" "$(everything)"
check 'start app' systemctl start app
check 'all of it runs' systemctl is-active app systemd-netns@app systemd-netns-device@app:tun0 $service $socket
check_is 'the service had its network when it began' 'the LAN'\''s page' "$(cat /run/app.page)"
check 'the LAN saw the host'\''s address' eventually grep -q '^192\.0\.2\.10 .*GET /?app ' /run/lan-web.log
check_not 'and no other' grep '^192\.168\.' /run/lan-web.log
check_is 'the host reaches the service' 'app'\''s page' "$(curl -fsS http://192.168.0.2/)"
check_is 'the service is in its namespace' "$(inode_of app)" "$(netns_of "$(main_pid app)")"
check_is 'the namespace has its own links only' 'lo tun0' "$(ip -n app -j link | jq -r '[.[].ifname] | join(" ")')"
for unit in $service systemd-netns@app systemd-netns-device@app:tun0; do
    check_is "$unit was there before the service" yes "$(is_before "$unit" app)"
done
check_is 'the router was there before the device' yes "$(is_before $service systemd-netns-device@app:tun0)"
check_has 'status: the router' 'router emperor0: up, as its file says' systemd-netns status
check_has 'status: its peer' '192.168.0.2, netns -' systemd-netns status
check_has 'status: the namespace is as its files say' 'app: up, as the files say' systemd-netns status app
check_is 'status --json has the peer' 192.168.0.2 "$(peers | jq -r .addr)"
check_is 'plan: nothing is to be done for the router' '' "$(systemd-netns plan --router emperor0 | grep -v '^#')"
check_is 'plan: nor for the namespace' '' "$(systemd-netns plan app | grep -v '^#')"

# Who may do what. The unit of a device is for root, who opens the device; what is left when that is done has no capability.
net_admin=0000000000001000 none=0000000000000000
check_is 'the router has CAP_NET_ADMIN and nothing else' "$net_admin" "$(capabilities $service Eff)"
check_is 'nor may it get another' "$net_admin" "$(capabilities $service Bnd)"
check_not 'it is not root' test "$(stat -c %u "/proc/$(main_pid $service)")" = 0
check_is 'what holds the device has none' "$none" "$(capabilities systemd-netns-device@app:tun0 Eff)"
check_is 'for good' "$none" "$(capabilities systemd-netns-device@app:tun0 Prm)"
check 'the router is confined: below 2.0' \
    systemd-analyze security --no-pager --threshold=20 systemd-netns-router@emperor0.service
# It enters namespaces and opens devices there as root: SYS_ADMIN and NET_ADMIN until that is done, RestrictNamespaces=net, setns(2).
check 'what holds a device is confined: at most 2.8' \
    systemd-analyze security --no-pager --threshold=28 systemd-netns-device@app:tun0.service

# Another service is kept away by the router's firewall.
tuntap other 192.168.0.3/24
sleeper other
netns_conf other
systemctl start other
inside() { systemd-netns run "$1" -- curl -fsS --connect-timeout 2 "http://$2/"; }
check_is 'without rules another service reaches the first' 'app'\''s page' "$(inside other 192.168.0.2)"
check_is 'and the LAN' 'the LAN'\''s page' "$(inside other 192.0.2.1)"
transfer_begin other
rules='
[Firewall]
Out =
    deny 192.168.0.3 192.168.0.2 log
    deny 192.168.0.3 any proto udp'
emperor0 '' "$rules"
check_has 'plan: rules are no business of the host' 'nothing to do' systemd-netns plan --router emperor0
pid=$(main_pid $service)
check 'reload' systemctl reload $service
check_is 'the same router goes on' "$pid" "$(main_pid $service)"
check_not 'the other service does not reach the first any more' inside other 192.168.0.2
check_is 'only the LAN' 'the LAN'\''s page' "$(inside other 192.0.2.1)"
check_is 'the host still reaches the first' 'app'\''s page' "$(curl -fsS http://192.168.0.2/)"
check 'a connection from before goes on' transfer_goes_on other
check_not 'the drops are counted' test "$(peers 192.168.0.3 | jq '.counters.dropped["denied-out"]')" = null
check_has 'status shows them' 'dropped: denied-out' systemd-netns status
check_not 'so does the rule' test "$(figures | jq '.firewall.out[0].packets')" = 0
check_has 'the journal has what the rule logs' 'firewall: 192.168.0.3 to 192.168.0.2' journal -u $service
emperor0 'Policy = deny' "$rules"
check_not 'reload: a mistake is refused' systemctl reload $service
check_has 'with its place' 'emperor0.conf:2:1: error: unknown key `Policy`' journal -u $service
check_is 'the same router goes on' "$pid" "$(main_pid $service)"
check_not 'by the rules that it had' inside other 192.168.0.2
emperor0
sed -i s/192.168.0.1/192.168.0.9/ /etc/systemd-netns/router/emperor0.conf
check_has 'status: the host is not as the file says' 'not as the file says' systemd-netns status
check 'router reload, by the unit' systemctl reload $service
check_has 'the host has the other address' 192.168.0.9/24 ip -4 address show dev emperor0
emperor0
check 'router reload, back again' systemctl reload $service
check_is 'the rules are gone' 'app'\''s page' "$(inside other 192.168.0.2)"
check 'a connection from before goes on' transfer_goes_on other
check 'to its end, and nothing of it is lost' transfer_end other

# Whoever comes while the router is away is waited for.
systemctl stop other
eventually inactive systemd-netns@other
check 'a router is restarted and a service started at once' systemctl restart $service systemd-netns@other other
check_is 'both are there' 'the LAN'\''s page' "$(inside other 192.0.2.1)"
check 'the first is in again' eventually peer_is_in 192.168.0.2
check_is 'and answers' 'app'\''s page' "$(curl -fsS http://192.168.0.2/)"

systemctl restart --no-block $service
check 'a connection that is begun while the router restarts comes about' inside other 192.0.2.1
check 'the router is there again' eventually peer_is_in 192.168.0.3

# All is given back, in whatever order things stop.
systemctl stop other app
check 'the namespaces go' eventually inactive systemd-netns@app systemd-netns@other
check_is 'no device is held' '' "$(systemctl list-units --plain --no-legend --all 'systemd-netns-device@*')"
check 'the router goes on' systemctl is-active $service
check_is 'without peers' '' "$(peers)"
check 'stop the router' systemctl stop $socket $service
check_is 'the machine is as it was' "$before" "$(everything)"

check 'a service starts again' systemctl start app
check 'its router did so too' systemctl is-active $service
check_is 'which gives it the LAN' 'the LAN'\''s page' "$(cat /run/app.page)"
check 'the router may be stopped first' systemctl stop $socket $service
check 'its service goes on' systemctl is-active app systemd-netns@app systemd-netns-device@app:tun0
check_not 'without a network' curl -fsS --connect-timeout 1 http://192.168.0.2/
systemctl stop app
check 'the namespace stops without a router' eventually inactive systemd-netns@app
check_is 'the machine is as it was' "$before" "$(everything)"

# Where the file has it listen: the generator tells systemd.
emperor0 'Listen = /run/elsewhere.sock @elsewhere'
systemctl daemon-reload
check_has 'the socket is where the file says' '@elsewhere (Stream)' systemctl show -P Listen $socket
check 'the service starts' systemctl start app
check 'the socket is there' test -S /run/elsewhere.sock
check_not 'and not where it was' test -e /run/systemd-netns/router/emperor0.sock
check 'the service is reached' curl -fsS -o /dev/null http://192.168.0.2/
systemctl stop app $socket $service
check 'the namespace goes' eventually inactive systemd-netns@app
check_not 'the socket too' test -e /run/elsewhere.sock
emperor0
systemctl daemon-reload
check_is 'the machine is as it was' "$before" "$(everything)"

# One transaction, as at boot and at shutdown.
check 'start the router first' systemctl start $service
check 'then the service' systemctl start app
check_is 'which has the LAN' 'the LAN'\''s page' "$(cat /run/app.page)"
rm /etc/systemd-netns/router/emperor0.conf /etc/netns/app/network/tuntap
check 'stop everything without the files' systemctl stop $socket $service systemd-netns@app app
check 'the router was there until the namespace was gone' test "$(systemctl show -P InactiveEnterTimestampMonotonic systemd-netns@app)" \
    -le "$(systemctl show -P ActiveExitTimestampMonotonic $service)"
check_is 'the machine is as it was' "$before" "$(everything)"
