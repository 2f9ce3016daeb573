//! What the files' meaning was worked out from, so that it can be asked later whether it still holds.

use crate::interfaces::files::{Files, OsFiles};
use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::ffi::OsString;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// A question that was asked of the file system, and a digest of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    question: Question,
    answer: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Question {
    Content(PathBuf),
    Names(PathBuf),
    IsDirectory(PathBuf),
}

impl Input {
    /// A file, whose content counts.
    pub fn file(path: &Path) -> Self {
        Self::new(Question::Content(path.to_owned()))
    }

    /// A directory, whose names count.
    pub fn directory(path: &Path) -> Self {
        Self::new(Question::Names(path.to_owned()))
    }

    /// Whether the answer is still the same.
    pub fn holds(&self) -> bool {
        self.question.ask() == self.answer
    }

    fn new(question: Question) -> Self {
        let answer = question.ask();
        Self { question, answer }
    }
}

impl Question {
    fn ask(&self) -> u64 {
        match self {
            Question::Content(path) => digest(&std::fs::read(path).ok()),
            Question::IsDirectory(path) => digest(&path.is_dir()),
            Question::Names(path) => {
                let entries = std::fs::read_dir(path).ok();
                let names = entries.map(|e| e.filter_map(|e| Some(e.ok()?.file_name())).collect());
                digest(&names.map(|mut names: Vec<OsString>| {
                    names.sort();
                    names
                }))
            }
        }
    }
}

fn digest(value: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The machine's files, and a list of what was asked of them.
pub(super) struct RecordingFiles<'a> {
    files: OsFiles,
    asked: &'a RefCell<Vec<Input>>,
}

impl<'a> RecordingFiles<'a> {
    pub(super) fn new(files: OsFiles, asked: &'a RefCell<Vec<Input>>) -> Self {
        Self { files, asked }
    }

    fn note(&self, question: Question, answer: u64) {
        self.asked.borrow_mut().push(Input { question, answer });
    }
}

impl Files for RecordingFiles<'_> {
    fn place(&self, path: &Path) -> PathBuf {
        self.files.place(path)
    }

    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let content = self.files.read(path, limit);
        self.note(Question::Content(self.place(path)), digest(&content.as_ref().ok()));
        content
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let names = self.files.list(directory);
        let sorted = names.as_ref().ok().map(|names| {
            let mut names = names.clone();
            names.sort();
            names
        });
        self.note(Question::Names(self.place(directory)), digest(&sorted));
        names
    }

    fn is_directory(&self, path: &Path) -> bool {
        let answer = self.files.is_directory(path);
        self.note(Question::IsDirectory(self.place(path)), digest(&answer));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_holds_until_it_changes() {
        let dir = std::env::temp_dir().join(format!("systemd-netns-inputs-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let asked = RefCell::new(Vec::new());
        let files = RecordingFiles::new(OsFiles::new(), &asked);
        let (a, b) = (dir.join("a"), dir.join("b"));
        std::fs::write(&a, "1").unwrap();
        let _ = (files.read(&a, 100), files.read(&b, 100), files.list(&dir), files.is_directory(&dir));
        let inputs = asked.into_inner();
        assert_eq!(inputs.len(), 4);
        assert!(inputs.iter().all(Input::holds));
        std::fs::write(&b, "2").unwrap();
        assert_eq!(inputs.iter().map(Input::holds).collect::<Vec<_>>(), [true, false, false, true]);
        std::fs::write(&a, "3").unwrap();
        assert!(!inputs[0].holds());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
