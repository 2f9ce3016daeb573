//! What the fuzz target `resolve` does with its bytes; its seeds are replayed with it, without a fuzzer.

use super::config::{Surroundings, load_from};
use super::interfaces::diagnostic::Severity;
use super::interfaces::files::{Files, MemoryFiles};
use super::model::{LinkName, Netns};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Each second word that can be a link's name is one on the machine.
struct Machine(Vec<LinkName>);

impl Machine {
    fn of(text: &str) -> Self {
        let mut names: Vec<LinkName> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        names.sort_unstable();
        names.dedup();
        Self(names.into_iter().step_by(2).take(1000).collect())
    }
}

impl Surroundings for Machine {
    fn installed(&self, _: &str) -> bool {
        true
    }

    fn links(&self) -> Vec<LinkName> {
        self.0.clone()
    }

    fn attribute(&self, link: &LinkName, variable: &str) -> Option<String> {
        let number = link.as_str().len();
        Some(match variable {
            "mtu" => (1200 + number * 100).to_string(),
            "mac" => format!("02:00:00:00:00:{number:02x}"),
            _ => return None,
        })
    }

    fn by_altname(&self, name: &str) -> Option<LinkName> {
        let link = name.strip_prefix("alt")?.parse().ok()?;
        self.0.binary_search(&link).ok().map(|_| link)
    }

    fn map(&self, _: &str, argument: &str, lines: &[String]) -> Result<String, String> {
        lines.first().cloned().ok_or_else(|| argument.to_owned())
    }
}

/// The same files, with the namespace's folder where it sees it.
struct Inner<'f>(&'f MemoryFiles);

impl Inner<'_> {
    fn moved(path: &Path) -> PathBuf {
        match path.strip_prefix("/etc/network") {
            Ok(rest) => Path::new("/etc/netns/web/network").join(rest),
            Err(_) => path.to_owned(),
        }
    }
}

impl Files for Inner<'_> {
    fn place(&self, path: &Path) -> PathBuf {
        self.0.place(&Self::moved(path))
    }

    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        self.0.read(&Self::moved(path), limit)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        self.0.list(&Self::moved(directory))
    }

    fn is_directory(&self, path: &Path) -> bool {
        self.0.is_directory(&Self::moved(path))
    }
}

/// The files that bytes hold.
fn files(bytes: &[u8]) -> MemoryFiles {
    let mut files = MemoryFiles::new().with("/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    let mut path = PathBuf::from("/etc/netns/web/network/interfaces");
    let mut content = Vec::new();
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        match std::str::from_utf8(line).ok().and_then(|line| line.strip_prefix("%%% ")) {
            Some(next) => {
                files = files.with(&path, std::mem::take(&mut content));
                path = Path::new("/").join(next.trim());
            }
            None => content.extend_from_slice(line),
        }
    }
    files.with(path, content)
}

/// Resolves them, and looks at everything that comes of it.
pub fn run(bytes: &[u8]) {
    let files = files(bytes);
    let machine = Machine::of(&String::from_utf8_lossy(bytes));
    let Ok(netns) = "web".parse() else { return };
    let loaded = load_from(&Inner(&files), &files, &netns, &machine);
    let has_error = loaded.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    assert_eq!(has_error, loaded.desired.is_none());
    for diagnostic in &loaded.diagnostics {
        assert!(!diagnostic.to_string().is_empty());
    }
    let Some(desired) = loaded.desired else { return };
    for link in &desired.links {
        let tied = link.link.kind.as_ref().and_then(|kind| kind.tied_to());
        assert!(tied.is_none_or(|place| desired.link(place).is_some()), "{}", link.place);
        assert!(link.place.netns != Netns::Host || link.link.vlans.is_none());
    }
    let text = serde_json::to_string(&desired).unwrap_or_default();
    assert!(!text.is_empty(), "this cannot be recorded");
}
