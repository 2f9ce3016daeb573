# shellcheck shell=bash
# Reads tests/packages, the one list of Debian packages. Sourced by bash scripts.

# packages SECTION: the section's packages, one a line, sorted.
packages() {
    sed -n "s/^$1://p" "$(dirname "${BASH_SOURCE[0]}")/../packages" | tr -s ' ' '\n' | sed '/^$/d' | sort -u
}

# install_packages SECTION: installs those that are missing. Asks nothing.
install_packages() {
    local name missing=()
    for name in $(packages "$1"); do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    printf 'installing %s\n' "${missing[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}
