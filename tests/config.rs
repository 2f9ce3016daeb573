//! The meaning of configurations from the outside: a folder per case, and what the folders cannot hold.
//!
//! A case is a folder under `tests/fixtures/config/`: a root with `etc/netns/web/network/interfaces` and whatever else
//! it needs, and `machine`, what the configuration sees of the machine: `link NAME [VARIABLE=VALUE]…` and
//! `map SCRIPT ARGUMENT OUTPUT`. `expected.txt` is what there is to say, then what is desired.
//! `UPDATE_EXPECT=1 cargo test --test config` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;
use systemd_netns::config::{self, Loaded, Nothing, Surroundings};
use systemd_netns::model::{Desired, DesiredLink, LinkName, Netns, NetnsName, Stanza};

/// A machine in memory.
#[derive(Default)]
struct Machine {
    links: Vec<(LinkName, BTreeMap<String, String>)>,
    scripts: BTreeMap<(String, String), String>,
}

impl Machine {
    fn read(text: &str) -> Self {
        let mut machine = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["link", name, ref rest @ ..] => {
                    let attributes = rest.iter().filter_map(|word| word.split_once('='));
                    let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                    machine.links.push((name.parse().unwrap(), attributes));
                }
                ["map", script, argument, ref output @ ..] => {
                    machine.scripts.insert((script.to_owned(), argument.to_owned()), output.join("\n"));
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

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap().replace('"', "").replace(",", ", ").replace(":", ": ").replace(":  :", "::")
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
    for dns in &loaded.dns {
        writeln!(text, "dns of {}: {} {}", dns.place, dns.option, dns.value).unwrap();
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
    let needed: Vec<String> = config::host_links(desired).iter().map(LinkName::to_string).collect();
    writeln!(text, "needs {}", needed.join(" "))
}

fn render_link(text: &mut String, link: &DesiredLink) -> std::fmt::Result {
    let place = match &link.place.netns {
        Netns::Host => format!("{} on the host", link.place.link),
        Netns::Named(_) => link.place.to_string(),
    };
    let from = link.from.map_or(String::new(), |from| format!(", {from} on the host"));
    writeln!(text, "link {place}{from}, {:?}: {}", link.presence, json(&link.link))?;
    for (key, value) in &link.sysctls {
        writeln!(text, "  sysctl {key} = {value}")?;
    }
    link.stanzas.iter().try_for_each(|stanza| render_stanza(text, stanza))
}

fn render_stanza(text: &mut String, stanza: &Stanza) -> std::fmt::Result {
    writeln!(text, "  stanza{}", stanza.dad.map_or(String::new(), |dad| format!(", dad {dad:?}")))?;
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
