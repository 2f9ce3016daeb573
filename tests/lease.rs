//! What clients say becomes a lease, whatever a server put into it.

use proptest::prelude::*;
use std::collections::BTreeMap;
use systemd_netns::model::{Client, Dhcp, Protocol};
use systemd_netns::system::dhcp::Lease;
use systemd_netns::system::dhcp::environment::{Event, Said, read};

fn dhcp(client: Client) -> Dhcp {
    Dhcp {
        protocol: Protocol::Dhcp,
        client,
        hostname: None,
        vendor: None,
        client_id: None,
        lease_time: None,
        metric: Some(5),
        request_prefix: false,
        link_local: None,
        limit: 60,
    }
}

/// What a client with these arguments and variables says.
fn said(client: Client, arguments: &[&str], variables: &[(&str, &str)], before: Option<&Lease>) -> Option<Event> {
    let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let variable = |name: &str| variables.get(name).cloned();
    let dhcp = dhcp(client);
    read(&Said { link: "eth0".parse().unwrap(), dhcp: &dhcp, arguments: &arguments, variable: &variable }, before)
}

#[track_caller]
fn lease(event: Option<Event>) -> Lease {
    match event {
        Some(Event::Now(Some(lease))) => lease,
        other => panic!("{other:?}"),
    }
}

fn routes(lease: &Lease) -> Vec<String> {
    let show = |r: &systemd_netns::model::Route| {
        let via = r.via.map_or(String::new(), |via| format!(" via {via}"));
        format!("{}{via}{} metric {} proto {}", r.to, if r.onlink { " onlink" } else { "" }, r.metric, r.protocol)
    };
    lease.routes.iter().map(show).collect()
}

fn addresses(lease: &Lease) -> Vec<String> {
    lease.addresses.iter().map(|l| format!("{} for {}", l.address.local, l.valid)).collect()
}

const BOUND: [(&str, &str); 8] = [
    ("reason", "BOUND"),
    ("new_ip_address", "192.0.2.7"),
    ("new_subnet_mask", "255.255.255.0"),
    ("new_dhcp_lease_time", "600"),
    ("new_routers", "192.0.2.1 192.0.2.2"),
    ("new_domain_name", "example.org"),
    ("new_domain_name_servers", "192.0.2.53 192.0.2.54"),
    ("new_interface_mtu", "1400"),
];

#[test]
fn dhclient_and_udhcpc_say_the_same() {
    let from_dhclient = lease(said(Client::Dhclient, &[], &BOUND, None));
    let from_udhcpc = lease(said(
        Client::Udhcpc,
        &["bound"],
        &[
            ("ip", "192.0.2.7"),
            ("mask", "24"),
            ("lease", "600"),
            ("router", "192.0.2.1 192.0.2.2"),
            ("domain", "example.org"),
            ("dns", "192.0.2.53 192.0.2.54"),
            ("mtu", "1400"),
        ],
        None,
    ));
    assert_eq!(from_dhclient, from_udhcpc);
    assert_eq!(addresses(&from_dhclient), ["192.0.2.7/24 for 600"]);
    assert_eq!(routes(&from_dhclient), ["0.0.0.0/0 via 192.0.2.1 metric 5 proto 16"]);
    assert_eq!(from_dhclient.mtu, Some(1400));
    let text = "domain example.org\nnameserver 192.0.2.53\nnameserver 192.0.2.54\n";
    assert_eq!(from_dhclient.resolv.to_string(), text);
}

#[test]
fn classless_routes_take_the_place_of_the_router() {
    let mut variables = BOUND.to_vec();
    variables.push(("new_rfc3442_classless_static_routes", "8 10 192 0 2 9 0 192 0 2 1 32 203 0 113 1 0 0 0 0"));
    let from_dhclient = lease(said(Client::Dhclient, &[], &variables, None));
    let expected = [
        "203.0.113.1/32 metric 5 proto 16",
        "10.0.0.0/8 via 192.0.2.9 metric 5 proto 16",
        "0.0.0.0/0 via 192.0.2.1 metric 5 proto 16",
    ];
    assert_eq!(routes(&from_dhclient), expected);
    let variables = [
        ("ip", "192.0.2.7"),
        ("subnet", "255.255.255.0"),
        ("staticroutes", "10.0.0.0/8 192.0.2.9 0.0.0.0/0 192.0.2.1 203.0.113.1/32 0.0.0.0"),
    ];
    assert_eq!(routes(&lease(said(Client::Udhcpc, &["renew"], &variables, None))), expected);
    // One that does not come out even is none, and the router counts.
    let mut variables = BOUND.to_vec();
    variables.push(("new_rfc3442_classless_static_routes", "8 10 192 0 2"));
    let lease = lease(said(Client::Dhclient, &[], &variables, None));
    assert_eq!(routes(&lease), ["0.0.0.0/0 via 192.0.2.1 metric 5 proto 16"]);
}

