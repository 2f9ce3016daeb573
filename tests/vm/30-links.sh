#!/bin/bash
# Every kind of link on Debian's kernel: the printed command and the request leave the same, and that is what is seen.
# timeout: 1500
# long: every kind of link, twice, on an emulated processor
# binaries: kernel_options kernel_ports kernel_wireguard
. /tests/lib/assert.sh
. /tests/lib/cargo-test.sh

cargo_test kernel_options
cargo_test kernel_ports
cargo_test kernel_wireguard
