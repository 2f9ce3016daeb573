//! `route` lines, an option of this program, in the words of ip-route(8):
//!
//! ```text
//! route [KIND] PREFIX|default [via ADDRESS] [dev LINK] [metric N] [table TABLE] [src ADDRESS] [onlink]
//! ```

use super::method::Family;
use super::value::{Part, words};
use crate::interfaces::diagnostic::Diagnostic;
use crate::interfaces::syntax::Opt;
use crate::model::{LinkName, Route, RouteKind, Scope, TABLE_MAIN};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::IpAddr;

/// A route and the line that asks for it.
#[derive(Clone)]
pub(super) struct RouteLine<'a> {
    pub route: Route,
    pub opt: &'a Opt,
    /// It takes the place of an earlier one with the same destination and metric, as `gateway` of `inet6` does.
    pub replaces: bool,
}

/// The table that the kernel keeps by itself (`RT_TABLE_LOCAL`).
const TABLE_LOCAL: u32 = 255;

/// What a line has after its destination.
#[derive(Default)]
struct Words<'a> {
    via: Option<(IpAddr, Part<'a>)>,
    dev: Option<(LinkName, Part<'a>)>,
    src: Option<(IpAddr, Part<'a>)>,
    metric: Option<u32>,
    table: Option<u32>,
    onlink: Option<Part<'a>>,
}

/// Reads a line of a stanza of `family` for `link`; the route is in `table` if it says no other.
pub(super) fn parse(opt: &Opt, family: Family, link: LinkName, table: u32) -> Result<Route, Diagnostic> {
    let whole = Part::whole(opt);
    let missing = || whole.error("`route` says no destination").help("such as `route 10.0.0.0/8 via 192.0.2.1`");
    let mut rest = words(opt);
    let mut first = rest.next().ok_or_else(missing)?;
    let kind = kind(first.text);
    if kind.is_some() {
        first = rest.next().ok_or_else(missing)?;
    }
    let kind = kind.unwrap_or_default();
    let words = read(&mut rest)?;
    let to = match first.text {
        "default" => default(&words, family),
        _ => prefix(first)?,
    };
    check(&words, kind, to, table, whole)?;
    let mut route = Route::new(to, words.via.map(|(via, _)| via), None).of_kind(kind);
    match kind {
        RouteKind::Unicast => route.link = Some(words.dev.map_or(link, |(dev, _)| dev)),
        RouteKind::Local => {
            route.link = Some(words.dev.map_or(link, |(dev, _)| dev));
            // As in ip-route(8); IPv6 knows no scopes.
            route.scope = if matches!(to, IpNet::V4(_)) { Scope::HOST } else { Scope::GLOBAL };
        }
        RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit | RouteKind::Throw => {}
    }
    route.src = words.src.map(|(src, _)| src);
    route.metric = words.metric.filter(|metric| *metric > 0).unwrap_or(route.metric);
    route.table = words.table.unwrap_or(table);
    route.onlink = words.onlink.is_some();
    Ok(route)
}

fn kind(word: &str) -> Option<RouteKind> {
    Some(match word {
        "unicast" => RouteKind::Unicast,
        "local" => RouteKind::Local,
        "blackhole" => RouteKind::Blackhole,
        "unreachable" => RouteKind::Unreachable,
        "prohibit" => RouteKind::Prohibit,
        "throw" => RouteKind::Throw,
        _ => return None,
    })
}

fn read<'a>(rest: &mut impl Iterator<Item = Part<'a>>) -> Result<Words<'a>, Diagnostic> {
    let mut words = Words::default();
    while let Some(keyword) = rest.next() {
        if keyword.text == "onlink" {
            words.onlink = Some(keyword);
            continue;
        }
        if !["via", "dev", "metric", "table", "src"].contains(&keyword.text) {
            let help = "`via`, `dev`, `metric`, `table`, `src` and `onlink` may follow the destination";
            return Err(keyword.error(format!("`route` has no `{}`", keyword.shown())).help(help));
        }
        let value = argument(keyword, rest)?;
        let twice = match keyword.text {
            "via" => words.via.replace((value.ip()?, value)).is_some(),
            "dev" => words.dev.replace((link(value)?, value)).is_some(),
            "src" => words.src.replace((value.ip()?, value)).is_some(),
            "metric" => words.metric.replace(value.number(0, u32::MAX)?).is_some(),
            _ => words.table.replace(table(value)?).is_some(),
        };
        if twice {
            return Err(keyword.error(format!("`{}` is given twice", keyword.text)));
        }
    }
    Ok(words)
}

