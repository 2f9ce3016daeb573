#!/bin/bash
# Every kind of link on Debian's kernel: the printed command and the request leave the same, and that is what is seen.
# timeout: 1500
# long: tunnels and the outer packets of WireGuard do not pass on Debian's kernel yet, and it takes many minutes
# binaries: kernel_options kernel_ports kernel_wireguard
. /tests/lib/assert.sh
. /tests/lib/cargo-test.sh

cargo_test kernel_options
cargo_test kernel_ports
cargo_test kernel_wireguard
