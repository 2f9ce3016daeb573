//! Look-ups against the plainest way to do them: looking at every route.

use super::*;
use proptest::prelude::*;

fn host(number: u8) -> Gateway {
    Gateway::Host(format!("h{number}").parse().unwrap())
}

fn table(routes: &[(&str, u8)]) -> Routes {
    Routes::new(routes.iter().map(|(to, number)| (to.parse().unwrap(), host(*number)))).0
}

fn found(routes: &Routes, address: &str) -> Option<String> {
    routes.gateway(address.parse().unwrap()).map(ToString::to_string)
}

#[test]
fn the_longest_prefix_decides() {
    let routes = table(&[
        ("0.0.0.0/0", 0),
        ("10.0.0.0/8", 1),
        ("10.1.0.0/16", 2),
        ("10.1.2.3/32", 3),
        ("255.255.255.255/32", 4),
        ("2001:db8::/32", 5),
        ("2001:db8:1::/48", 6),
    ]);
    for (address, wanted) in [
        ("9.255.255.255", "h0"),
        ("10.0.0.0", "h1"),
        ("10.255.255.255", "h1"),
        ("11.0.0.0", "h0"),
        ("10.1.2.2", "h2"),
        ("10.1.2.3", "h3"),
        ("10.1.2.4", "h2"),
        ("255.255.255.255", "h4"),
        ("255.255.255.254", "h0"),
        ("2001:db8::1", "h5"),
        ("2001:db8:1::1", "h6"),
        ("2001:db8:2::", "h5"),
    ] {
        assert_eq!(found(&routes, address).as_deref(), Some(wanted), "{address}");
    }
    assert_eq!(found(&routes, "2001:db9::"), None);
    assert_eq!((routes.len(), Routes::default().find("10.0.0.1".parse().unwrap())), (7, None));
}

#[test]
fn of_two_routes_with_one_prefix_the_first_counts() {
    let routes = [("10.0.0.0/8", 1), ("10.0.0.0/8", 2), ("10.0.0.0/9", 3)];
    let (routes, passed) = Routes::new(routes.map(|(to, number)| (to.parse().unwrap(), host(number))));
    assert_eq!((passed, routes.len()), (1, 2));
    assert_eq!(found(&routes, "10.128.0.1").as_deref(), Some("h1"));
}

/// Prefixes that are near one another, so that they nest.
fn prefixes() -> impl Strategy<Value = Vec<(IpNet, u8)>> {
    let v4 = (0..8_u32, 0..=32_u8, any::<u32>()).prop_map(|(high, len, low)| {
        let address = std::net::Ipv4Addr::from(high << 29 | low >> 3 & 0x0003_0003);
        IpNet::from(ipnet::Ipv4Net::new_assert(address, len)).trunc()
    });
    let v6 = (0..=128_u8, any::<u128>()).prop_map(|(len, bits)| {
        let address = std::net::Ipv6Addr::from(bits & 0x3 << 126 | bits & 0x7);
        IpNet::from(ipnet::Ipv6Net::new_assert(address, len)).trunc()
    });
    prop::collection::vec((prop_oneof![v4, v6], 0..6_u8), 0..150)
}

proptest! {
    #[test]
    fn look_ups_are_those_of_a_list(routes in prefixes(), some in prop::collection::vec(any::<u32>(), 20)) {
        let built = Routes::new(routes.iter().map(|(to, number)| (*to, host(*number)))).0;
        let ends = routes.iter().flat_map(|(to, _)| [to.network(), to.broadcast()]);
        let beside = |address: IpAddr| match address {
            IpAddr::V4(a) => [a.to_bits().wrapping_sub(1), a.to_bits().wrapping_add(1)].map(|b| std::net::Ipv4Addr::from(b).into()),
            IpAddr::V6(a) => [a.to_bits().wrapping_sub(1), a.to_bits().wrapping_add(1)].map(|b| std::net::Ipv6Addr::from(b).into()),
        };
        let some = some.iter().map(|bits| IpAddr::V4((*bits).into()));
        for address in ends.clone().chain(ends.flat_map(beside)).chain(some) {
            let longest = routes.iter().rev().filter(|(to, _)| to.contains(&address)).max_by_key(|(to, _)| to.prefix_len());
            let wanted = longest.map(|(_, number)| host(*number));
            prop_assert_eq!(built.gateway(address), wanted.as_ref(), "{}", address);
        }
    }

    #[test]
    fn lines_are_read_or_told(line in "[0-9a-f.:/# \t\u{e4}-]{0,40}") {
        match parse_line(&line) {
            Ok(Some((to, host))) => prop_assert_eq!(parse_line(&format!("{to} {host}")), Ok(Some((to, host)))),
            Ok(None) => {}
            Err(bad) => prop_assert!(line.get(bad.at..bad.at + bad.len).is_some_and(|part| !part.is_empty())),
        }
    }
}

#[test]
fn lines_have_comments() {
    let route = |to: &str, host: &str| Ok(Some((to.parse().unwrap(), host.parse().unwrap())));
    assert_eq!(parse_line("192.168.123.1 host-1"), route("192.168.123.1/32", "host-1"));
    assert_eq!(parse_line("  fd00::/8\thost-2 # over there"), route("fd00::/8", "host-2"));
    assert_eq!((parse_line("# nothing"), parse_line("")), (Ok(None), Ok(None)));
    for (line, part) in
        [("10.0.0.1/8 a", "10.0.0.1/8"), ("10.0.0.0/8", "10.0.0.0/8"), ("x a", "x"), ("::/0 a b", "b"), ("::/0 ü", "ü")]
    {
        let bad = parse_line(line).unwrap_err();
        assert_eq!(&line[bad.at..bad.at + bad.len], part);
    }
}

/// `cargo test --release --lib -- --ignored --nocapture look_up_cost` says what a look-up costs.
#[test]
#[ignore = "measures"]
fn look_up_cost() {
    let mut bits = 1_u64;
    let mut next = || {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (bits >> 32) as u32
    };
    let routes: Vec<(IpNet, Gateway)> = (0..100_000)
        .map(|_| {
            let (address, len) = (next(), 16 + next() % 17);
            let net = ipnet::Ipv4Net::new_assert(address.into(), len as u8).trunc();
            (net.into(), Gateway::Host(format!("host-{}", next() % 1000).parse().unwrap()))
        })
        .collect();
    let began = std::time::Instant::now();
    let (table, _) = Routes::new(routes.iter().cloned());
    println!("made of {} routes in {:?}: {} stretches", table.len(), began.elapsed(), table.v4.starts.len());
    let addresses: Vec<IpAddr> = (0..1_000_000).map(|_| IpAddr::V4(next().into())).collect();
    let began = std::time::Instant::now();
    let hits = addresses.iter().filter(|address| table.find(**address).is_some()).count();
    println!("{:?} each, {hits} found", began.elapsed() / addresses.len() as u32);
    let began = std::time::Instant::now();
    drop(table);
    println!("let go of in {:?}", began.elapsed());
}
