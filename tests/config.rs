//! The meaning of configurations from the outside: a folder per case, and what the folders cannot hold.
//!
//! A case is a folder under `tests/fixtures/config/`: a root with `etc/netns/web/network/interfaces` and whatever else
//! it needs, and `machine`, what the configuration sees of the machine: `link NAME [VARIABLE=VALUE]…` and
//! `altname ALTNAME NAME`, `uplink NETNS inet|inet6 LINK`, `map SCRIPT ARGUMENT OUTPUT`, and `programs NAME…`, which are installed. `expected.txt` is what
//! there is to say, then what is desired.
//! `UPDATE_EXPECT=1 cargo test --test config` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use systemd_netns::config::{self, Loaded, Nothing, Surroundings};
use systemd_netns::model::{Desired, DesiredLink, LinkName, Netns, NetnsName, Stanza};

/// A machine in memory.
#[derive(Default)]
struct Machine {
    links: Vec<(LinkName, BTreeMap<String, String>)>,
    altnames: Vec<(String, LinkName)>,
    scripts: BTreeMap<(String, String), String>,
    /// The links of default routes, by namespace and whether for IPv6.
    uplinks: BTreeMap<(String, bool), LinkName>,
    /// Every program when none is named.
    programs: Vec<String>,
}

impl Machine {
    fn read(text: &str) -> Self {
        let mut machine = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["programs", ref names @ ..] => machine.programs.extend(names.iter().map(|n| (*n).to_owned())),
                ["link", name, ref rest @ ..] => {
                    let attributes = rest.iter().filter_map(|word| word.split_once('='));
                    let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                    machine.links.push((name.parse().unwrap(), attributes));
                }
                ["altname", altname, name] => machine.altnames.push((altname.to_owned(), name.parse().unwrap())),
                ["map", script, argument, ref output @ ..] => {
                    machine.scripts.insert((script.to_owned(), argument.to_owned()), output.join("\n"));
                }
                ["uplink", netns, family, link] => {
                    machine.uplinks.insert((netns.to_owned(), family == "inet6"), link.parse().unwrap());
                }
                [] => {}
                _ => panic!("machine: {line}"),
            }
        }
        machine
    }
}

impl Surroundings for Machine {
    fn links(&self) -> Vec<LinkName> {
        self.links.iter().map(|(name, _)| *name).collect()
    }

    fn attribute(&self, link: &LinkName, variable: &str) -> Option<String> {
        self.links.iter().find(|(name, _)| name == link)?.1.get(variable).cloned()
    }

    fn installed(&self, program: &str) -> bool {
        self.programs.is_empty() || self.programs.iter().any(|p| p == program)
    }

    fn by_altname(&self, name: &str) -> Option<LinkName> {
        self.altnames.iter().find(|(altname, _)| altname == name).map(|(_, link)| *link)
    }

    fn uplink(&self, netns: &NetnsName, ipv6: bool) -> Option<LinkName> {
        self.uplinks.get(&(netns.to_string(), ipv6)).copied()
    }

    fn map(&self, script: &str, argument: &str, lines: &[String]) -> Result<String, String> {
        let key = (script.to_owned(), argument.to_owned());
        let output = self.scripts.get(&key).ok_or_else(|| format!("{script}: no such file"))?;
        Ok(output.replace("LINES", &lines.join(",")))
    }
}

fn web() -> NetnsName {
    "web".parse().unwrap()
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config")
}

fn load_case(case: &Path) -> Loaded {
    let machine = Machine::read(&fs::read_to_string(case.join("machine")).unwrap_or_default());
    config::load(case, &web(), &machine)
}

fn render(case: &Path, loaded: &Loaded) -> String {
    let mut text = String::new();
    for diagnostic in &loaded.diagnostics {
        writeln!(text, "{diagnostic}").unwrap();
    }
    match &loaded.desired {
        None => text += "nothing\n",
        Some(desired) => render_desired(&mut text, desired).unwrap(),
    }
    for (link, wait) in &loaded.awaited {
        writeln!(text, "waits for {link} {wait:?}").unwrap();
    }
    text.replace(&case.display().to_string(), "")
}

