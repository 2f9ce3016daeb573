#!/bin/bash
# Every kind of link on Debian's kernel: the printed command and the request leave the same, and that is what is seen.
# timeout: 900
# binaries: kernel_observe kernel_options kernel_ports kernel_wireguard
. /tests/lib/assert.sh
. /tests/lib/cargo-test.sh

load_modules 8021q bonding bridge dummy ipvlan macvlan macvtap tun veth vrf vxlan wireguard
load_modules ip6_gre ip6_tunnel ip_gre ipip sit
cargo_test kernel_observe
cargo_test kernel_options
cargo_test kernel_ports
cargo_test kernel_wireguard

# Their links are in no namespace that a later script makes.
modprobe -r ip6_gre ip6_tunnel ip_gre ipip sit
