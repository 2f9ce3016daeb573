# shellcheck shell=bash
# Runs a test binary of this project inside a booted Debian (`# binaries:` in the script's head brings it there).

# load_modules NAME…: a module may bring devices to every namespace when it comes: not in the middle of something.
load_modules() { modprobe -a "$@"; }

# cargo_test NAME [FILTER…]: its tests, as if somebody typed them: not as part of a unit. What is skipped inside is said after `# `.
cargo_test() {
    local name=$1 log status=0
    shift
    log=$(mktemp)
    env -u INVOCATION_ID "/tests/bin/$name" --nocapture --test-threads=2 "$@" >"$log" 2>&1 || status=$?
    # A test's line may have been torn by what others said meanwhile.
    tr -d '\r' <"$log" | grep -E '^SKIPPED: |SKIPPED: ' | sed 's/.*SKIPPED: /# SKIPPED: /' | sort -u
    if [ $status -eq 0 ]; then
        ok "$name: $(sed -n 's/^test result: ok\. \([0-9]* passed\).*/\1/p' "$log")"
    else
        not_ok "$name" "$(tail -n 150 "$log")"
    fi
    rm -f "$log"
}
