//! The documentation's table of options, held against the code. `UPDATE_EXPECT=1 cargo test --test option_table` writes it
//! anew.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use systemd_netns::config::{self, OptionRow, OptionStatus};

const HEAD: &str = "\
# Options of interfaces(5)

Every option that ifupdown, the packages around it, ifupdown-ng or ifupdown2 give a meaning, and what becomes of it here.
`-` and `_` are the same in all names. *Ignored* options are warned of and reach commands as `IF_*` all the same, as do
unknown ones; with a *refused* one nothing is applied. An option marked with + may stand several times in a stanza.

This table is made from the program's own by `UPDATE_EXPECT=1 cargo test --test option_table`, and tested against it.

| option | other names | methods | status | values, or why |
|---|---|---|---|---|
";

fn table() -> String {
    let mut text = HEAD.to_owned();
    let mut rows: Vec<OptionRow> = config::options().collect();
    rows.sort_by_key(|row| row.name);
    for row in rows {
        let (star, plus) = (if row.is_prefix { "*" } else { "" }, if row.repeats { " +" } else { "" });
        let aliases: Vec<String> = row.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        let methods = if row.methods.is_empty() { "all".to_owned() } else { row.methods.join(", ") };
        writeln!(
            text,
            "| `{}{star}`{plus} | {} | {methods} | {} | {} |",
            row.name,
            aliases.join(" "),
            row.status,
            row.note.replace('|', "\\|")
        )
        .unwrap();
    }
    text
}

#[test]
fn the_documentation_has_every_option() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("share/doc/options.md");
    let table = table();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &table).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    for (code, documentation) in table.lines().zip(written.lines()) {
        assert_eq!(code, documentation, "{} is out of date", path.display());
    }
    assert!(table == written, "{} is out of date", path.display());
}

/// The same for a terminal, in roff.
fn roff_list() -> String {
    let mut rows: Vec<OptionRow> = config::options().collect();
    rows.sort_by_key(|row| row.name);
    let escaped = |text: &str| {
        let bare = text.replace('\\', "\\e").replace('-', "\\-").replace('`', "");
        if bare.starts_with(['.', '\'']) { format!("\\&{bare}") } else { bare }
    };
    let mut text = String::new();
    for row in rows {
        let (star, plus) = (if row.is_prefix { "*" } else { "" }, if row.repeats { " +" } else { "" });
        let mut said = Vec::new();
        if !row.note.is_empty() {
            said.push(escaped(row.note));
        }
        if row.status != OptionStatus::Supported {
            said.insert(0, row.status.to_string());
        }
        if !row.methods.is_empty() {
            said.push(format!("({})", row.methods.join(", ")));
        }
        if !row.aliases.is_empty() {
            let aliases: Vec<String> = row.aliases.iter().map(|alias| escaped(alias)).collect();
            said.push(format!("[{}]", aliases.join(" ")));
        }
        writeln!(text, ".TP\n.B {}{star}\\fR{plus}\n{}", escaped(row.name), said.join(" ")).unwrap();
    }
    text.replace("\n\n", "\n\\&\n")
}

#[test]
fn the_manual_has_every_option() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("share/man/systemd-netns-interfaces.5");
    let page = fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once("cargo test --test option_table\n").unwrap();
    let (written, tail) = rest.split_once(".\\\" end of the list\n").unwrap();
    let list = roff_list();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, format!("{head}cargo test --test option_table\n{list}.\\\" end of the list\n{tail}")).unwrap();
        return;
    }
    assert!(list == written, "{} is out of date", path.display());
}

/// A file that does nothing but use an option: refused options are errors, ignored ones warnings.
#[test]
fn options_are_what_the_table_says() {
    for row in config::options().filter(|row| !row.is_prefix && row.status != OptionStatus::Supported) {
        let method = row.methods.iter().find(|method| !method.ends_with("loopback")).cloned();
        let text = format!("auto x\niface x {}\n  {} 1\n", method.as_deref().unwrap_or("inet manual"), row.name);
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("option-table");
        let folder = root.join("etc/netns/web/network");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("interfaces"), &text).unwrap();
        let loaded = config::load(&root, &"web".parse().unwrap(), &config::Nothing);
        let found: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
        assert!(!found.is_empty(), "{text}nothing is said");
        assert!(loaded.has_errors() || row.status == OptionStatus::Ignored, "{text}{}", found.join("\n"));
    }
}
