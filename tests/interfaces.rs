//! The interfaces(5) language from the outside: a folder per case, and what the folders cannot hold.
//!
//! A case is a folder under `tests/fixtures/interfaces/`: either `input.interfaces` alone, or a root with
//! `etc/network/interfaces` or `etc/netns/NAME/network/interfaces` and what these source. `expected.txt` is what is
//! understood, normalised, and what is said about it. `UPDATE_EXPECT=1 cargo test --test interfaces` writes it anew.

use std::fs;
use std::path::{Path, PathBuf};
use systemd_netns::interfaces::diagnostic::Source;
use systemd_netns::interfaces::files::{MemoryFiles, OsFiles};
use systemd_netns::interfaces::syntax::Stanza;
use systemd_netns::interfaces::{self, Listing, Parsed};

const MAIN: &str = "/etc/network/interfaces";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/interfaces")
}

/// The folders in `directory`, sorted.
fn folders(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn parse_case(case: &Path) -> Parsed {
    let files = OsFiles::new().below(case);
    if case.join("input.interfaces").exists() {
        return interfaces::parse(Path::new("/input.interfaces"), &files);
    }
    match folders(&case.join("etc/netns")).first().and_then(|netns| netns.file_name()) {
        Some(netns) => {
            let main = Path::new("/etc/netns").join(netns).join("network/interfaces");
            interfaces::parse(&main, &files.in_netns(netns))
        }
        None => interfaces::parse(Path::new(MAIN), &files),
    }
}

fn render(case: &Path, parsed: &Parsed) -> String {
    let mut text = Listing(&parsed.stanzas).to_string();
    for diagnostic in &parsed.diagnostics {
        text += &format!("---\n{diagnostic}\n");
    }
    text.replace(&case.display().to_string(), "")
}

#[test]
fn every_case_is_understood_as_expected() {
    let mut failures = Vec::new();
    let cases = folders(&fixtures());
    assert!(!cases.is_empty(), "no cases in {}", fixtures().display());
    for case in cases {
        let actual = render(&case, &parse_case(&case));
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

fn parse_memory(files: &MemoryFiles) -> Parsed {
    interfaces::parse(Path::new(MAIN), files)
}

fn parse_main(text: impl Into<Vec<u8>>) -> Parsed {
    parse_memory(&MemoryFiles::new().with(MAIN, text))
}

fn messages(parsed: &Parsed) -> Vec<&str> {
    parsed.diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect()
}

#[test]
fn a_missing_main_file_is_told_apart_from_an_unreadable_one() {
    let missing = parse_memory(&MemoryFiles::new());
    assert!(missing.missing && missing.has_errors());
    let directory = parse_memory(&MemoryFiles::new().with(format!("{MAIN}/x"), ""));
    assert!(!directory.missing && directory.has_errors());
    assert_eq!(directory.diagnostics[0].span, None);
}

#[test]
fn a_missing_file_that_is_sourced_is_nothing() {
    let parsed = parse_main("source a /b *.c\nsource-directory d\n");
    assert_eq!(messages(&parsed), [] as [&str; 0]);
    assert_eq!(parsed.files, [Path::new(MAIN)]);
}

#[test]
fn a_megabyte_on_one_line_is_one_short_error() {
    let long = "x".repeat(1 << 20);
    for text in
        [format!("auto {long}\nauto a"), format!("auto \\\n{long}\\\n{long}\nauto a"), format!("{long}\nauto a")]
    {
        let parsed = parse_main(text);
        assert_eq!(messages(&parsed), ["this line is longer than 64 KiB"]);
        assert!(parsed.diagnostics[0].to_string().len() < 400);
        assert_eq!(Listing(&parsed.stanzas).to_string(), "auto a\n");
    }
}

#[test]
fn a_long_word_does_not_hide_the_message() {
    let parsed = parse_main(format!("é{}", "x".repeat(5000)));
    assert!(parsed.diagnostics[0].to_string().len() < 600, "{}", parsed.diagnostics[0]);
}

#[test]
fn a_line_of_the_longest_length_is_read() {
    assert_eq!(messages(&parse_main(format!("auto {}", "x".repeat((64 << 10) - 5)))), [] as [&str; 0]);
}

#[test]
fn a_file_beyond_the_limit_is_refused() {
    assert_eq!(messages(&parse_main("#".repeat((16 << 20) + 1))), ["/etc/network/interfaces is larger than 16 MiB"]);
}

#[test]
fn files_include_each_other_to_a_limit() {
    let name = |i: u32| if i == 0 { MAIN.to_owned() } else { format!("/etc/network/f{i}") };
    let files = (0..40)
        .fold(MemoryFiles::new(), |files, i| files.with(name(i), format!("auto a{i}\nsource {}\n", name(i + 1))));
    let parsed = parse_memory(&files);
    assert_eq!(messages(&parsed), ["files include each other more than 32 deep"]);
    assert_eq!(parsed.stanzas.len(), 32);
}

#[test]
fn so_many_files_are_read_and_no_more() {
    let files = (0..5000).fold(MemoryFiles::new(), |files, i| files.with(format!("/etc/network/d/f{i}"), "auto a\n"));
    let parsed = parse_memory(&files.with(MAIN, "source-directory d\n"));
    assert_eq!(messages(&parsed), ["more than 4096 files are sourced"]);
    assert_eq!(parsed.files.len(), 4096);
}

#[test]
fn mistakes_beyond_the_limit_are_counted() {
    let parsed = parse_main("iface\n".repeat(150));
    assert_eq!(parsed.diagnostics.len(), 101);
    assert_eq!(messages(&parsed)[100], "and 50 more");
    let hidden = parse_main("auto\n".repeat(100) + "iface\n");
    assert!(hidden.has_errors(), "an error that is only counted is still one");
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let text = parse_main("\x1b]0;x\x07 a\x1bb\n").diagnostics[0].to_string();
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
}

#[test]
fn a_text_without_files_warns_of_what_it_cannot_follow() {
    let parsed = interfaces::parse_text(&Source::new("-", "source a\nauto b\n"));
    assert_eq!(messages(&parsed), ["`source` is not followed: this text is no file"]);
    assert!(!parsed.has_errors());
    assert_eq!(Listing(&parsed.stanzas).to_string(), "auto b\n");
}

#[test]
fn words_of_values_have_their_places() {
    let text = "iface a\n  up  ip \\\n\tröute \\\n add\n  x y\n";
    let parsed = interfaces::parse_text(&Source::new("f", text));
    let Stanza::Iface(iface) = &parsed.stanzas[0] else { panic!("{parsed:?}") };
    let places: Vec<String> = iface.options.iter().flat_map(|o| o.words()).map(|w| format!("{:?}", w.span)).collect();
    assert_eq!(places, ["f:2:7+2", "f:3:2+6", "f:4:2+3", "f:5:5+1"]);
}