#[test]
fn a_router_out_of_reach_is_taken_to_be_on_the_link() {
    let variables = [("ip", "192.0.2.7"), ("mask", "32"), ("router", "198.51.100.1")];
    let lease = lease(said(Client::Udhcpc, &["bound"], &variables, None));
    assert_eq!(routes(&lease), ["0.0.0.0/0 via 198.51.100.1 onlink metric 5 proto 16"]);
    assert_eq!(addresses(&lease), ["192.0.2.7/32 for 2147483647"]);
}

#[test]
fn what_no_server_may_say_is_left_out() {
    for ip in ["", "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.7 x", "$(reboot)", "::1"] {
        assert_eq!(said(Client::Udhcpc, &["bound"], &[("ip", ip), ("mask", "24")], None), None, "{ip}");
    }
    let variables = [
        ("ip", "192.0.2.7"),
        ("mask", "24"),
        ("lease", "-1"),
        ("mtu", "68"),
        ("domain", "$(reboot) a;b good.example ../etc"),
        ("search", "a\nnameserver\t198.51.100.66 -x"),
        ("dns", "192.0.2.53\nnameserver 0.0.0.0 127.0.0.1;x fe80::1 fe80::2%eth9"),
        ("staticroutes", "127.0.0.0/8 192.0.2.1 224.0.0.0/4 192.0.2.1 10.0.0.0/33 192.0.2.1 10.0.0.0/8 224.0.0.1"),
    ];
    let lease = lease(said(Client::Udhcpc, &["bound"], &variables, None));
    assert_eq!(lease.mtu, None);
    assert_eq!(routes(&lease), [""; 0]);
    let text = "search good.example a nameserver 198.51.100.66\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\n";
    assert_eq!(lease.resolv.to_string(), text);
}

#[test]
fn there_is_an_end_to_everything() {
    let many = |word: &str| format!("{word} ").repeat(1000);
    let (servers, domains, routes) = (many("192.0.2.53"), many("a.example"), many("10.0.0.0/8 192.0.2.1"));
    let variables = [
        ("ip", "192.0.2.7"),
        ("mask", "24"),
        ("dns", &servers[..8000]),
        ("search", &domains[..8000]),
        ("staticroutes", &routes[..8000]),
    ];
    let lease = lease(said(Client::Udhcpc, &["bound"], &variables, None));
    assert!(lease.resolv.servers.len() <= 8 && lease.resolv.search.len() <= 32 && lease.routes.len() <= 64);
    let long = "192.0.2.53 ".repeat(10_000);
    let variables = [("ip", "192.0.2.7"), ("dns", long.as_str())];
    let lease = self::lease(said(Client::Udhcpc, &["bound"], &variables, None));
    assert!(lease.resolv.servers.is_empty());
}

