//! The manual: pages that groff has nothing to say about, for every command, file and unit, with every option and key.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use systemd_netns::config;

const BINARY: &str = env!("CARGO_BIN_EXE_systemd-netns");

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages that are written by hand, and those that the program writes.
fn pages() -> Vec<(String, String)> {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let number = CALLS.fetch_add(1, Ordering::Relaxed);
    let generated = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("manual-{}-{number}", std::process::id()));
    let output = Command::new(BINARY).arg("man").arg(&generated).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut pages = Vec::new();
    for folder in [generated.clone(), top().join("share/man")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            pages.push((name(&path), fs::read_to_string(&path).unwrap()));
        }
    }
    fs::remove_dir_all(generated).unwrap();
    pages.sort();
    pages
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// The words of a page as they are read, without roff's own.
fn plain(page: &str) -> String {
    page.replace("\\-", "-").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "").replace("\\ ", " ")
}

fn page(name: &str) -> String {
    plain(&pages().into_iter().find(|(page, _)| page == name).unwrap_or_else(|| panic!("there is no {name}")).1)
}

#[test]
fn groff_has_nothing_to_say() {
    if Command::new("man").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no man(1)");
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("groff");
    fs::create_dir_all(&folder).unwrap();
    let names: BTreeSet<String> = pages().into_iter().map(|(name, _)| name).collect();
    for (name, text) in pages() {
        if let Some(target) = text.strip_prefix(".so ") {
            let target = Path::new(target.trim());
            assert!(names.contains(target.file_name().unwrap().to_str().unwrap()), "{name}: {text}");
            continue;
        }
        let path = folder.join(&name);
        fs::write(&path, &text).unwrap();
        let mut man = Command::new("man");
        man.args(["--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "-l"])
            .arg(&path)
            .env("MANWIDTH", "80")
            .env("LC_ALL", "C.UTF-8");
        let output = man.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{name}: {said}");
        for heading in ["NAME", "SYNOPSIS", "DESCRIPTION", "SEE ALSO"] {
            assert!(
                text.contains(&format!(".SH {heading}\n")) || text.contains(&format!(".SH \"{heading}\"")),
                "{name} has no {heading}"
            );
        }
    }
}

#[test]
fn every_command_has_a_page_with_its_options() {
    let help = |arguments: &[&str]| {
        String::from_utf8(Command::new(BINARY).args(arguments).arg("--help").output().unwrap().stdout).unwrap()
    };
    let all = help(&[]);
    let commands = all.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands: Vec<&str> = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        // Those of all commands are in the page of the program.
        let page = page(&format!("systemd-netns-{command}.8")) + &page("systemd-netns.8");
        let help = help(&[command]);
        let options = help.split_whitespace().filter(|word| word.starts_with("--"));
        let bare = |word: &str| {
            word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric())
                .split(['=', '['])
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        for option in options.map(bare).filter(|option| option.len() > 2) {
            assert!(page.contains(&option), "{option} is not in the page of {command}");
        }
    }
}

#[test]
fn every_unit_and_file_has_a_page() {
    let pages = pages();
    for entry in fs::read_dir(top().join("units")).unwrap() {
        let unit = name(&entry.unwrap().path());
        assert!(pages.iter().any(|(page, _)| *page == format!("{unit}.8")), "{unit} has no page");
        let (stem, kind) = unit.rsplit_once('.').unwrap();
        let spoken_of = pages.iter().any(|(_, text)| {
            let text = plain(text);
            text.split(|c: char| c.is_whitespace() || c == ',')
                .any(|word| word.starts_with(stem) && word.ends_with(kind))
        });
        assert!(spoken_of, "no page speaks of {unit}");
        let text = fs::read_to_string(top().join("units").join(&unit)).unwrap();
        for reference in text.lines().filter_map(|line| line.strip_prefix("Documentation=man:")) {
            let (page, section) = reference.trim_end_matches(')').split_once('(').unwrap();
            let file = format!("{page}.{section}");
            assert!(pages.iter().any(|(name, _)| *name == file), "{unit} refers to {reference}");
        }
    }
    let command = page("systemd-netns.8");
    for file in [
        "/etc/netns/",
        "/etc/systemd-netns/router/",
        "70-systemd-netns.rules",
        "05-systemd-netns.network",
        "netns.conf",
    ] {
        assert!(command.contains(file), "{file} is nowhere");
    }
    for kind in ["interfaces", "xfrm", "tuntap", "nat"] {
        assert!(page(&format!("systemd-netns-{kind}.5")).contains(&format!("/network/{kind}")));
    }
}

/// A machine without users.
struct Nobody;

impl config::Accounts for Nobody {
    fn user(&self, _: &str) -> Option<u32> {
        None
    }

    fn group(&self, _: &str) -> Option<u32> {
        None
    }
}

/// What the parser itself says may stand in a section.
fn keys(path: &str, section: &str) -> Vec<String> {
    let root: PathBuf =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("keys-{}-{}", std::process::id(), section.len()));
    let file = root.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, format!("{section}\nzzzzzzzz = 1\n")).unwrap();
    let diagnostics = match path.contains("router") {
        true => config::load_router(&root, &"r".parse().unwrap(), &Nobody).diagnostics,
        false => config::load(&root, &"a".parse().unwrap(), &config::Nothing).diagnostics,
    };
    fs::remove_dir_all(root).unwrap();
    let said: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    let list = said
        .iter()
        .find_map(|text| text.split("keys here are ").nth(1))
        .unwrap_or_else(|| panic!("{section}: {said:?}"));
    list.lines().next().unwrap().split(", ").map(str::to_owned).collect()
}