fn render_desired(text: &mut String, desired: &Desired) -> std::fmt::Result {
    for link in &desired.links {
        render_link(text, link)?;
    }
    for (netns, rule) in &desired.rules {
        writeln!(text, "rule of {netns} {}", serde_json::to_string(rule).unwrap())?;
    }
    for (netns, key, value) in &desired.sysctls {
        writeln!(text, "sysctl of {netns} {key} = {value}")?;
    }
    if !desired.uses.is_empty() {
        writeln!(text, "uses {}", desired.uses.iter().map(NetnsName::as_str).collect::<Vec<_>>().join(" "))?;
    }
    if let Some(ruleset) = &desired.ruleset {
        for part in &ruleset.parts {
            writeln!(text, "rules of {}:{}", part.file.display(), part.line)?;
            part.text.lines().try_for_each(|line| writeln!(text, "  {line}"))?;
        }
    }
    if let Some(table) = &desired.table {
        writeln!(text, "table {}", table.name)?;
        table.chains.lines().try_for_each(|line| writeln!(text, "{line}"))?;
        table.translations.iter().try_for_each(|t| writeln!(text, "shown as {} {}: {}", t.section, t.name, t.what))?;
    }
    desired.optional.iter().try_for_each(|key| writeln!(text, "optional {key}"))?;
    desired.resolv.to_string().lines().try_for_each(|line| writeln!(text, "resolv.conf: {line}"))?;
    if desired.scripts != Stanza::default() {
        writeln!(text, "for all links together")?;
        render_stanza(text, &desired.scripts)?;
    }
    let needed: Vec<String> = config::host_links(desired).iter().map(LinkName::to_string).collect();
    writeln!(text, "needs {}", needed.join(" "))
}

fn render_link(text: &mut String, link: &DesiredLink) -> std::fmt::Result {
    let place = match &link.place.netns {
        Netns::Host => format!("{} on the host", link.place.link),
        Netns::Named(_) => link.place.to_string(),
    };
    let from = link.from.map_or(String::new(), |from| format!(", {from} on the host"));
    writeln!(text, "link {place}{from}, {:?}: {}", link.presence, serde_json::to_string(&link.link).unwrap())?;
    if let Some(wait) = link.wait {
        writeln!(text, "  wait {wait:?}")?;
    }
    if let Some(device) = &link.device {
        writeln!(text, "  device {}", serde_json::to_string(device).unwrap())?;
    }
    for (key, value) in &link.sysctls {
        writeln!(text, "  sysctl {key} = {value}")?;
    }
    link.stanzas.iter().try_for_each(|stanza| render_stanza(text, stanza))
}

fn render_stanza(text: &mut String, stanza: &Stanza) -> std::fmt::Result {
    writeln!(text, "  stanza{}", stanza.dad.map_or(String::new(), |dad| format!(", dad {dad:?}")))?;
    if let Some(dhcp) = &stanza.dhcp {
        writeln!(text, "    dhcp {}", serde_json::to_string(dhcp).unwrap())?;
    }
    for address in &stanza.addresses {
        writeln!(text, "    address {}", serde_json::to_string(address).unwrap())?;
    }
    for route in &stanza.routes {
        writeln!(text, "    route {}", serde_json::to_string(route).unwrap())?;
    }
    for (name, value) in &stanza.environment {
        writeln!(text, "    {name}={}", value.escape_debug())?;
    }
    let phases =
        [("pre-up", &stanza.pre_up), ("up", &stanza.up), ("down", &stanza.down), ("post-down", &stanza.post_down)];
    if stanza.early > 0 {
        writeln!(text, "    pre-up lines before the link is made: {}", stanza.early)?;
    }
    for (phase, lines) in phases {
        lines.iter().try_for_each(|line| writeln!(text, "    {phase}: {line}"))?;
    }
    Ok(())
}

