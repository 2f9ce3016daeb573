//! The kernel's hands: namespaces, operations and their failures, waiting; in worlds of their own.

mod common;

use common::ops::*;
use common::{eventually, in_world, sh, try_sh};
use nix::errno::Errno;
use std::collections::BTreeSet;
use std::time::Duration;
use systemd_netns::kernel::{Error, Kernel, Namespace, Wanted, netns};
use systemd_netns::model::{Kind, Netns, Place, State, VlanProtocol};
use systemd_netns::plan::{LinkSetting, Op};

/// The mounts on `/run/netns`; the machine may have one of its own, which the world's `/run` covers.
fn mounts_of_names() -> usize {
    sh("grep ' /run/netns ' /proc/self/mountinfo || true").lines().count()
}

#[test]
fn namespaces_are_made_and_deleted_side_by_side_with_ip_netns() {
    in_world(|| {
        let mounts = mounts_of_names();
        let made = netns::create(&name("ours")).unwrap();
        sh("ip netns add theirs");
        assert_eq!(sh("ip netns list | sort | cut -d' ' -f1"), "ours\ntheirs\n");
        assert_eq!(netns::list().unwrap(), [name("ours"), name("theirs")]);
        assert_eq!(Namespace::named(&name("ours")).unwrap().identity(), made.identity());
        assert_eq!(sh("ip -n ours -o link | wc -l").trim(), "1");
        assert!(matches!(netns::create(&name("theirs")), Err(Error::NetnsExists(_))));
        assert_eq!(mounts_of_names(), mounts + 1);
        assert!(sh("grep ' /run/netns ' /proc/self/mountinfo | tail -n 1").contains("shared:"));
        sh("ip netns delete ours");
        netns::delete(&name("theirs")).unwrap();
        assert_eq!(netns::list().unwrap(), []);
        assert_eq!(sh("ls /run/netns"), "");
        assert!(matches!(netns::delete(&name("theirs")), Err(Error::NoNetns(_))));
    });
}

#[test]
fn making_a_namespace_leaves_the_caller_where_it_is() {
    in_world(|| {
        let before = Namespace::own().unwrap().identity();
        let made = netns::create(&name("a")).unwrap();
        assert_eq!(Namespace::own().unwrap().identity(), before);
        let seen = made.within(|| Namespace::own().unwrap().identity()).unwrap();
        assert_eq!(seen, made.identity());
        assert_ne!(seen, before);
        assert_eq!(Namespace::own().unwrap().identity(), before);
    });
}

#[test]
fn links_are_deleted_together_and_no_others() {
    in_world(|| {
        let links = || sh("ip -j link | grep -o '\"ifname\":\"[^\"]*' | cut -d'\"' -f4 | sort | tr '\\n' ' '");
        let delete = |names: &[&str]| names.iter().map(|name| Op::DeleteLink(host(name))).collect::<Vec<_>>();
        let make = "ip link add a0 type bridge; ip link add a1 type veth peer name a2; ip link set a1 master a0";
        sh(make);
        sh("ip link add other type bridge; ip link set other group 7");
        // Both ends of a pair, which go with one another.
        Kernel::new().apply(&delete(&["a0", "a1", "a2"])).unwrap();
        assert_eq!(links(), "lo other ");
        sh(make);
        let failed = Kernel::new().apply_all(&delete(&["a0", "gone", "a1"]));
        assert!(failed.len() == 1 && failed[0].index == 1 && failed[0].error.is_absent(), "{failed:?}");
        assert_eq!(links(), "lo other ");
        sh(make);
        let failed = Kernel::new().apply(&delete(&["a0", "gone", "a1"])).unwrap_err();
        assert_eq!((failed.index, links().as_str()), (1, "a1 a2 lo other "));
        assert_eq!(sh("ip -o link show group default | grep -c ' a[12]@'").trim(), "2");
    });
}

#[test]
fn a_half_made_namespace_counts_as_none_and_can_be_deleted() {
    in_world(|| {
        netns::create(&name("whole")).unwrap();
        std::fs::write("/run/netns/half", "").unwrap();
        assert!(!netns::is_mounted(&name("half")));
        assert!(netns::is_mounted(&name("whole")));
        assert_eq!(netns::list().unwrap(), [name("whole")]);
        assert!(matches!(Namespace::named(&name("half")), Err(Error::NoNetns(_))));
        assert_eq!(observe(&[inside("half")]).state, State::default());
        netns::delete(&name("half")).unwrap();
        assert!(!std::path::Path::new("/run/netns/half").exists());
    });
}

#[test]
fn many_at_once_make_one_mount_and_one_namespace_each() {
    in_world(|| {
        let mounts = mounts_of_names();
        std::thread::scope(|scope| {
            for number in 0..8 {
                scope.spawn(move || netns::create(&name(&format!("n{number}"))).unwrap());
            }
        });
        assert_eq!(netns::list().unwrap().len(), 8);
        assert_eq!(mounts_of_names(), mounts + 1);
    });
}

