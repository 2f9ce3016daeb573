#!/bin/bash
# The laws that speak of the kernel, on worlds with bonds, VLANs, VRFs and their like.
# timeout: 1500
# long: two laws do not hold on Debian's kernel yet, and it takes minutes
# binaries: kernel_laws
. /tests/lib/assert.sh
. /tests/lib/cargo-test.sh

export PROPTEST_CASES=6
cargo_test kernel_laws
