#!/bin/bash
# systemd-analyze security of every unit of the package: each check that one does not pass is explained in its table.
. /tests/lib/assert.sh

table=/run/security.md
zcat -f /usr/share/doc/systemd-netns-helper/security.md* >$table
mkdir -p /run/security
units=0
for file in /usr/lib/systemd/system/{systemd,prometheus}-netns*.service; do
    unit=$(basename "$file" .service)
    case $unit in
        systemd-netns-dhcp@) instance=${unit}a:eth0:inet ;;
        systemd-netns-device@) instance=${unit}a:tun0 ;;
        *@) instance=${unit}a ;;
        *) instance=$unit ;;
    esac
    cp "$file" "/run/security/$instance.service"
    analyze() { systemd-analyze security --no-pager --offline=true "$@" "/run/security/$instance.service"; }
    limit=$(sed -n "s/^| \`$unit.service\` | at most \([0-9.]*\) |.*/\1/p" $table)
    check "$unit is in the table" test -n "$limit"
    check "$unit is as confined as the table says" analyze --threshold="$(echo "$limit" | tr -d .)"
    analyze --json=short | jq -r '.[] | select(.set == false and .exposure != null and .exposure != "0.0") | .name' >/run/failing
    unexplained=$(while read -r name; do
        name=${name//|/\\|}
        awk -v row="| \`${name//\\/\\\\}\` |" -v unit="\`$unit\`" 'index($0, row) == 1 && index($0, unit) { found = 1 } END { exit !found }' $table ||
            printf '%s\n' "$name"
    done </run/failing)
    check_is "each check that $unit does not pass is explained" '' "$unexplained"
    check "$unit is looked at in earnest" test -s /run/failing
    units=$((units + 1))
done
check_is 'there are as many units as in the table' "$(grep -c 'service` | at most' $table)" "$units"
