//! Links of options: for every kind the printed command and the request leave the same, and what is seen afterwards is what was
//! asked for. Kinds that this kernel lacks are left out aloud; `tests/vm/` runs this where they are all there.

mod common;

use common::deed::text_is_deed;
use common::kinds::{SETUP, change, has, has_vlan_filtering, made_of, options};
use common::ops::*;
use common::{in_world, sh};
use systemd_netns::kernel::{Error, Kernel};
use systemd_netns::model::{Kind, Netns, Place, Virtual, VirtualKind};
use systemd_netns::plan::Op;

/// Makes links by text and by deed, and looks at them.
#[track_caller]
fn links_are(setup: &str, links: &[(Place, Kind)]) {
    let ops: Vec<Op> =
        links.iter().map(|(place, kind)| Op::AddLink { place: place.clone(), kind: kind.clone() }).collect();
    text_is_deed(setup, &ops);
    in_world(|| {
        sh(setup);
        apply(&ops);
        let seen = observe(&[Netns::Host, inside("a")]).state;
        for (place, kind) in links {
            let have = seen.link(place).and_then(|l| l.kind.as_ref());
            assert!(have.is_some_and(|have| have.satisfies(kind)), "wanted {kind:?}\nseen {have:?}");
        }
    });
}

/// One kind of several sorts, all of them at once: here and in the namespace, or with a parent, which stays here, only there.
#[track_caller]
fn kind_is(kind: VirtualKind, parent: bool, sorts: &[&str]) {
    if !has(kind) {
        return;
    }
    let parent = parent.then(|| host("p0"));
    let places = |i: usize| {
        let inside = at(&inside("a"), &format!("y{i}"));
        if parent.is_some() { vec![inside] } else { vec![host(&format!("x{i}")), inside] }
    };
    let sort = |(i, text): (usize, &&str)| {
        let kind = made_of(kind, parent.clone(), text);
        places(i).into_iter().map(move |place| (place, kind.clone())).collect::<Vec<_>>()
    };
    let links: Vec<(Place, Kind)> = sorts.iter().enumerate().flat_map(sort).collect();
    links_are(SETUP, &links);
}

/// The same one after another: of these there cannot be two on a parent.
#[track_caller]
fn each_is(kind: VirtualKind, sorts: &[&str]) {
    sorts.iter().for_each(|sort| kind_is(kind, true, &[sort]));
}

#[test]
fn bridges_are_made_as_the_text_says() {
    kind_is(
        VirtualKind::Bridge,
        false,
        &[
            "",
            "stp_state 1, forward_delay 400, hello_time 150, max_age 1000, ageing_time 12300, priority 4096",
            "forward_delay 0, group_fwd_mask 8, group_address 01:80:c2:00:00:04, no_linklocal_learn 1",
            "mcast_snooping 0, mcast_router 2, mcast_querier 1, mcast_query_use_ifaddr 1, mcast_hash_max 512, mcast_stats_enabled 1",
            "mcast_last_member_count 3, mcast_startup_query_count 4, mcast_last_member_interval 200, mcast_membership_interval 20000",
            "mcast_querier_interval 20000, mcast_query_interval 6000, mcast_query_response_interval 900, mcast_startup_query_interval 3000",
            "mcast_igmp_version 3, mcast_mld_version 2",
        ],
    );
    if has_vlan_filtering() {
        kind_is(
            VirtualKind::Bridge,
            false,
            &[
                "vlan_filtering 1, vlan_protocol 802.1ad, vlan_default_pvid 7, vlan_stats_enabled 1, vlan_stats_per_port 1",
                "vlan_filtering 1, vlan_default_pvid 0, mcast_vlan_snooping 1",
            ],
        );
    }
}

#[test]
fn bonds_are_made_as_the_text_says() {
    kind_is(
        VirtualKind::Bond,
        false,
        &[
            "",
            "mode active-backup, miimon 100, updelay 200, downdelay 300, peer_notify_delay 400, primary_reselect better, fail_over_mac active",
            "mode 1, num_grat_arp 3, resend_igmp 2, all_slaves_active 1, min_links 1",
            "mode 1, arp_interval 500, arp_ip_target 192.0.2.2 192.0.2.3, arp_validate all, arp_all_targets all, arp_missed_max 3",
            "mode 1, arp_interval 500, ns_ip6_target 2001:db8::2",
            "mode 802.3ad, miimon 100, lacp_rate fast, ad_select count, xmit_hash_policy layer3+4, min_links 2",
            "mode 802.3ad, ad_actor_sys_prio 1000, ad_user_port_key 5, ad_actor_system 02:00:00:00:00:77, lacp_active off",
            "mode balance-xor, xmit_hash_policy vlan+srcmac",
            "mode balance-rr, packets_per_slave 5",
            "mode balance-tlb, tlb_dynamic_lb 0, lp_interval 5",
            "mode balance-alb, miimon 50",
            "mode broadcast, use_carrier 1",
        ],
    );
}

