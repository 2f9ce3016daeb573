//! `dns-*` lines (resolvconf's), which become the namespace's resolv.conf(5).

use super::inherit::Settled;
use super::options::{Key, Names};
use super::report::Report;
use super::value::{Part, only_word, words};
use crate::interfaces::diagnostic::Diagnostic;
use crate::interfaces::syntax::Opt;
use crate::model::{MAX_SERVERS, Resolv};
use std::str::FromStr;

/// Reads those of a stanza, and adds them to what those before it said.
pub(super) fn evaluate(settled: &Settled<'_>, all: &mut Resolv, report: &mut Report) {
    let mut own = Resolv::default();
    for setting in &settled.settings {
        let Some(Key::Dns(names)) = setting.def.map(|def| def.key) else { continue };
        let opt = setting.opt;
        match names {
            Names::Servers => own.servers.extend(read(opt, "the address of a name server", report)),
            Names::Search => own.search.extend(read(opt, "the name of a domain", report)),
            Names::Domain => {
                let domain = only_word(opt).and_then(|word| parse(word, "the name of a domain"));
                own.domain = report.take(domain).or(own.domain);
            }
            Names::Sortlist => own.sortlist.extend(read(opt, "an address with or without a mask", report)),
            Names::Options => own.options.extend(read(opt, "an option of resolv.conf(5)", report)),
        }
    }
    if own.is_empty() {
        return;
    }
    let before = all.servers.len();
    all.merge(&own);
    if before <= MAX_SERVERS && all.servers.len() > MAX_SERVERS {
        let of_servers = |key| matches!(key, Key::Dns(Names::Servers));
        let last = settled.settings.iter().rev().find(|s| s.def.is_some_and(|def| of_servers(def.key)));
        if let Some(setting) = last {
            let message =
                format!("there are {} name servers, of which only {MAX_SERVERS} are asked", all.servers.len());
            report.push(Diagnostic::warning(&setting.opt.name.span, message).help("see resolv.conf(5), `nameserver`"));
        }
    }
}

fn read<T: FromStr>(opt: &Opt, what: &str, report: &mut Report) -> Vec<T> {
    words(opt).filter_map(|word| report.take(parse(word, what))).collect()
}

fn parse<T: FromStr>(word: Part<'_>, what: &str) -> Result<T, Diagnostic> {
    word.text.parse().map_err(|_| word.is_not(what))
}
