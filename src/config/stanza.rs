//! One `iface` stanza's meaning: addresses, routes, rules, commands, and what it asks of its link.

use super::environment::{self, Names};
use super::inherit::Settled;
use super::kind::yes_or_no;
use super::link_options::{self, Wishes};
use super::method::{Family, Means};
use super::options::Key;
use super::report::Report;
use super::route::{self, RouteLine};
use super::scripts::Scripts;
use super::surroundings::Surroundings;
use super::value::only_word;
use super::{dhcp, dial, inet, inet6, rule, tunnel};
use crate::interfaces::Files;
use crate::interfaces::diagnostic::Diagnostic;
use crate::interfaces::syntax::Opt;
use crate::model::{LinkName, Netns, Place, Route, RouteKind, Rule, Stanza, TABLE_MAIN};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The metric of a VRF's last routes, as ifupdown2 has it: below every other.
const CLOSING_METRIC: u32 = 8192;

/// A stanza that is understood, but for conflicts with others.
pub(super) struct Evaluated<'a> {
    /// Without its routes.
    pub stanza: Stanza,
    pub routes: Vec<RouteLine<'a>>,
    pub rules: Vec<(Rule, &'a Opt)>,
    pub wishes: Wishes<'a>,
    /// How many `pre-up` lines it has, which may make the link. Scripts run for every link, and say nothing about one.
    pub pre_ups: usize,
}

/// What it is evaluated for.
pub(super) struct Subject<'a> {
    pub access: &'a dyn Files,
    pub place: &'a Place,
    pub names: Names<'a>,
    pub surroundings: &'a dyn Surroundings,
    pub scripts: &'a Scripts,
    /// The table of its VRF.
    pub table: Option<u32>,
}

impl Subject<'_> {
    /// Whether it is an alias, which has no settings of its own.
    fn label(&self) -> Option<&str> {
        Some(self.names.iface).filter(|name| name.contains(':'))
    }
}

/// Evaluates a stanza. `rules` counts those of the namespace so far.
pub(super) fn evaluate<'a>(
    settled: &Settled<'a>,
    subject: &Subject<'_>,
    rules: &mut usize,
    report: &mut Report,
) -> Evaluated<'a> {
    let mut stanza = Stanza::default();
    let mut routes = Vec::new();
    let mut computed = Vec::new();
    let mut wishes = link_options::evaluate(settled, subject.place, subject.access, report);
    if settled.means == Means::Tunnel {
        let tunnel = tunnel::evaluate(settled, subject.place.link, report);
        stanza.addresses = tunnel.addresses;
        routes = tunnel.routes;
    }
    if settled.means == Means::Static {
        check_address(settled, report);
        let both = settled.both;
        if both || settled.family == Family::Inet {
            check_label(settled, subject, report);
            let inet = inet::evaluate(settled, subject.place.link, subject.label(), report);
            stanza.addresses.extend(inet.addresses);
            routes.extend(inet.gateways);
            computed.extend(inet.computed);
        }
        let has_ipv6 = || settled.all(Key::Address).any(|opt| opt.value.value.contains(':'));
        if settled.family == Family::Inet6 || both && has_ipv6() {
            let inet6 = inet6::evaluate(settled, subject.place.link, subject.label().is_some(), report);
            stanza.addresses.extend(inet6.addresses);
            stanza.dad = inet6.dad;
            routes.extend(inet6.gateways);
            wishes.sysctls.extend(inet6.sysctls);
            if computed.is_empty() {
                computed = inet6.computed;
            }
        }
    }
    let asked = dhcp::evaluate(settled, subject.place, subject.surroundings, report);
    stanza.dhcp = asked.dhcp;
    wishes.sysctls.extend(asked.sysctls);
    computed.extend(asked.computed);
    // ifupdown cleans its own option, and not the one of the vlan package.
    if let Some((mac, opt)) = &wishes.mac
        && opt.name.value == "hwaddress"
    {
        computed.push(("IF_HWADDRESS", mac.to_string()));
    }
    in_table(&mut routes, subject.table);
    let mut rule_lines = Vec::new();
    if settled.means != Means::Loopback {
        routes.extend(route_lines(settled, subject, report));
        routes.extend(closing_routes(settled, subject.table, report));
        rule_lines = self::rules(settled, rules, report);
    }
    commands(settled, subject, &mut stanza);
    dial::commands(settled, subject.place.link, &mut stanza, report);
    if stanza.has_commands() {
        stanza.environment = environment::environment(settled, subject.names, &computed);
    }
    let pre_ups = settled.all(Key::PreUp).count();
    Evaluated { stanza, routes, rules: rule_lines, wishes, pre_ups }
}

