# shellcheck shell=bash
# Assertions for the scripts that run inside a booted Debian. A script is straight-line bash:
#
#   . /tests/lib/assert.sh
#   systemctl start nginx                                   # set-up: a failure ends the script
#   check 'the LAN is answered' curl -fsS http://192.0.2.2  # prints `ok NAME` or `not ok NAME`, and goes on
#
# A failed check says what was expected and what was seen in lines that begin with `# `.

set -eu
shopt -s inherit_errexit

ok() { printf 'ok %s\n' "$1"; }

# skip NAME REASON
skip() { printf 'skip %s # %s\n' "$1" "$2"; }

not_ok() {
    local name=$1
    shift
    [ $# -eq 0 ] || printf '%s\n' "$@" | sed 's/^/#   /'
    printf 'not ok %s\n' "$name"
}

# check NAME COMMAND…: the command succeeds.
check() {
    local name=$1 said
    shift
    if said=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "failed ($?): $*" "$said"; fi
}

# check_not NAME COMMAND…: the command fails, in whatever way.
check_not() {
    local name=$1 said
    shift
    if said=$("$@" 2>&1); then not_ok "$name" "succeeded: $*" "$said"; else ok "$name"; fi
}

# check_exit NAME STATUS COMMAND…
check_exit() {
    local name=$1 want=$2 got=0 said
    shift 2
    said=$("$@" 2>&1) || got=$?
    if [ "$got" = "$want" ]; then ok "$name"; else not_ok "$name" "exit $got, not $want: $*" "$said"; fi
}

# check_is NAME WANT GOT
check_is() {
    if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "$(diff <(printf '%s\n' "$2") <(printf '%s\n' "$3"))"; fi
}

# check_has NAME PART COMMAND…: what the command prints contains PART, whatever its status.
check_has() {
    local name=$1 part=$2 said
    shift 2
    said=$("$@" 2>&1) || true
    case $said in *"$part"*) ok "$name" ;; *) not_ok "$name" "no '$part' in: $*" "$said" ;; esac
}

# eventually COMMAND…: tries until it succeeds, for ten seconds.
eventually() {
    local end=$((SECONDS + 10))
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}

ended() {
    local status=$?
    [ $status -eq 0 ] || not_ok "${0##*/} runs to its end" "stopped with $status"
}
trap ended EXIT
