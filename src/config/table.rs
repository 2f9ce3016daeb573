//! The option table as documentation: what becomes of every option, for whoever prints it.
//!
//! It is made of the rows that the program itself reads, so it cannot say anything else.

use super::method::{self, Methods};
use super::options::{self, Arity, Def, Key, Status};
use std::fmt::{self, Display};

/// What becomes of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionStatus {
    /// It does what its documentation says.
    Supported,
    /// It has no effect, and a warning says so.
    Ignored,
    /// It is an error.
    Refused,
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionRow {
    /// The name, with `-` for which `_` will do.
    pub name: &'static str,
    /// Other names for the same.
    pub aliases: &'static [&'static str],
    /// The methods that it belongs to, such as `inet static`; empty for all.
    pub methods: Vec<String>,
    /// What becomes of it.
    pub status: OptionStatus,
    /// Its values, or why it has no effect.
    pub note: &'static str,
    /// Whether a stanza may have it several times.
    pub repeats: bool,
    /// Whether the name is the beginning of many.
    pub is_prefix: bool,
}

impl Display for OptionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OptionStatus::Supported => "supported",
            OptionStatus::Ignored => "ignored",
            OptionStatus::Refused => "refused",
        })
    }
}

/// Every option that means something to somebody, in the order of the table.
pub fn options() -> impl Iterator<Item = OptionRow> {
    let prefixes = options::prefixes().map(|def| OptionRow { is_prefix: true, ..row(def) });
    options::defs().map(row).chain(prefixes)
}

fn row(def: &'static Def) -> OptionRow {
    let (status, note) = match def.status {
        Status::Ignored(why) => (OptionStatus::Ignored, why),
        Status::Refused(why) => (OptionStatus::Refused, why),
        Status::Supported if !method::any_supported(def.methods) => (OptionStatus::Refused, "with its method"),
        Status::Supported if def.key == Key::Foreign => (OptionStatus::Ignored, def.note),
        Status::Supported => (OptionStatus::Supported, def.note),
    };
    let methods = if def.methods == Methods::ALL { Vec::new() } else { method::names(def.methods) };
    let repeats = def.arity != Arity::One;
    OptionRow { name: def.name, aliases: def.aliases, methods, status, note, repeats, is_prefix: false }
}
