//! The meaning of routers' files: a folder per case under `tests/fixtures/router/`, with the file of a router `emperor0`.
//! `expected.txt` is what there is to say, then the settings. `UPDATE_EXPECT=1 cargo test --test config_router` writes it anew.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use systemd_netns::config::{self, Accounts};

/// A machine with the accounts of `root` alone.
struct Root;

impl Accounts for Root {
    fn user(&self, name: &str) -> Option<u32> {
        (name == "root").then_some(0)
    }

    fn group(&self, name: &str) -> Option<u32> {
        self.user(name)
    }
}

fn render(case: &Path) -> String {
    let loaded = config::load_router(case, &"emperor0".parse().unwrap(), &Root);
    let mut text = String::new();
    for diagnostic in &loaded.diagnostics {
        writeln!(text, "{diagnostic}").unwrap();
    }
    match &loaded.settings {
        Some(settings) => text += &serde_json::to_string_pretty(settings).unwrap(),
        None => text += "nothing",
    }
    text.replace(&case.display().to_string(), "") + "\n"
}

#[test]
fn every_router_means_what_is_expected() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/router");
    let mut cases: Vec<PathBuf> = fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 8, "{} cases", cases.len());
    let mut failures = Vec::new();
    for case in cases {
        let (actual, expected) = (render(&case), case.join("expected.txt"));
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

#[test]
fn routers_are_listed_by_their_files() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("config-router/list");
    let folder = root.join("etc/systemd-netns/router");
    fs::create_dir_all(&folder).unwrap();
    for name in ["b.conf", "a.conf", "c.conf~", ".conf", "a b.conf", "README"] {
        fs::write(folder.join(name), "").unwrap();
    }
    let names: Vec<String> = config::list_routers(&root).iter().map(ToString::to_string).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(config::list_routers(Path::new("/nonexistent")), []);
}