#[test]
fn every_key_is_in_its_page() {
    let router = "etc/systemd-netns/router/r.conf";
    let tuntap = "etc/netns/a/network/tuntap";
    let nat = "etc/netns/a/network/nat";
    let sections = [
        (router, "[Router]", "systemd-netns-router.5"),
        (router, "[Firewall]", "systemd-netns-router.5"),
        (router, "[Limits]", "systemd-netns-router.5"),
        (router, "[Admit a]", "systemd-netns-router.5"),
        (tuntap, "[Tuntap]", "systemd-netns-tuntap.5"),
        (tuntap, "[Tuntap]\n[Firewall]", "systemd-netns-tuntap.5"),
        (nat, "[masquerade]", "systemd-netns-nat.5"),
        (nat, "[snat]", "systemd-netns-nat.5"),
        (nat, "[publish a]", "systemd-netns-nat.5"),
        (nat, "[socket a]", "systemd-netns-nat.5"),
    ];
    for (path, section, manual) in sections {
        let page = page(manual);
        let words: BTreeSet<&str> = page.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        let keys = keys(path, section);
        assert!(keys.len() > 1, "{section}: {keys:?}");
        for key in keys {
            assert!(words.contains(key.as_str()), "{key} of {section} is not in {manual}");
        }
    }
    // An unknown key of this file is only warned of: here each known one is tried.
    let page = page("systemd-netns-xfrm.5");
    let keys: Vec<&str> = page.split("\n.TP\n.B ").skip(1).filter_map(|text| text.lines().next()).collect();
    assert_eq!(keys, ["IfId", "Prefixes", "DestNetNS", "UnderlayDev", "MTU", "BlockP2P", "Table"]);
}

/// The blocks of a guide after a line `<!-- file: PATH -->`, as the README has them.
fn files(guide: &str) -> Vec<(String, String)> {
    let parts = guide.split("<!-- file: ").skip(1);
    let file = |part: &str| {
        let (path, rest) = part.split_once(" -->\n```").unwrap();
        let text = rest.split_once('\n').unwrap().1.split("\n```").next().unwrap();
        (path.to_owned(), format!("{text}\n"))
    };
    parts.map(file).collect()
}

#[test]
fn the_files_of_guides_are_right() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guides");
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/bash\n").unwrap();
    let mut count = 0;
    for entry in fs::read_dir(top().join("share/doc")).unwrap() {
        for (path, text) in files(&fs::read_to_string(entry.unwrap().path()).unwrap()) {
            let path = root.join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            count += 1;
        }
    }
    assert!(count > 1);
    let output = Command::new(BINARY).arg("--root").arg(&root).arg("check").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    // gost lets in anybody, and so does what takes its place until it is told otherwise; the guide says so.
    let known = ["whoever reaches the socket may have any address", "whoever can connect may be any host"];
    let warns = |line: &&str| line.matches("warning: ").count() > 1 && !known.iter().any(|known| line.contains(known));
    assert!(output.status.success() && said.lines().find(warns).is_none(), "{said}");
    assert!(known.iter().all(|known| said.contains(known)), "{said}");
}

#[test]
fn guides_name_only_pages_and_options_that_are_there() {
    let pages: BTreeSet<String> = pages().into_iter().map(|(name, _)| name).collect();
    for entry in fs::read_dir(top().join("share/doc")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for (at, _) in text.match_indices("systemd-netns-") {
            let word: String =
                text[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || "-()@".contains(*c)).collect();
            if let Some((page, section)) = word.split_once('(') {
                let file = format!("{page}.{}", section.trim_end_matches(')'));
                assert!(pages.contains(&file), "{} speaks of {word}", path.display());
            }
        }
        for command in text.lines().filter_map(|line| line.strip_prefix("systemd-netns ")) {
            let command = command.split(' ').next().unwrap();
            assert!(pages.contains(&format!("systemd-netns-{command}.8")), "{}: {command}", path.display());
        }
    }
}
