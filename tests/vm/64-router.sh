#!/bin/bash
# The router with Debian's own kernels: Linux 6.1 has another io_uring, and other devices, than the machine that runs the containers.
# timeout: 400
# binaries: router
. /tests/lib/assert.sh
. /tests/lib/cargo-test.sh

# Without those that time floods or a thousand peers: all of it is emulated.
load_modules bridge dummy tun veth
cargo_test router limits::a_device limits::a_peer_is limits::a_peer_sends resilience:: tap:: transfer::
