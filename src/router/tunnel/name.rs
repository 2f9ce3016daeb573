//! Names of hosts and of routing tables.

pub use crate::model::{HostName, NotAName};

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The name of a routing table: the id by which clients ask for it, or a word for one that is only had by default.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TableName {
    /// By a client's id.
    Id(Uuid),
    /// By the router's file alone.
    Word(HostName),
}

impl FromStr for TableName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        match text.parse() {
            Ok(id) if text.len() == 36 => Ok(Self::Id(id)),
            _ => Ok(Self::Word(text.parse()?)),
        }
    }
}

impl TryFrom<String> for TableName {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.hyphenated().fmt(f),
            Self::Word(word) => word.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words() {
        for good in ["host-1", "a", "h.example.org", "web@rack:1"] {
            assert_eq!(good.parse::<HostName>().unwrap().as_str(), good);
        }
        for bad in ["", "two words", "a#b", "a,b", "ä", &"x".repeat(256)] {
            assert_eq!(bad.parse::<HostName>(), Err(NotAName), "{bad}");
        }
    }

    #[test]
    fn an_id_is_the_same_in_any_spelling() {
        let id: TableName = "E87F56DD-fd57-4921-9ab8-a0847662daae".parse().unwrap();
        assert!(matches!(id, TableName::Id(_)));
        assert_eq!(id.to_string(), "e87f56dd-fd57-4921-9ab8-a0847662daae");
        assert!(matches!("e87f56ddfd5749219ab8a0847662daae".parse(), Ok(TableName::Word(_))));
    }
}
