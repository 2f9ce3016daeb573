//! Scripts of the namespace's own: `/etc/netns/NAME/network/if-{pre-up,up,down,post-down}.d/`, as run-parts(8) finds them.
//!
//! They become commands of every stanza, after its `pre-up` and `up` lines and before its `down` and `post-down` lines, so
//! that a reload sees when one has come or gone, and a stop runs those that a start knew of. Once more they run for all
//! links together, with `IFACE=--all`, as `ifup -a` has it. The host's own in `/etc/network` never run.
//!
//! Those of Debian's packages whose work this program does itself are left out: a bridge would be made twice, and name
//! servers would end up in the host's resolv.conf.
//!
//! Deviation: after a script that fails no other runs, and the start fails.

use super::report::Report;
use super::value::shown;
use crate::interfaces::Files;
use crate::interfaces::diagnostic::{Diagnostic, Word};
use crate::interfaces::pattern::Glob;
use crate::interfaces::syntax::Stanza as Parsed;
use crate::model::Stanza;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// More than this many scripts of a phase, or patterns of `no-scripts`, are not looked at: every stanza has them all.
const MAX: usize = 256;

/// Scripts of packages by their names, with what the text of each speaks of: another one may be named so too.
const DONE_HERE: [(&str, &str); 7] = [
    ("bridge", "IF_BRIDGE_PORTS"),
    ("ifenslave", "IF_BOND_"),
    ("vlan", "IF_VLAN_RAW_DEVICE"),
    ("ip", "IF_IP_PROXY_ARP"),
    ("000resolvconf", "resolvconf"),
    ("resolvconf", "resolvconf"),
    ("resolved", "resolvectl"),
];

/// Theirs are shorter.
const LONGEST: usize = 64 << 10;

/// The scripts of a namespace.
#[derive(Default)]
pub(super) struct Scripts {
    /// Commands only.
    all: Stanza,
    /// What `no-scripts` lines name.
    without: Vec<Glob>,
}

impl Scripts {
    /// Looks for them where the namespace's files are.
    pub fn read(access: &dyn Files, stanzas: &[Parsed], report: &mut Report) -> Self {
        let mut of = |phase: &str| run_parts(access, &Path::new("/etc/network").join(format!("if-{phase}.d")), report);
        let words = stanzas.iter().filter_map(|stanza| match stanza {
            Parsed::NoScripts(words) => Some(words),
            _ => None,
        });
        let all = Stanza {
            pre_up: of("pre-up"),
            up: of("up"),
            down: of("down"),
            post_down: of("post-down"),
            ..Stanza::default()
        };
        Self { all, without: words.flatten().take(MAX).map(|word: &Word| Glob::new(&word.value)).collect() }
    }

    /// Whether any runs for a logical name.
    pub fn run_for(&self, logical: &str) -> bool {
        self.all.has_commands() && !self.without.iter().any(|glob| glob.matches(logical))
    }

    /// Adds them to a stanza's own commands.
    pub fn add_to(&self, stanza: &mut Stanza) {
        stanza.pre_up.extend(self.all.pre_up.iter().cloned());
        stanza.up.extend(self.all.up.iter().cloned());
        stanza.down.splice(0..0, self.all.down.iter().cloned());
        stanza.post_down.splice(0..0, self.all.post_down.iter().cloned());
    }

    /// The run for all links together.
    pub fn for_all(&self) -> Stanza {
        if !self.run_for("auto") {
            return Stanza::default();
        }
        let mut environment = super::environment::bare("--all", "meta", "none");
        environment.iter_mut().filter(|(name, _)| name == "LOGICAL").for_each(|(_, value)| "auto".clone_into(value));
        Stanza { environment, ..self.all.clone() }
    }
}

/// The programs of a folder in the order of their names, as words for sh(1).
fn run_parts(access: &dyn Files, asked: &Path, report: &mut Report) -> Vec<String> {
    let Ok(entries) = access.list(asked) else { return Vec::new() };
    let folder = access.place(asked);
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let mut names: Vec<String> = entries
        .into_iter()
        .filter_map(|name| name.into_string().ok())
        .filter(|name| is_name(name) && is_program(&folder.join(name)))
        .collect();
    names.sort();
    names.retain(|name| {
        let done = is_done_here(access, asked, name);
        if done {
            let message = format!("{} is not run", folder.join(name).display());
            let help = "what it does, this program does by itself; it may be deleted";
            report.push(Diagnostic::warning_without_place(message).help(help));
        }
        !done
    });
    if names.len() > MAX {
        log::warn!(
            "{} has {} scripts, the first is {}; {MAX} are run",
            folder.display(),
            names.len(),
            shown(&names[0])
        );
        names.truncate(MAX);
    }
    names.iter().filter_map(|name| Some(quoted(folder.join(name).to_str()?))).collect()
}

fn is_done_here(access: &dyn Files, folder: &Path, name: &str) -> bool {
    let Some((_, speaks_of)) = DONE_HERE.iter().find(|(known, _)| *known == name) else { return false };
    let text = access.read(&folder.join(name), LONGEST).unwrap_or_default();
    text.windows(speaks_of.len()).any(|part| part == speaks_of.as_bytes())
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// A word for sh(1).
pub(super) fn quoted(path: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-@:".contains(&b);
    if path.bytes().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}