#[test]
fn addresses_of_dhcpv6_come_and_go_one_by_one() {
    let event = |reason, more: &[(&str, &str)], before: Option<&Lease>| {
        let mut variables = vec![("reason", reason)];
        variables.extend(more);
        said(Client::Dhclient, &[], &variables, before)
    };
    let one = [
        ("new_ip6_address", "2001:db8::1"),
        ("new_ip6_prefixlen", "64"),
        ("new_max_life", "600"),
        ("new_preferred_life", "300"),
    ];
    let first = lease(event("BOUND6", &one, None));
    assert_eq!(addresses(&first), ["2001:db8::1/64 for 600"]);
    assert_eq!(first.addresses[0].address.preferred_lifetime, Some(300));
    let second = lease(event(
        "BOUND6",
        &[("new_ip6_address", "2001:db8::2"), ("new_dhcp6_name_servers", "2001:db8::53")],
        Some(&first),
    ));
    assert_eq!(addresses(&second), ["2001:db8::1/64 for 600", "2001:db8::2/128 for 2147483647"]);
    assert_eq!(second.resolv.to_string(), "nameserver 2001:db8::53\n");
    let old = lease(event("DEPREF6", &[("cur_ip6_address", "2001:db8::1")], Some(&second)));
    assert_eq!(old.addresses[0].address.preferred_lifetime, Some(0));
    let other = [("old_ip6_address", "2001:db8::1"), ("new_ip6_address", "2001:db8::3")];
    let third = lease(event("REBIND6", &other, Some(&old)));
    assert_eq!(addresses(&third), ["2001:db8::2/128 for 2147483647", "2001:db8::3/128 for 2147483647"]);
    assert_eq!(third.resolv, second.resolv);
    assert_eq!(event("EXPIRE6", &[], Some(&third)), Some(Event::Now(None)));
}

#[test]
fn every_client_has_its_own_way_to_say_that_it_is_over() {
    let over = Some(Event::Now(None));
    assert_eq!(said(Client::Udhcpc, &["deconfig"], &[], None), over);
    assert_eq!(said(Client::Udhcpc, &["leasefail"], &[], None), Some(Event::Nothing));
    for (client, reason) in [(Client::Dhclient, "EXPIRE"), (Client::Dhclient, "RELEASE"), (Client::Dhcpcd, "NOCARRIER")]
    {
        assert_eq!(said(client, &[], &[("reason", reason)], None), over, "{reason}");
    }
    for (client, reason) in [(Client::Dhclient, "PREINIT"), (Client::Dhclient, "MEDIUM"), (Client::Dhcpcd, "CARRIER")] {
        assert_eq!(said(client, &[], &[("reason", reason)], None), Some(Event::Nothing), "{reason}");
    }
    assert_eq!(said(Client::AvahiAutoipd, &["UNBIND", "eth0", "169.254.1.2"], &[], None), over);
    let bound = lease(said(Client::AvahiAutoipd, &["BIND", "eth0", "169.254.1.2"], &[], None));
    assert_eq!(addresses(&bound), ["169.254.1.2/16 for 2147483647"]);
    assert_eq!(said(Client::AvahiAutoipd, &["BIND", "eth0", "192.0.2.1"], &[], None), None);
}

proptest! {
    /// Whatever stands in the variables: no panic, and a resolv.conf with nothing in it but lines of one.
    #[test]
    fn nothing_gets_through(
        client in prop::sample::select(Client::ALL.to_vec()),
        names in prop::collection::vec("[ -~\n\t\u{e4}]{0,40}", 4),
        numbers in prop::collection::vec("(0|[0-9]{1,3}| |/|\\.){0,40}", 6),
    ) {
        let n = |i: usize| numbers[i].as_str();
        let variables = [
            ("reason", if client == Client::Dhclient && names[0].len() % 2 == 0 { "BOUND6" } else { "BOUND" }),
            ("ip", n(0)), ("new_ip_address", "192.0.2.1"), ("mask", n(1)), ("new_subnet_mask", n(1)),
            ("router", n(2)), ("new_routers", n(2)), ("staticroutes", n(3)),
            ("new_rfc3442_classless_static_routes", n(4)), ("lease", n(5)), ("new_dhcp_lease_time", n(5)),
            ("dns", &names[0]), ("new_domain_name_servers", &names[0]), ("domain", &names[1]),
            ("new_domain_name", &names[1]), ("search", &names[2]), ("new_domain_search", &names[2]),
            ("new_dhcp6_name_servers", &names[0]), ("new_ip6_address", &names[3]),
        ];
        let event = said(client, &["bound", "eth0", n(0)], &variables, None);
        if let Some(Event::Now(Some(lease))) = event {
            for line in lease.resolv.to_string().lines() {
                let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
                prop_assert!(["domain", "search", "nameserver"].contains(&word), "{line:?}");
                prop_assert!(rest.bytes().all(|b| b.is_ascii_alphanumeric() || b" .:%-_".contains(&b)), "{line:?}");
            }
            prop_assert!(lease.routes.iter().all(|r| r.protocol == 16 && !r.to.addr().is_loopback()));
        }
    }
}
