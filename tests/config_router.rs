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

/// The keys and sections of a file, without their values.
fn words_of(path: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let names = text.lines().filter(|line| !line.starts_with([' ', ';', '#'])).filter_map(|line| line.split_once(" ="));
    names.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn the_man_pages_have_every_key() {
    let pages = [
        ("share/man/systemd-netns-router.5", "tests/fixtures/router/all-keys/etc/systemd-netns/router/emperor0.conf"),
        ("share/man/systemd-netns-nat.5", "tests/fixtures/config/nat-all-keys/etc/netns/web/network/nat"),
        (
            "share/man/systemd-netns-router.5",
            "tests/fixtures/router/tunnel-all-keys/etc/systemd-netns/router/emperor0.conf",
        ),
        ("share/man/systemd-netns-tuntap.5", "tests/fixtures/config/tuntap-all-keys/etc/netns/web/network/tuntap"),
    ];
    for (page, file) in pages {
        let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap().to_lowercase();
        let words = words_of(file);
        assert!(words.len() > 9, "{file}");
        for word in words {
            assert!(page.contains(&word.to_lowercase()), "{word} of {file} is not in the page");
        }
    }
}

#[test]
fn the_files_of_the_documentation_are_understood() {
    let readme = include_str!("../README.md");
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("config-router/readme");
    let example = readme.split("<!-- example: no NIC at all -->").nth(1).unwrap().split("<!-- end -->").next().unwrap();
    for file in example.split("<!-- file: ").skip(1) {
        let (path, rest) = file.split_once(" -->\n```\n").unwrap();
        let path = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, rest.split("```").next().unwrap()).unwrap();
    }
    let router = config::load_router(&root, &"emperor0".parse().unwrap(), &Root);
    assert!(router.diagnostics.is_empty() && router.settings.is_some(), "{:#?}", router.diagnostics);
    let loaded = config::load(&root, &"app".parse().unwrap(), &config::Nothing);
    assert!(loaded.diagnostics.is_empty() && loaded.desired.is_some(), "{:#?}", loaded.diagnostics);
}

/// The pages of uWSGI's documentation that the configuration was taken from.
#[test]
fn the_configurations_of_uwsgis_documentation_are_understood() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/uwsgi");
    let mut seen = 0;
    for entry in fs::read_dir(fixtures).unwrap() {
        let path = entry.unwrap().path();
        let mut options = config::UwsgiOptions::default();
        options.add_file(&systemd_netns::interfaces::files::OsFiles::new(), &path);
        let is_device = fs::read_to_string(&path).unwrap().contains("tuntap-device");
        let diagnostics = match is_device {
            true => options.device().1,
            false => options.router().1,
        };
        assert!(diagnostics.is_empty(), "{}: {diagnostics:#?}", path.display());
        assert!(options.commands().len() >= 3, "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 4, "{seen}");
}
