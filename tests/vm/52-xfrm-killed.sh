#!/bin/bash
# A service with an `xfrm` file is killed at any moment of a start, a stop and a reload: nothing of it is left, and another owner
# of links in the same namespace never notices.
# timeout: 1200
#
#   gate (eth0) ── ipsec0, later ipsec3 ──▶ inner (eth2) ◀── ipsec9 ── keeper (eth1)
#        └──────── ipsec1 ──▶ plain, which has no files
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0 eth1 eth2
ip address add 198.51.100.2/24 dev eth0
ip link set eth0 up
# No service is put inside: the namespaces stay for their own sake.
write /run/systemd/system/systemd-netns@.service.d/stay.conf <<'END'
[Unit]
StopWhenUnneeded=no
END
systemctl daemon-reload
# nic NAMESPACE NIC ADDRESS: the interfaces file.
nic() {
    write "/etc/netns/$1/network/interfaces" <<END
auto $2
iface $2 inet static
    address $3/24
END
}
nic gate eth0 192.0.2.2
nic keeper eth1 192.0.2.3
nic inner eth2 192.0.2.4
write /etc/netns/keeper/network/xfrm <<'END'
[ipsec9]
IfId = 9
DestNetNS = inner
Prefixes = 10.9.0.0/16
END
first_files() {
    write /etc/netns/gate/network/xfrm <<'END'
[ipsec0]
IfId = 17
DestNetNS = inner
Prefixes = 10.2.0.0/16, fd02::/48
[ipsec1]
IfId = 18
DestNetNS = plain
Prefixes = 10.143.14.0/24
END
}
# Nothing of the one is in the other: what was made goes, and what was not there comes.
other_files() {
    write /etc/netns/gate/network/xfrm <<'END'
[ipsec3]
IfId = 19
DestNetNS = inner
Prefixes = 10.3.0.0/16
END
}

unit=systemd-netns@gate.service
settled() { case $(systemctl show -P ActiveState $unit) in active | inactive | failed) [ -z "$(systemctl show -P Job $unit)" ] ;; *) false ;; esac }
milliseconds() { echo $(($(date +%s%N) / 1000000)); }
# lasts VERB: how long it takes, in milliseconds.
lasts() {
    local begin
    begin=$(milliseconds)
    systemctl "$1" $unit
    echo $(($(milliseconds) - begin))
}
# killed VERB MILLISECONDS: all processes of the unit, that long after the order, if it has any by then.
killed() {
    local group
    group="/sys/fs/cgroup/system.slice/$(systemctl show -P Slice $unit)/$unit"
    systemctl --no-block "$1" $unit
    sleep "$(printf '%d.%03d' $(($2 / 1000)) $(($2 % 1000)))"
    if grep -qs . "$group/cgroup.procs" && echo 1 >"$group/cgroup.kill"; then hits=$((hits + 1)); fi
    eventually settled
}

# The machine, the namespaces that have nothing to do with it, and who answers for what.
settings() { grep -r --exclude=stable_secret . /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf /proc/sys/net/ipv4/ip_forward | sort; }
world() {
    local name
    snapshot && settings
    for name in keeper inner; do
        echo "== $name $(inode_of $name)"
        snapshot -n $name
        ip -n $name -j link | jq -r '.[] | "\(.ifindex) \(.ifname)"'
    done
    ip netns exec inner bash -c "$(declare -f settings); settings"
    ip netns list | cut -d' ' -f1 | sort
    find /run/systemd-netns -name record.json | sort
    ! grep -rl '"gate"' /run/systemd-netns --include=record.json
}
is_untouched() { diff <(printf '%s\n' "$before") <(world); }
is_as_written() { [ "$(systemd-netns status gate | sed -n 1p)" = 'gate: up, as the files say' ] || { systemd-netns status gate && false; }; }
back_by_stop() { systemctl stop $unit && is_untouched; }

empty=$(snapshot && settings)
check 'the other owner starts' systemctl start systemd-netns@keeper
before=$(world)
first_files
# The first start is slower than those that follow.
systemctl start $unit
systemctl stop $unit
start=$(lasts start)
check 'a start that is not killed does it all' is_as_written
other_files
reload=$(lasts reload)
check 'so does a reload' is_as_written
stop=$(lasts stop)
check 'and a stop' is_untouched
printf '# start %s ms, reload %s ms, stop %s ms\n' "$start" "$reload" "$stop"

hits=0
first_files
for i in {1..7}; do
    at=$((start * i / 9))
    killed start $at
    check "a start is killed after $at ms: nothing is left" back_by_stop
done
printf '# %s hits\n' $hits
check 'some were in time' test $hits -ge 1

hits=0
for i in {1..4}; do
    at=$((stop * i / 5))
    systemctl start $unit
    killed stop $at
    check "a stop is killed after $at ms: the next start works" systemctl start $unit
    check 'and all is there' is_as_written
    check 'and the next stop leaves nothing' back_by_stop
done
printf '# %s hits\n' $hits
check 'some were in time' test $hits -ge 1

hits=0
for i in {1..6}; do
    at=$((reload * i / 8))
    first_files
    systemctl start $unit
    other_files
    killed reload $at
    # Every other one is not reloaded again but stopped at once.
    if [ $((i % 2)) = 1 ]; then
        check "a reload is killed after $at ms: the next one works" systemctl reload $unit
        check 'and all is there' is_as_written
        # The name of `plain` is taken away by the stop: the reload's own sandbox hides it from the reload.
        check_not 'nothing of what was before' grep -E 'ipsec[01]' <(ip -n inner link; ip -n plain link 2>/dev/null)
        check 'and a stop leaves nothing' back_by_stop
    else
        check "a reload is killed after $at ms: a stop leaves nothing" back_by_stop
    fi
done
printf '# %s hits\n' $hits
check 'some were in time' test $hits -ge 1

first_files
check 'a plain start works' systemctl start $unit
check 'and does it all' is_as_written
check 'a stop gives all back' back_by_stop
check 'the other owner stops' systemctl stop systemd-netns@keeper
check_is 'the host is as it was' "$empty" "$(snapshot && settings)"
check_is 'no namespace of ours is left' lan "$(ip netns list | cut -d' ' -f1)"
check_not 'nor any record' test -e /run/systemd-netns
