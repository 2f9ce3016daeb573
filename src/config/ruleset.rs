//! `/etc/netns/NAME/network/nftables`: the rules of the namespace, in the language of nft(8).
//!
//! What they mean is nft's business. Only `include` lines are followed here, so that what is loaded is what was read, whatever becomes of
//! the files while that is done, and can be loaded once more when a reload fails. A path that does not begin with `/` is looked up where
//! the including file is. As with nft, a wildcard stands for files in the order of their names, and may stand for none.
//!
//! Must not know: the language but for these lines, the kernel.

use super::ini;
use super::report::Report;
use super::value::shown;
use crate::interfaces::diagnostic::{Diagnostic, Source, Span};
use crate::interfaces::{Files, MAX_FILE, MAX_FILES};
use crate::model::{NetnsName, Ruleset, RulesetPart};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// As deep as nft(8) includes files (`MAX_INCLUDE_DEPTH`).
const DEPTH: usize = 16;

/// Reads the file, where there is one, and tells which files it consists of.
pub(super) fn read(access: &dyn Files, netns: &NetnsName, report: &mut Report) -> Option<(Ruleset, Vec<PathBuf>)> {
    let path = Path::new("/etc/netns").join(netns.as_str()).join("network/nftables");
    let source = ini::source(access, &path, report)?;
    let mut reading = Reading { access, ruleset: Ruleset::default(), files: vec![access.place(&path)], size: 0 };
    if let Some(source) = source {
        reading.file(&source, &path, 0, report);
    }
    Some((reading.ruleset, reading.files))
}

struct Reading<'a> {
    access: &'a dyn Files,
    ruleset: Ruleset,
    files: Vec<PathBuf>,
    size: usize,
}

impl Reading<'_> {
    fn file(&mut self, source: &Arc<Source>, path: &Path, depth: usize, report: &mut Report) {
        let mut part = self.part(source, 1);
        for (number, line) in (1..).zip(source.text().lines()) {
            let Some(include) = include(source, number, line) else {
                part.text.push_str(line);
                part.text.push('\n');
                continue;
            };
            let next = self.part(source, number + 1);
            self.add(std::mem::replace(&mut part, next));
            if depth + 1 >= DEPTH {
                let message = format!("files include one another more than {DEPTH} deep");
                return report.push(Diagnostic::error(&include, message));
            }
            self.include(&include, path, depth + 1, report);
        }
        self.add(part);
    }

    fn part(&self, source: &Source, line: u32) -> RulesetPart {
        RulesetPart { file: source.path().to_owned(), line, text: String::new() }
    }

    fn add(&mut self, part: RulesetPart) {
        self.size += part.text.len();
        if !part.text.is_empty() {
            self.ruleset.parts.push(part);
        }
    }

    fn include(&mut self, at: &Span, from: &Path, depth: usize, report: &mut Report) {
        let wanted = &at.source.line(at.line)[at.start as usize..(at.start + at.len) as usize];
        let folder = from.parent().unwrap_or(Path::new("/"));
        let Ok(found) = self.access.glob(folder, wanted) else {
            return report.push(Diagnostic::error(at, format!("`{}` stands for too many files", shown(wanted))));
        };
        let literal = !wanted.contains(['*', '?', '[']);
        for path in found {
            if self.files.len() >= MAX_FILES || self.size > MAX_FILE {
                return report.push(Diagnostic::error(at, "this is more than can be read"));
            }
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if !literal && (name.starts_with('.') || self.access.is_directory(&path)) {
                continue;
            }
            match ini::source(self.access, &path, report) {
                Some(source) => {
                    self.files.push(self.access.place(&path));
                    source.iter().for_each(|source| self.file(source, &path, depth, report));
                }
                None => {
                    let message = format!("there is no {}", self.access.place(&path).display());
                    report.push(Diagnostic::error(at, message));
                }
            }
        }
    }
}

/// The path of an `include "PATH"` line.
fn include(source: &Arc<Source>, line: u32, text: &str) -> Option<Span> {
    let rest = text.trim_start().strip_prefix("include")?;
    let quoted = rest.trim_start();
    let path = quoted.strip_prefix('"').filter(|_| quoted.len() < rest.len())?.split_once('"')?.0;
    let start = path.as_ptr() as usize - text.as_ptr() as usize;
    Some(Span { source: Arc::clone(source), line, start: start as u32, len: path.len() as u32 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interfaces::files::MemoryFiles;

    fn read(files: &MemoryFiles) -> (String, Vec<String>) {
        let mut report = Report::default();
        let (ruleset, _) = super::read(files, &"web".parse().unwrap(), &mut report).unwrap();
        let said = report.finish(&[]).iter().map(|d| d.to_string().lines().next().unwrap_or("").to_owned()).collect();
        (ruleset.text(), said)
    }

    #[test]
    fn included_files_stand_where_they_are_included() {
        let files = MemoryFiles::new()
            .with(
                "/etc/netns/web/network/nftables",
                "a\n include \"rules/*.nft\"\nb # include \"x\"\ninclude \"/c\";\n",
            )
            .with("/etc/netns/web/network/rules/2.nft", "two")
            .with("/etc/netns/web/network/rules/1.nft", "one\n")
            .with("/etc/netns/web/network/rules/.nft", "hidden\n")
            .with("/c", "include \"none/*\"\nc\n");
        assert_eq!(read(&files), ("a\none\ntwo\nb # include \"x\"\nc\n".to_owned(), Vec::new()));
    }

    #[test]
    fn a_missing_file_and_a_loop_are_mistakes() {
        let file = "/etc/netns/web/network/nftables";
        let (_, said) = read(&MemoryFiles::new().with(file, "\n  include \"gone\"\n"));
        assert_eq!(said, ["/etc/netns/web/network/nftables:2:12: error: there is no /etc/netns/web/network/gone"]);
        let (_, said) = read(&MemoryFiles::new().with(file, "include \"nftables\"\n"));
        assert_eq!(said, ["/etc/netns/web/network/nftables:1:10: error: files include one another more than 16 deep"]);
    }
}