#[test]
fn the_processes_inside_are_found() {
    in_world(|| {
        let made = netns::create(&name("a")).unwrap();
        assert_eq!(netns::pids(&made).unwrap(), []);
        let mut child = std::process::Command::new("ip").args(["netns", "exec", "a", "sleep", "60"]).spawn().unwrap();
        let found = eventually("a process inside", || netns::pids(&made).unwrap().into_iter().next());
        assert_eq!(found.pid, child.id());
        child.kill().unwrap();
        child.wait().unwrap();
    });
}

#[test]
fn a_link_stays_when_its_new_name_is_taken() {
    in_world(|| {
        sh("ip netns add a; ip -n a link add eth0 type veth peer name x
            ip link add p0 type veth peer name p1; ip address add 10.0.0.1/24 dev p0; ip link set p0 up
            ip link property add dev p1 altname eth7; ip address add 10.0.1.1/24 dev p1");
        for (from, to) in [("p0", "eth0"), ("p1", "eth7")] {
            let op = Op::MoveLink { from: host(from), to: at(&inside("a"), to) };
            let failure = Kernel::new().apply(&[op]).unwrap_err();
            assert!(failure.error.is_exists(), "{failure}");
        }
        let seen = observe(&[Netns::Host, inside("a")]).state;
        assert!(seen.link(&host("p0")).is_some() && seen.link(&host("p1")).is_some());
        assert_eq!(seen.netns[&Netns::Host].addresses_of(link("p0")).len(), 1);
        assert_eq!(seen.netns[&Netns::Host].addresses_of(link("p1")).len(), 1);
        assert_eq!(seen.netns[&inside("a")].links.len(), 3);
    });
}

#[test]
fn an_error_in_a_batch_is_that_of_its_operation() {
    in_world(|| {
        sh(ROUTED);
        let a = inside("a");
        let mut ops: Vec<Op> = (0..3000u32)
            .map(|n| {
                let to = format!("10.{}.{}.0/24", n / 250, n % 250);
                add_route(&a, &to, Some("192.0.2.2"), Some("eth0"))
            })
            .collect();
        let wrong = [0, 1, 17, 998, 999, 1500, 2999];
        for index in wrong {
            ops[index] = add_route(&a, "172.16.0.0/12", Some("203.0.113.77"), Some("eth0"));
        }
        ops[2000] = add_route(&a, "172.16.0.0/12", None, Some("eth9"));
        let failures = Kernel::new().apply_all(&ops);
        let indexes: Vec<usize> = failures.iter().map(|failure| failure.index).collect();
        assert_eq!(indexes, [0, 1, 17, 998, 999, 1500, 2000, 2999]);
        assert_eq!(failures[0].error.errno(), Some(Errno::ENETUNREACH));
        assert_eq!(failures[0].to_string(), "Network is unreachable: Nexthop has invalid gateway");
        assert_eq!(failures[6].error, Error::NoLink(link("eth9")));
        assert_eq!(observe(std::slice::from_ref(&a)).state.netns[&a].routes.len(), 2992);
    });
}

#[test]
fn the_first_failure_of_a_run_is_the_one_that_is_told() {
    in_world(|| {
        sh(ROUTED);
        let a = inside("a");
        let good = |n: u32| add_route(&a, &format!("10.0.{n}.0/24"), Some("192.0.2.2"), Some("eth0"));
        let ops = [good(1), good(1), good(2), good(2), add_route(&a, "10.9.0.0/24", None, Some("eth9"))];
        let failure = Kernel::new().apply(&ops).unwrap_err();
        assert_eq!(failure.index, 1);
        assert!(failure.error.is_exists());
        let elsewhere = [Op::DeleteLink(host("none")), Op::AddNetns(name("never"))];
        let failure = Kernel::new().apply(&elsewhere).unwrap_err();
        assert_eq!(failure.index, 0);
        assert!(failure.error.is_absent(), "{failure}");
        assert!(!netns::is_mounted(&name("never")));
        let nowhere = Kernel::new().apply(&[add_address(&at(&inside("none"), "lo"), "10.0.0.1/8")]).unwrap_err();
        assert_eq!(nowhere.error, Error::NoNetns(name("none")));
    });
}

#[test]
fn ten_thousand_routes_arrive() {
    in_world(|| {
        sh(ROUTED);
        let a = inside("a");
        let to = |n: u32| match n % 2 {
            0 => format!("10.{}.{}.0/24", n / 250, n % 250),
            _ => format!("2001:db8:1:{n:x}::/64"),
        };
        let via = |n: u32| if n.is_multiple_of(2) { "192.0.2.2" } else { "2001:db8::2" };
        let ops: Vec<Op> = (0..10_000).map(|n| add_route(&a, &to(n), Some(via(n)), Some("eth0"))).collect();
        let mut kernel = Kernel::new();
        kernel.apply(&ops).unwrap();
        let seen = kernel.observe(&Wanted { netns: BTreeSet::from([a.clone()]), ..Wanted::default() }).unwrap();
        let seen: BTreeSet<String> = seen.state.netns[&a].routes.iter().map(|r| format!("{r:?}")).collect();
        let asked = ops.iter().map(|op| match op {
            Op::AddRoute { route, .. } => format!("{route:?}"),
            _ => unreachable!(),
        });
        assert_eq!(seen, asked.collect());
        assert_eq!(sh("ip -n a route show via 192.0.2.2 | wc -l").trim(), "5000");
    });
}

#[test]
fn a_link_that_a_command_makes_is_awaited() {
    in_world(|| {
        sh("ip netns add a");
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sleep 0.3; ip -n a link add eth0 type veth peer name x"])
            .spawn()
            .unwrap();
        let place = at(&inside("a"), "eth0");
        Kernel::new().apply(&[Op::AwaitLink(place.clone()), set(&place, LinkSetting::Up(true))]).unwrap();
        child.wait().unwrap();
    });
}

const TWO_HOSTS: &str = "ip netns add a; ip netns add b; ip -n a link add eth0 type veth peer name eth0 netns b
    for n in a b; do ip netns exec $n sysctl -qw net.ipv6.conf.eth0.addr_gen_mode=1; done";

#[test]
fn duplicate_address_detection_is_awaited() {
    in_world(|| {
        sh(TWO_HOSTS);
        let (a, b) = (at(&inside("a"), "eth0"), at(&inside("b"), "eth0"));
        let limit = Duration::from_secs(10);
        let dad = |place: &Place| Op::AwaitDad { place: place.clone(), limit };
        apply(&[set(&a, LinkSetting::Up(true)), set(&b, LinkSetting::Up(true)), add_address(&a, "2001:db8::1/64")]);
        apply(&[dad(&a)]);
        assert_eq!(sh("ip -n a -6 address show dev eth0 tentative"), "");
        apply(&[add_address(&b, "2001:db8::1/64")]);
        let failure = Kernel::new().apply(&[dad(&b)]).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "address 2001:db8::1 on eth0 is used by another host (duplicate address detection)"
        );
        let missing = at(&inside("a"), "eth7");
        assert_eq!(Kernel::new().apply(&[dad(&missing)]).unwrap_err().error, Error::NoLink(missing.link));
    });
}

