//! Who may name whom: the table of `src/lib.rs`, enforced on the source text.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What each module may name of the crate, and of other crates what only it may.
fn allowed() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("model", &[][..]),
        ("interfaces", &[]),
        ("config", &["model", "interfaces", "router"]),
        ("plan", &["model"]),
        ("kernel", &["model", "plan"]),
        ("system", &["model", "interfaces", "plan"]),
        ("apply", &["model", "plan", "kernel", "system"]),
        ("report", &["model", "plan", "kernel", "system"]),
        ("metrics", &["model", "kernel"]),
        ("cli", &["model"]),
        ("router", &["model", "kernel", "system"]),
    ])
}

/// Crates that stay in one module.
const OWNERS: [(&str, &[&str]); 13] = [
    ("rustls", &["router"]),
    ("tokio_rustls", &["router"]),
    ("webpki", &["router"]),
    ("subtle", &["router"]),
    ("ureq", &["router"]),
    ("redis", &["router"]),
    ("uuid", &["model", "router", "config"]),
    ("netlink_packet_route", &["kernel"]),
    ("rtnetlink", &["kernel"]),
    ("netlink_sys", &["kernel"]),
    ("zbus", &["system"]),
    ("configparser", &["config"]),
    ("clap", &["cli", "commands", "main"]),
];

fn sources() -> Vec<(String, PathBuf, String)> {
    let mut found = Vec::new();
    let mut dirs = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let below = path.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
                let module = below.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((module, path, text));
            }
        }
    }
    found
}

/// The lines that are code.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"))
}

/// The modules that a line names after `crate::`, also in braces.
fn named(line: &str) -> Vec<String> {
    let word = |s: &str| s.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    line.match_indices("crate::")
        .flat_map(|(at, _)| {
            let rest = &line[at + "crate::".len()..];
            match rest.strip_prefix('{') {
                Some(list) => list.split(',').map(|item| word(item.trim())).collect(),
                None => vec![word(rest)],
            }
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn modules_name_only_what_they_may() {
    let allowed = allowed();
    let mut wrong = Vec::new();
    for (module, path, text) in sources() {
        let Some(may) = allowed.get(module.as_str()) else { continue };
        for line in code(&text) {
            for name in named(line) {
                if name != module && !may.contains(&name.as_str()) {
                    wrong.push(format!("{}: {module} may not name {name}: {line}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for (module, path, text) in sources() {
        for (name, owners) in OWNERS {
            let uses =
                code(&text).any(|line| line.contains(&format!("{name}::")) || line.contains(&format!("use {name}")));
            if uses && !owners.contains(&module.as_str()) {
                wrong.push(format!("{}: {name} belongs to {owners:?}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_stays_in_namespaces_and_tun() {
    for (module, path, text) in sources() {
        let name = path.to_string_lossy().into_owned();
        let may = module == "kernel" && (name.contains("netns") || name.contains("tun"));
        assert!(may || !code(&text).any(|line| line.contains("unsafe ")), "unsafe in {name}");
    }
}

#[test]
fn every_module_says_what_it_is() {
    for (_, path, text) in sources() {
        assert!(text.starts_with("//!"), "{} has no head comment", path.display());
    }
}

#[test]
fn the_checks_can_fail() {
    assert_eq!(named("use crate::{model::Link, plan::Op};"), ["model", "plan"]);
    assert_eq!(named("crate::kernel::Kernel::new()"), ["kernel"]);
}
