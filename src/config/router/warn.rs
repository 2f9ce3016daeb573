//! What a router's file may mean in earnest, and mostly does not.

use super::super::report::Report;
use super::super::section::Keys;
use super::admit::Admitted;
use crate::interfaces::diagnostic::{Diagnostic, Spanned};
use crate::router::settings::{Listen, Mode, Settings, Who};
use ipnet::IpNet;
use std::fmt::Display;

/// Reports what is named twice.
pub(super) fn of_twice<T: Display + PartialEq>(all: &[Spanned<T>], report: &mut Report) {
    for (i, one) in all.iter().enumerate() {
        if let Some(first) = all[..i].iter().find(|other| other.value == one.value) {
            let message = format!("`{}` is named twice", one.value);
            report.push(Diagnostic::error(&one.span, message).help(format!("first at {}", first.span)));
        }
    }
}

/// Warns of what would be dangerous, or in vain.
pub(super) fn of_dangers(keys: Keys<'_>, settings: &Settings, admitted: &[Admitted], report: &mut Report) {
    of_links(keys, settings, report);
    of_anybody(keys, settings, report);
    of_ranges(settings, admitted, report);
    let mut any: Option<&Admitted> = None;
    for one in admitted {
        if let Some(any) = any {
            let help = format!("`Any = yes` at {} has admitted everybody by then", any.name);
            report.push(Diagnostic::warning(&one.name, "this is never asked").help(help));
        } else if one.admit.who == Who::Any {
            any = Some(one);
        }
    }
}

fn of_links(keys: Keys<'_>, settings: &Settings, report: &mut Report) {
    let behind = settings.nat.as_ref().and_then(|nat| nat.behind);
    let Some(span) = keys.span("Masquerade").filter(|_| settings.nat.is_some()) else { return };
    if behind.is_some_and(|link| link == settings.device || link.is_loopback()) {
        let message = format!("`{}` leads nowhere", settings.device);
        report.push(Diagnostic::error(span, message).help("name the link that leads out, or `any`"));
    }
    if !settings.forwarding {
        report.push(Diagnostic::warning(span, "`Masquerade` has no effect with `Forwarding = no`"));
    }
}

/// Who may connect where nobody is named, and who may not where only processes of this host are.
fn of_anybody(keys: Keys<'_>, settings: &Settings, report: &mut Report) {
    let tcp = settings.listen.iter().find(|listen| matches!(listen, Listen::Tcp(_)));
    let span = keys.span("Listen");
    let mut warn = |message: String, help: &str| {
        let warning = match span {
            Some(span) => Diagnostic::warning(span, message),
            None => Diagnostic::warning_without_place(message),
        };
        report.push(warning.help(help));
    };
    let any = settings.admit.iter().any(|admit| admit.who == Who::Any);
    match tcp {
        Some(tcp) if settings.admit.is_empty() => warn(
            format!("whoever reaches `{tcp}` may connect, from any host"),
            "say who, with sections such as `[Admit web]`; who connects by TCP is `Any`",
        ),
        Some(tcp) if !any => {
            warn(
                format!("nobody is admitted at `{tcp}`"),
                "who connects by TCP has no user and no namespace: only `Any`",
            );
        }
        None if settings.admit.is_empty() && settings.addresses.is_empty() && settings.mode == Mode::Tun => warn(
            "whoever reaches the socket may have any address at all".to_owned(),
            "give the router an `Address`, whose network bounds them, or say who, with sections such as `[Admit web]`",
        ),
        _ => {}
    }
}

/// Ranges that hold the router's own address, or that nothing is routed to.
fn of_ranges(settings: &Settings, admitted: &[Admitted], report: &mut Report) {
    for (range, span) in admitted.iter().flat_map(|one| &one.addresses) {
        let own = settings.addresses.iter().find(|own| range.contains(&own.addr()));
        let inside = |net: &IpNet| net.contains(range) || range.contains(net);
        if let Some(own) = own.filter(|own| range.prefix_len() == range.max_prefix_len() || own.addr() == range.addr())
        {
            let message = format!("`{}` is the router's own address, which no peer may have", own.addr());
            report.push(Diagnostic::error(span, message));
        } else if let Some(own) = own {
            let message = format!("`{range}` has the router's own address {} in it", own.addr());
            report.push(Diagnostic::warning(span, message).help("that one is nobody's but the router's all the same"));
        } else if !settings.addresses.is_empty() && !settings.addresses.iter().map(IpNet::trunc).any(|net| inside(&net))
        {
            let message = format!("`{range}` is in no network of the router's");
            let help =
                format!("the host has no route to it by {}; add one, or an `Address` to `[Router]`", settings.device);
            report.push(Diagnostic::warning(span, message).help(help));
        }
    }
}