#[test]
fn every_case_means_what_is_expected() {
    let mut failures = Vec::new();
    let mut cases: Vec<PathBuf> = fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 60, "{} cases in {}", cases.len(), fixtures().display());
    for case in cases {
        let actual = render(&case, &load_case(&case));
        let expected = case.join("expected.txt");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&expected, &actual).unwrap();
        }
        let wanted = fs::read_to_string(&expected).unwrap_or_default();
        if actual != wanted {
            failures.push(format!("{}\n<<<< expected\n{wanted}==== actual\n{actual}>>>>", case.display()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A root with one namespace's file, in a folder of its own.
fn root(name: &str, interfaces: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("config").join(name);
    let folder = root.join("etc/netns/web/network");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("interfaces"), interfaces).unwrap();
    root
}

#[test]
fn namespaces_are_listed_by_their_files() {
    let root = root("list", "");
    for name in ["nginx", r"foo\x2dbar", "a b", "empty"] {
        fs::create_dir_all(root.join("etc/netns").join(name).join("network")).unwrap();
    }
    for name in ["nginx", r"foo\x2dbar", "a b"] {
        fs::write(root.join("etc/netns").join(name).join("network/interfaces"), "").unwrap();
    }
    let names: Vec<String> = config::list(&root).iter().map(NetnsName::to_string).collect();
    assert_eq!(names, [r"foo\x2dbar", "nginx", "web"]);
    assert_eq!(config::list(Path::new("/nonexistent")), []);
}

#[test]
fn links_know_where_they_are_named() {
    let root = root("spans", "auto eth0.5\niface eth0.5 inet manual\niface br0..1 inet manual\n");
    let loaded = config::load(&root, &web(), &Nothing);
    let place = |span: &dyn std::fmt::Display| span.to_string().replace(&root.display().to_string(), "");
    let spans: Vec<String> = loaded.spans.iter().map(|(at, span)| format!("{at}: {}", place(span))).collect();
    assert_eq!(
        spans.iter().filter(|line| !line.starts_with("ve")).collect::<Vec<_>>(),
        [
            "br0: /etc/netns/web/network/interfaces:3:7",
            "eth0: /etc/netns/web/network/interfaces:1:6",
            "br0..1 in web: /etc/netns/web/network/interfaces:3:7",
            "eth0.5 in web: /etc/netns/web/network/interfaces:1:6",
        ]
    );
    assert_eq!(spans.len(), 5);
}

/// A file with five thousand of something is read to its end, and what is said of it is bounded. `tests/bench` has the times.
#[track_caller]
fn assert_ends(name: &str, file: impl Fn(usize) -> String) {
    let root = root(&format!("{name}-big"), &file(5000));
    let loaded = config::load(&root, &web(), &Nothing);
    assert_eq!(loaded.desired.is_none(), loaded.has_errors(), "{name}");
    assert!(loaded.diagnostics.len() < 2000, "{name}: {} diagnostics", loaded.diagnostics.len());
}

#[test]
fn big_files_are_read_to_their_end() {
    let many = |line: &dyn Fn(usize) -> String, n: usize| (0..n).map(line).collect::<String>();
    let route = |i: usize| format!("  route 10.{}.{}.0/24 via 192.0.2.1\n", i / 256, i % 256);
    let stanza = "auto eth0\niface eth0 inet static\n  address 192.0.2.2/24\n";
    assert_ends("routes", |n| format!("{stanza}{}", many(&route, n)));
    assert_ends("unknown", |n| format!("{stanza}{}", many(&|i| format!("  adress{i} x\n"), n)));
    assert_ends("mistakes", |n| format!("{stanza}{}", many(&|_| "  route x\n".to_owned(), n)));
    assert_ends("commands", |n| format!("{stanza}{}", many(&|i| format!("  up echo {i}\n"), n)));
    assert_ends("links", |n| many(&|i| format!("auto e{i}\niface e{i} inet manual\n"), n));
    assert_ends("vlans", |n| many(&|i| format!("auto e{i}.1\niface e{i}.1 inet manual\niface e{i} inet manual\n"), n));
    assert_ends("stanzas", |n| {
        format!("auto eth0\n{}", many(&|_| "iface eth0 inet manual\n  mtu 1400\n".to_owned(), n))
    });
    assert_ends("ports", |n| many(&|i| format!("iface b{i}..1 inet manual\n"), n));
    assert_ends("heirs", |n| {
        let heir = |i: usize| format!("auto e{i}\niface e{i} inherits t\n");
        format!("template t\n  mtu 1400\n  mtv 1400\n{}", many(&heir, n))
    });
    assert_ends("chain", |n| {
        let heir = |i: usize| format!("iface e{} inherits e{i}\n  up true\nauto e{i}\n", i + 1);
        format!("iface e0 inet manual\n{}", many(&heir, n))
    });
    assert_ends("fan", |n| {
        let level = |i: usize| {
            format!("template t{}\nauto t{i}\n  use x\niface t{} inherits{}\n", i, i + 1, format!(" t{i}").repeat(9))
        };
        format!("iface t0 inet manual\n{}", many(&level, n.min(40)))
    });
    assert_ends("bridges", |n| {
        many(
            &|i| {
                format!(
                    "auto b{i}\niface b{i} inet manual\n  bridge_ports e{i} f{i}.7\n  bridge-vlan-aware yes\n  bridge-vids 2-9\n"
                )
            },
            n,
        )
    });
    assert_ends("bridge-ports", |n| {
        format!("auto b\niface b inet manual\n  bridge_ports{}\n", many(&|i| format!(" e{i}"), n))
    });
    assert_ends("slaves", |n| {
        let slave =
            |i: usize| format!("auto e{i}\niface e{i} inet manual\n  bond-master b{}\n  bond-primary e1\n", i / 9);
        let bond = |i: usize| format!("iface b{i} inet manual\n  bond-slaves none\n  bond-mode 1\n");
        many(&slave, n) + &many(&bond, n / 9 + 1)
    });
    assert_ends("bonds-of-bonds", |n| {
        many(&|i| format!("auto b{i}\niface b{i} inet manual\n  bond-mode 1\n  bond-master b{}\n", i + 1), n)
    });
    assert_ends("vrfs", |n| {
        let member = |i: usize| format!("auto e{i}\niface e{i} inet manual\n  vrf v{i}\n  requires e{}\n", i + 1);
        many(&|i| format!("iface v{i}\n  vrf-table auto\n"), n) + &many(&member, n)
    });
    assert_ends("expressions", |n| {
        let word = |i: usize| format!(" (e|f{i})+.*");
        let links = many(&|i| format!("auto e{i}\niface e{i} inet manual\n"), n);
        format!("{links}auto b\niface b inet manual\n  bridge_ports regex{}\n", many(&word, n.min(20)))
    });
    assert_ends("costs", |n| {
        let cost = |i: usize| format!("  bridge-pathcosts e{i}=5\n  bridge_portprio e{i} 5\n");
        format!(
            "auto b\niface b inet manual\n  bridge_ports{}\n{}",
            many(&|i| format!(" e{i}"), n.min(500)),
            many(&cost, n)
        )
    });
    assert_ends("raw", |n| {
        many(&|i| format!("auto v{i}\niface v{i} inet manual\n  vlan-raw-device v{}\n  vlan-id 1\n", i + 1), n)
    });
}

/// The rows between two marks of the README: a line of a file, and how it is told.
fn mistakes_of_the_readme() -> Vec<(String, String)> {
    let readme = include_str!("../README.md");
    let table = readme.split("<!-- table: mistakes -->").nth(1).unwrap().split("<!-- end of table -->").next().unwrap();
    let rows = table.lines().skip(3).filter_map(|row| {
        let (line, told) = row.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | ")?;
        Some((line.to_owned(), told.to_owned()))
    });
    rows.collect()
}

#[test]
fn every_mistake_of_the_documentation_is_told_as_it_says() {
    let rows = mistakes_of_the_readme();
    assert!(rows.len() >= 15, "{} rows", rows.len());
    for (line, told) in rows {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("config/xfrm-table");
        let folder = root.join("etc/netns/strongswan/network");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("interfaces"), "auto eth0\niface eth0 inet static\n address 192.0.2.10/24\n").unwrap();
        let key = line.split_whitespace().next().unwrap();
        let others = ["IfId = 17", "Prefixes = 10.2.0.0/16"].into_iter().filter(|other| !other.starts_with(key));
        let text: String = ["[ipsec0]", &line].into_iter().chain(others).map(|line| format!("{line}\n")).collect();
        fs::write(folder.join("xfrm"), &text).unwrap();
        let loaded = config::load(&root, &"strongswan".parse().unwrap(), &Nothing);
        let said: Vec<&str> = loaded.diagnostics.iter().map(|d| d.message.as_str()).collect();
        assert!(said.contains(&told.as_str()), "{text}\nexpected: {told}\nsaid: {said:#?}");
        let place = loaded.diagnostics[0].span.as_ref().unwrap();
        assert_eq!(place.line, 2, "{text}: {said:#?}");
        assert!(loaded.has_errors(), "{text}");
    }
}

#[test]
fn the_gateway_of_the_documentation_is_understood() {
    let readme = include_str!("../README.md");
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("config/xfrm-gateway");
    let example =
        readme.split("<!-- example: an IPsec gateway -->").nth(1).unwrap().split("<!-- end -->").next().unwrap();
    for file in example.split("<!-- file: ").skip(1) {
        let (path, rest) = file.split_once(" -->\n```\n").unwrap();
        let path = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, rest.split("```").next().unwrap()).unwrap();
    }
    for name in ["strongswan", "tunnel", "warriors"] {
        let loaded = config::load(&root, &name.parse().unwrap(), &Machine::read("uplink warriors inet eth2"));
        assert!(loaded.diagnostics.is_empty(), "{:#?}", loaded.diagnostics);
        let desired = loaded.desired.unwrap();
        assert_eq!(desired.uses.len(), if name == "strongswan" { 2 } else { 0 });
        assert_eq!(desired.rules.len(), if name == "strongswan" { 2 } else { 0 }, "both families");
    }
}