/// What ifupdown makes of a `lo` that no file speaks of: only scripts take notice of it.
pub(super) fn of_scripts<'a>(name: &str, scripts: &Scripts) -> Option<Evaluated<'a>> {
    let mut stanza = Stanza::default();
    if scripts.run_for(name) {
        scripts.add_to(&mut stanza);
        stanza.environment = environment::bare(name, "inet", "loopback");
    }
    let wishes = Wishes::default();
    stanza.has_commands().then_some(Evaluated { stanza, routes: Vec::new(), rules: Vec::new(), wishes, pre_ups: 0 })
}

fn check_address(settled: &Settled<'_>, report: &mut Report) {
    if settled.get(Key::Address).is_none() {
        let message = format!("`{}` has no `address`", settled.iface.name.value);
        let help = "method `static` needs one; `manual` brings the link up without";
        report.push(Diagnostic::error(&settled.iface.name.span, message).help(help));
    }
}

/// An alias' name becomes the label of its IPv4 addresses (`IFA_LABEL`), which is as long as a link's name.
fn check_label(settled: &Settled<'_>, subject: &Subject<'_>, report: &mut Report) {
    if let Some(label) = subject.label().filter(|label| label.len() > LinkName::MAX) {
        let message = format!("alias `{label}` has {} bytes, the kernel allows {}", label.len(), LinkName::MAX);
        report.push(Diagnostic::error(&settled.iface.name.span, message));
    }
}

/// Puts the routes of `gateway` into the table of the link's VRF.
fn in_table(routes: &mut [RouteLine<'_>], table: Option<u32>) {
    for line in routes {
        line.route.table = table.unwrap_or(line.route.table);
    }
}

fn route_lines<'a>(settled: &Settled<'a>, subject: &Subject<'_>, report: &mut Report) -> Vec<RouteLine<'a>> {
    let table = subject.table.unwrap_or(TABLE_MAIN);
    let lines = settled.all(Key::Route).filter_map(|opt| {
        let route = report.take(route::parse(opt, settled.family, subject.place.link, table))?;
        Some(RouteLine { route, opt, replaces: false })
    });
    lines.collect()
}

/// The last routes of a VRF's table, so that what it does not know is not looked up in the main one (as ifupdown2 has it, and
/// the kernel's vrf documentation asks for).
fn closing_routes<'a>(settled: &Settled<'a>, table: Option<u32>, report: &mut Report) -> Vec<RouteLine<'a>> {
    let (Some(opt), Some(table)) = (settled.named("vrf-table"), table) else { return Vec::new() };
    let wanted = settled.named("vrf-default-route").map(|opt| only_word(opt).and_then(yes_or_no));
    if wanted.is_some_and(|wanted| report.take(wanted) == Some(false)) {
        return Vec::new();
    }
    let close = |to: IpNet| {
        let route =
            Route { metric: CLOSING_METRIC, table, ..Route::new(to, None, None).of_kind(RouteKind::Unreachable) };
        RouteLine { route, opt, replaces: false }
    };
    vec![close(IpNet::V4(Ipv4Net::default())), close(IpNet::V6(Ipv6Net::default()))]
}

fn rules<'a>(settled: &Settled<'a>, position: &mut usize, report: &mut Report) -> Vec<(Rule, &'a Opt)> {
    let lines = settled.all(Key::Rule).filter_map(|opt| {
        let rule = report.take(rule::parse(opt, settled.family, *position));
        *position += 1;
        Some((rule?, opt))
    });
    lines.collect()
}

fn commands(settled: &Settled<'_>, subject: &Subject<'_>, stanza: &mut Stanza) {
    let lines = |key| settled.all(key).map(|opt| opt.value.value.clone()).collect();
    stanza.pre_up = lines(Key::PreUp);
    stanza.up = lines(Key::Up);
    stanza.down = lines(Key::Down);
    stanza.post_down = lines(Key::PostDown);
    // The host's end is configured for the namespace, and the scripts are about what is inside.
    if subject.place.netns != Netns::Host && subject.scripts.run_for(subject.names.logical) {
        subject.scripts.add_to(stanza);
    }
}