/// The word after a keyword.
pub(super) fn argument<'a>(
    keyword: Part<'a>,
    rest: &mut impl Iterator<Item = Part<'a>>,
) -> Result<Part<'a>, Diagnostic> {
    rest.next().ok_or_else(|| keyword.error(format!("nothing follows `{}`", keyword.text)))
}

/// A link's name.
pub(super) fn link(word: Part<'_>) -> Result<LinkName, Diagnostic> {
    word.text.parse().map_err(|why| word.error(format!("{why}")))
}

/// A table: one of the names that the kernel's own have, or a number.
pub(super) fn table(word: Part<'_>) -> Result<u32, Diagnostic> {
    match word.text {
        "main" => Ok(254),
        "default" => Ok(253),
        "local" => Ok(TABLE_LOCAL),
        _ => word.number(1, u32::MAX).map_err(|_| {
            word.is_not("a table").help("a table is `main`, `default`, `local` or a number from 1 to 4294967295")
        }),
    }
}

/// A prefix without host bits; an address alone is all of its bits.
pub(super) fn prefix(word: Part<'_>) -> Result<IpNet, Diagnostic> {
    let net = match word.text.contains('/') {
        true => word.text.parse::<IpNet>().ok(),
        false => word.text.parse::<IpAddr>().ok().map(IpNet::from),
    };
    let net = net.ok_or_else(|| word.is_not("a prefix such as 192.0.2.0/24 or 2001:db8::/32"))?;
    if net.trunc() != net {
        let message = format!("`{}` has bits beyond its prefix length", word.shown());
        return Err(word.error(message).help(format!("did you mean `{}`?", net.trunc())));
    }
    Ok(net)
}

/// The destination `default`: of the family of the addresses after it, else of the stanza's.
fn default(words: &Words<'_>, family: Family) -> IpNet {
    let ip = words.via.or(words.src).map(|(ip, _)| ip);
    match ip.map_or(family == Family::Inet, |ip| ip.is_ipv4()) {
        true => IpNet::V4(Ipv4Net::default()),
        false => IpNet::V6(Ipv6Net::default()),
    }
}

/// What the kernel would refuse.
fn check(words: &Words<'_>, kind: RouteKind, to: IpNet, table: u32, whole: Part<'_>) -> Result<(), Diagnostic> {
    let ipv4 = matches!(to, IpNet::V4(_));
    for (ip, part) in [words.via, words.src].into_iter().flatten() {
        if ip.is_ipv4() != ipv4 {
            return Err(part.error(format!("`{ip}` is not of the family of the destination `{to}`")));
        }
    }
    let name = kind.as_str();
    if let (Some((_, part)), true) = (words.via, kind != RouteKind::Unicast) {
        return Err(part.error(format!("a route of kind `{name}` goes via nobody")));
    }
    if let (Some((_, part)), false) = (words.dev, matches!(kind, RouteKind::Unicast | RouteKind::Local)) {
        return Err(part.error(format!("a route of kind `{name}` leaves by no link")));
    }
    if let (Some(part), None) = (words.onlink, words.via) {
        return Err(part.error("`onlink` needs a `via`"));
    }
    match (words.table, kind) {
        (Some(TABLE_LOCAL), _) | (None, RouteKind::Local) if words.table.is_some() || table == TABLE_MAIN => {
            Err(whole.error("the table `local` is the kernel's own").help("add `table` and another one"))
        }
        _ => Ok(()),
    }
}