#[test]
fn without_carrier_there_is_no_waiting_and_too_long_is_an_error() {
    in_world(|| {
        sh(TWO_HOSTS);
        let (a, b) = (at(&inside("a"), "eth0"), at(&inside("b"), "eth0"));
        apply(&[set(&a, LinkSetting::Up(true)), add_address(&a, "2001:db8::1/64")]);
        apply(&[Op::AwaitDad { place: a.clone(), limit: Duration::from_secs(1000) }]);
        sh("ip netns exec a sysctl -qw net.ipv6.conf.eth0.dad_transmits=50");
        apply(&[set(&b, LinkSetting::Up(true)), add_address(&a, "2001:db8::2/64")]);
        let short = Op::AwaitDad { place: a, limit: Duration::from_millis(30) };
        let failure = Kernel::new().apply(&[short]).unwrap_err();
        assert_eq!(failure.to_string(), "duplicate address detection on eth0 was not done within 0.03 s");
    });
}

#[test]
fn a_conversation_outlives_changes_that_others_make() {
    in_world(|| {
        let mut kernel = Kernel::new();
        let eth0 = at(&inside("a"), "eth0");
        sh("ip netns add a; ip link add link0 type veth peer name eth0 netns a");
        kernel.apply(&[add_address(&eth0, "10.0.0.1/8")]).unwrap();
        sh("ip netns delete a; ip netns add a; ip link add link1 type veth peer name eth0 netns a");
        kernel.apply(&[add_address(&eth0, "10.0.0.1/8")]).unwrap();
        sh("ip -n a link delete eth0; ip -n a link add other type veth peer name eth0");
        kernel.apply(&[add_address(&eth0, "10.0.0.1/8"), Op::DeleteNetns(name("a"))]).unwrap();
        assert!(try_sh("ip netns list").stdout.is_empty());
    });
}

#[test]
fn what_cannot_be_asked_for_is_an_error_and_no_panic() {
    in_world(|| {
        sh("ip link add l0 type veth peer name m0");
        let vlan = Kind::Vlan { parent: None, id: 5, protocol: VlanProtocol::Ieee8021Q };
        let ops = [
            Op::AddLink { place: host("v"), kind: vlan },
            Op::AddLink { place: host("w"), kind: Kind::Other("wireguard".into()) },
            set(&host("l0"), LinkSetting::Alias("x".repeat(70_000))),
            set(&host("l0"), LinkSetting::AddAltname("x".repeat(70_000))),
            set(&host("l0"), LinkSetting::Alias("x".repeat(255))),
        ];
        let failures = Kernel::new().apply_all(&ops);
        assert_eq!(failures.iter().map(|f| f.index).collect::<Vec<_>>(), [0, 1, 2, 3]);
    });
}