#[test]
fn links_on_a_parent_are_made_as_the_text_says() {
    let modes = ["", "mode private", "mode vepa", "mode bridge", "mode source"];
    kind_is(VirtualKind::Macvlan, true, &modes);
    each_is(VirtualKind::Macvlan, &["mode passthru"]);
    kind_is(VirtualKind::Macvtap, true, &modes[1..4]);
    each_is(VirtualKind::Ipvlan, &["", "mode l2, flags bridge", "mode l3, flags private", "mode l3s, flags vepa"]);
    kind_is(
        VirtualKind::Vxlan,
        true,
        &[
            "id 5, dstport 4789",
            "id 6, dstport 4790, local 192.0.2.1, remote 192.0.2.9, ttl 7, tos inherit, learning no, ageing 100, maxaddress 50",
            "id 7, dstport 4791, local 2001:db8::1, remote 2001:db8::9, tos 16, udp6zerocsumtx 1, udp6zerocsumrx 1",
            "id 8, dstport 4792, group 239.0.0.1, srcport 1000 2000, proxy 1, rsc 1, l2miss 1, l3miss 1, df set, udpcsum 1",
            "id 9, dstport 4793, group ff05::1, gbp",
        ],
    );
}

#[test]
fn links_without_a_parent_are_made_as_the_text_says() {
    kind_is(VirtualKind::Dummy, false, &[""]);
    kind_is(VirtualKind::Vrf, false, &["table 10", "table 70000"]);
    kind_is(VirtualKind::Wireguard, false, &[""]);
    kind_is(
        VirtualKind::Vxlan,
        false,
        &["id 7, dstport 4790, local 192.0.2.1, remote 192.0.2.9", "external, dstport 4789"],
    );
    for kind in [VirtualKind::Tun, VirtualKind::Tap] {
        kind_is(kind, false, &["", "user 1000, group 1001", "multi_queue, vnet_hdr", "pi"]);
    }
}

#[test]
fn tunnels_are_made_as_the_text_says() {
    use VirtualKind::{Gre, Gretap, Ip6gre, Ip6gretap, Ip6tnl, Ipip, Sit};
    let gre = [
        "",
        "ttl 64, tos inherit, ikey 5, okey 6, icsum, ocsum, iseq, oseq, fwmark 3",
        "pmtudisc no, ignore-df yes, tos 16",
    ];
    let gre6 = ["", "hoplimit 9, encaplimit none, ikey 5, okey 5, fwmark 3", "encaplimit 7, icsum, ocsum, iseq, oseq"];
    let ipip = ["", "ttl 64, tos 16, mode any, fwmark 1"];
    let sit = ["", "ttl 64, mode any, pmtudisc yes, tos inherit", "mode ip6ip, isatap"];
    let ip6tnl = ["", "mode ipip6, hoplimit 9, encaplimit none, fwmark 3", "mode ip6ip6, encaplimit 2"];
    let kinds: [(VirtualKind, &[&str]); 7] = [
        (Gre, &gre),
        (Gretap, &gre),
        (Ip6gre, &gre6),
        (Ip6gretap, &gre6),
        (Ipip, &ipip),
        (Sit, &sit),
        (Ip6tnl, &ip6tnl),
    ];
    for (kind, sorts) in kinds.into_iter().filter(|(kind, _)| has(*kind)) {
        // No two of a kind are alike.
        let tunnel = |n: usize, parent: Option<Place>, text: &str| {
            let (local, remote) = match kind.as_str().contains('6') {
                true => ("2001:db8::1", format!("2001:db8::{n}")),
                false => ("192.0.2.1", format!("192.0.2.{n}")),
            };
            let far = if text.contains("isatap") { String::new() } else { format!("remote {remote}, ") };
            made_of(kind, parent, &format!("local {local}, {far}{text}"))
        };
        let born_outside = |kind| match kind {
            Kind::Virtual(v) => Kind::Virtual(Virtual { birth: Some(Netns::Host), ..v }),
            other => other,
        };
        let mut links = vec![
            (at(&inside("a"), "z0"), tunnel(20, Some(host("p0")), sorts[0])),
            (at(&inside("a"), "z1"), born_outside(tunnel(21, None, sorts[0]))),
        ];
        for (i, text) in sorts.iter().enumerate() {
            links.push((host(&format!("x{i}")), tunnel(30 + i, None, text)));
            links.push((at(&inside("a"), &format!("y{i}")), tunnel(30 + i, None, text)));
        }
        links_are(SETUP, &links);
    }
}

