#!/bin/bash
# The laws that speak of the kernel, on worlds with bonds, VLANs, VRFs and their like.
# timeout: 1500
# binaries: kernel_laws
. /tests/lib/assert.sh
. /tests/lib/cargo-test.sh

# Without those of tunnels, which give ten links to every namespace from then on and make all that follows slow.
load_modules 8021q bonding bridge dummy macvlan veth vrf
export PROPTEST_CASES=${PROPTEST_CASES:-6}
cargo_test kernel_laws
