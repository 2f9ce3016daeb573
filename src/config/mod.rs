//! stub
use crate::interfaces::diagnostic::{Diagnostic, Span};
use crate::model::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
pub struct Loaded {
    pub desired: Option<Desired>,
    pub diagnostics: Vec<Diagnostic>,
    pub spans: BTreeMap<Place, Span>,
}
pub trait Surroundings {
    fn links(&self) -> Vec<LinkName>;
    fn attribute(&self, link: &LinkName, variable: &str) -> Option<String>;
    fn map(&self, script: &str, argument: &str, lines: &[String]) -> Result<String, String>;
}
pub fn load(_: &Path, _: &NetnsName, _: &dyn Surroundings) -> Loaded {
    loop {}
}
pub fn list(_: &Path) -> Vec<NetnsName> {
    vec![]
}
pub fn host_links(_: &Path, _: &NetnsName) -> Vec<LinkName> {
    vec![]
}
pub fn interfaces_file(_: &Path, _: &NetnsName) -> PathBuf {
    loop {}
}