/// Makes a link, changes it, and looks at it.
#[track_caller]
fn changed_is(setup: &str, kind: VirtualKind, parent: Option<Place>, made: &str, changes: &[&str]) {
    if !has(kind) {
        return;
    }
    let place = at(&inside("a"), "x");
    let mut ops = vec![Op::AddLink { place: place.clone(), kind: made_of(kind, parent, made) }];
    ops.extend(changes.iter().map(|text| change(kind, &place, text)));
    text_is_deed(setup, &ops);
    in_world(|| {
        sh(setup);
        apply(&ops);
        let seen = observe(&[Netns::Host, inside("a")]).state;
        let have = seen.link(&place).and_then(|l| l.kind.as_ref()?.as_virtual()).unwrap();
        for (word, value) in changes.iter().flat_map(|text| options(kind, text)) {
            assert_eq!(have.options.get(&word), Some(&value), "{word}");
        }
    });
}

#[test]
fn options_change_as_the_text_says() {
    changed_is(
        SETUP,
        VirtualKind::Bridge,
        None,
        "",
        &["stp_state 1", "forward_delay 500, hello_time 300", "ageing_time 0"],
    );
    changed_is(
        SETUP,
        VirtualKind::Bond,
        None,
        "mode 1, miimon 100",
        &["updelay 200, xmit_hash_policy 1", "primary_reselect failure"],
    );
    changed_is(
        SETUP,
        VirtualKind::Bond,
        None,
        "mode 4",
        &["lacp_rate fast, ad_select 1, lacp_active 0", "min_links 2"],
    );
    changed_is(SETUP, VirtualKind::Ipvlan, Some(host("p0")), "", &["mode l2", "flags private"]);
    changed_is(SETUP, VirtualKind::Vxlan, Some(host("p0")), "id 5, dstport 4789", &["ttl 9", "ageing 77, learning no"]);
    if has_vlan_filtering() {
        changed_is(
            SETUP,
            VirtualKind::Bridge,
            None,
            "",
            &["vlan_filtering 1", "vlan_default_pvid 9", "vlan_protocol 802.1ad"],
        );
    }
}

#[test]
fn a_device_of_tun_is_seen_as_what_it_is() {
    if !has(VirtualKind::Tun) {
        return;
    }
    in_world(|| {
        sh("ip netns add a");
        let place = at(&inside("a"), "t0");
        let add = Op::AddLink { place: place.clone(), kind: made_of(VirtualKind::Tap, None, "user 7") };
        apply(std::slice::from_ref(&add));
        let seen = observe(&[inside("a")]).state;
        assert!(seen.link(&place).unwrap().kind.as_ref().unwrap().is(VirtualKind::Tap));
        assert!(Kernel::new().apply(&[add]).unwrap_err().error.is_exists());
        apply(&[Op::DeleteLink(place)]);
    });
}

#[test]
fn a_kind_that_the_kernel_lacks_is_told_by_its_module() {
    in_world(|| {
        let kinds = [VirtualKind::Bond, VirtualKind::Ip6tnl, VirtualKind::Wireguard, VirtualKind::Dummy];
        for kind in kinds.into_iter().filter(|kind| !has(*kind)) {
            let failure =
                Kernel::new().apply(&[Op::AddLink { place: host("x"), kind: Kind::plain(kind) }]).unwrap_err();
            assert_eq!(failure.error, Error::NoKind(kind.as_str().to_owned()));
            let module = match kind {
                VirtualKind::Bond => "bonding",
                VirtualKind::Ip6tnl => "ip6_tunnel",
                kind => kind.as_str(),
            };
            let text = format!("the kernel has no {} links (modprobe {module}?)", kind.as_str());
            assert_eq!(failure.to_string(), text);
        }
        let failure = Kernel::new().apply(&[change(VirtualKind::Bridge, &host("nothing"), "stp_state 1")]).unwrap_err();
        assert!(failure.error.is_absent(), "{failure}");
    });
}
