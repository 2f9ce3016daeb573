#!/bin/bash
# Status: what is up, what drifts, what leaks, why something failed, what to do; and it can be watched.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0
write /etc/netns/nginx/network/interfaces <<'END'
auto eth0
iface eth0 inet static
    address 192.0.2.2/24
    dns-nameservers 192.0.2.1
END
netns_conf nginx
systemctl start nginx
check_has 'nginx is up and well' 'nginx: up, as the files say' systemd-netns status nginx
check_has 'its processes are shown' "nginx.service: $(main_pid nginx)" systemd-netns status nginx
check_is 'nothing leaks' null "$(systemd-netns status nginx --json | jq -c '.[0].leaks')"
check_is 'its service is inside' '["nginx.service",true,[]]' \
    "$(systemd-netns status nginx --json | jq -c '.[0].services[0] | [.unit, .active, .outside]')"
for key in name state links routes processes drift mistakes; do
    check "JSON has $key" eval "systemd-netns status --json | jq -e '.[0] | has(\"$key\")'"
done

# A drop-in that forgets NetworkNamespacePath=, and one that has nothing else, as the Python tool's documentation had it.
sleeper outside
mkdir -p /etc/systemd/system/outside.service.d /etc/systemd/system/blind.service.d
printf '[Unit]\nBindsTo=systemd-netns@nginx.service\nAfter=systemd-netns@nginx.service\n' \
    >/etc/systemd/system/outside.service.d/netns.conf
sleeper blind
{
    cat /etc/systemd/system/outside.service.d/netns.conf
    printf '[Service]\nNetworkNamespacePath=/run/netns/nginx\n'
} >/etc/systemd/system/blind.service.d/netns.conf
systemctl daemon-reload
systemctl start outside blind
check_has 'a service that is outside is a leak' \
    "outside.service: main process $(main_pid outside) is in the host's network; restart it: systemctl restart outside.service" \
    systemd-netns status nginx
check_has "one that asks the host's name servers too" "blind.service: asks the host's name servers" systemd-netns status nginx
check_is 'JSON has both' 2 "$(systemd-netns status nginx --json | jq '.[0].leaks | length')"
systemctl stop outside blind

write /etc/netns/bad/network/interfaces <<'END'
auto eth0
iface eth0 inet statik
END
check_not 'a namespace fails' systemctl start systemd-netns@bad
check_has 'status tells that it did' 'systemd-netns@bad.service failed (exit-code)' systemd-netns status
check_has 'and why' '/etc/netns/bad/network/interfaces:2:17' systemd-netns status
check_has 'and what to do' 'systemctl restart systemd-netns@bad.service' systemd-netns status
write /etc/netns/idle/network/interfaces <<<'auto lo'
check_has 'what is not up is named' 'not up, with files: idle' systemd-netns status
check_has 'all is summed up' '1 up, 1 with failures' systemd-netns status

systemd-netns status nginx --watch >/run/watched &
watcher=$!
check 'it is shown at once' eventually grep -q 'nginx: up, as the files say' /run/watched
ip -n nginx address add 192.0.2.3/24 dev eth0
ip -n nginx address delete 192.0.2.2/24 dev eth0
check 'drift is seen while it is watched' eventually grep -q 'not as the files say' /run/watched
systemctl reload systemd-netns@nginx
well_again() { [ "$(grep -c 'nginx: up, as the files say' /run/watched)" -ge 2 ]; }
check 'and its end' eventually well_again
kill $watcher
status=0
wait $watcher || status=$?
check_is 'it ends when it is told to' 0 $status
check 'a terminal is left by q' timeout 10 script -qec 'systemd-netns status --watch' /run/typescript < <(sleep 1; printf q; sleep 5)
check 'with the screen as it was' grep -q 'nginx.*: up' /run/typescript
