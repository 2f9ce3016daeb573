//! `[Admit NAME]`: who may connect, and with which addresses.

use super::super::ini::Section;
use super::super::report::Report;
use super::super::section::Keys;
use super::super::value::shown;
use super::{Accounts, limits, value};
use crate::interfaces::diagnostic::{Diagnostic, Span, Word};
use crate::router::settings::{Admit, Limits, Who};
use ipnet::IpNet;

const WHO: [&str; 4] = ["User", "Group", "Netns", "Any"];

/// One section, with the places that warnings need.
pub(super) struct Admitted {
    pub admit: Admit,
    pub name: Span,
    pub addresses: Vec<(IpNet, Span)>,
}

/// Reads a section. What is missing or wrong is reported; then there is none.
pub(super) fn read(section: &Section, base: Limits, accounts: &dyn Accounts, report: &mut Report) -> Option<Admitted> {
    let names: Vec<&str> = WHO.into_iter().chain(["Address"]).chain(limits::OF_ONE).collect();
    let keys = Keys::new(Some(section), &names, report);
    let who = who(section, keys, accounts, report);
    let list = keys.list("Address", value::prefix, report);
    let addresses: Vec<(IpNet, Span)> = list.into_iter().map(|word| (word.value, word.span)).collect();
    let name = section.name.span.clone();
    if keys.get("Address").is_none() {
        let message = format!("`{}` has no `Address`", shown(&section.name.value));
        let help = "it may connect and have no address; write `Address = 192.0.2.0/24` for any of a network";
        report.push(Diagnostic::warning(&name, message).help(help));
    }
    let own = limits::read(keys, base, report);
    let limits = (own != base).then_some(own);
    let admit = Admit { who: who?, addresses: addresses.iter().map(|(net, _)| *net).collect(), limits };
    Some(Admitted { admit, name, addresses })
}

/// Exactly one of four keys.
fn who(section: &Section, keys: Keys<'_>, accounts: &dyn Accounts, report: &mut Report) -> Option<Who> {
    let given: Vec<&str> = WHO.into_iter().filter(|name| keys.get(name).is_some()).collect();
    let help = "each section has one of `User`, `Group`, `Netns` and `Any = yes`";
    match given[..] {
        [] => {
            let message = format!("`{}` does not say who", shown(&section.name.value));
            report.push(Diagnostic::error(&section.name.span, message).help(help));
            None
        }
        ["User"] => keys.read("User", |word| account(word, "user", |name| accounts.user(name)), report).map(Who::User),
        ["Group"] => {
            keys.read("Group", |word| account(word, "group", |name| accounts.group(name)), report).map(Who::Group)
        }
        ["Netns"] => keys.read("Netns", value::parsed, report).map(Who::Netns),
        ["Any"] => keys.read("Any", any, report),
        _ => {
            for name in &given[1..] {
                let span = keys.get(name).map_or(&section.name.span, |key| &key.name.span);
                let message = format!("`{}` has both `{}` and `{name}`", shown(&section.name.value), given[0]);
                report.push(Diagnostic::error(span, message).help(help));
            }
            None
        }
    }
}

fn any(word: &Word) -> Result<Who, Diagnostic> {
    match value::switch(word)? {
        true => Ok(Who::Any),
        false => Err(Diagnostic::error(&word.span, "`Any` is `yes`, or not there")),
    }
}

fn account(word: &Word, kind: &str, find: impl Fn(&str) -> Option<u32>) -> Result<u32, Diagnostic> {
    let number =
        word.value.parse::<u32>().ok().filter(|n| *n != u32::MAX && word.value.bytes().all(|b| b.is_ascii_digit()));
    let missing = || Diagnostic::error(&word.span, format!("there is no {kind} `{}`", shown(&word.value)));
    number.or_else(|| find(&word.value)).ok_or_else(missing)
}
