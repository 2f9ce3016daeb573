#!/bin/bash
# The part of tests/try that runs in the booted Debian: the first example of the README, shown step by step.
. /tests/lib/assert.sh
. /tests/lib/machine.sh

lan_nic eth0 eth1
example=$(/tests/lib/readme /README.md | head -n 1)
[ -n "$example" ] || { echo 'the README marks no example (see tests/lib/readme)' && exit 1; }

# shown COMMAND…: as if typed.
shown() { printf '\n# %s\n' "$*" && "$@"; }

printf '%s, %s\n' "$(. /etc/os-release && echo "$PRETTY_NAME")" "$(systemctl --version | head -n 1)"
/tests/lib/readme /README.md "$example" >/run/example
printf '\n-- what the README says, "%s" --\n' "$example"
cat /run/example
printf -- '-- done; what has become of it --\n'
bash -euo pipefail /run/example
shown systemd-netns status
shown systemctl --no-pager --lines=0 status systemd-netns@nginx nginx
address=$(ip -n nginx -j -4 address | jq -r '[.[].addr_info[] | select(.scope == "global")][0].local')
# From the namespace at the other end of the NIC's cable.
shown ip netns exec lan curl -sS -D - -o /dev/null "http://$address/"
shown systemctl stop nginx
eventually inactive systemd-netns@nginx
shown ip -br link
