//! Namespaces as people read them.

use super::{Status, nat, tunnels};
use crate::model::NetnsName;
use std::io::Write;

pub(super) fn print(out: &mut impl Write, s: &Status, colour: bool) -> std::io::Result<()> {
    let (mark, end) = match (colour, s.state) {
        (false, _) => ("", ""),
        (true, "up") if is_well(s) => ("\x1b[32m", "\x1b[0m"),
        (true, "up") => ("\x1b[33m", "\x1b[0m"),
        (true, _) => ("\x1b[31m", "\x1b[0m"),
    };
    writeln!(out, "{mark}{}{end}: {}", s.name, what_it_means(s))?;
    let width = s.links.iter().map(|l| l.name.as_str().len()).max().unwrap_or(0);
    for l in &s.links {
        let (up, addresses) = (if l.up { "up  " } else { "down" }, l.addresses.join(" "));
        let space = if addresses.is_empty() { "" } else { "  " };
        writeln!(out, "    {:width$}  {up}  {addresses}{space}({})", l.name.as_str(), l.origin)?;
    }
    tunnels::print(out, &s.tunnels, &s.xfrm_errors)?;
    nat::print(out, &s.nat)?;
    nat::print_sockets(out, &s.name, &s.sockets)?;
    if s.routes > 0 {
        writeln!(out, "    {} {}", s.routes, if s.routes == 1 { "route" } else { "routes" })?;
    }
    let mut units: Vec<(String, Vec<u32>)> = Vec::new();
    for p in &s.processes {
        let unit = p.unit.clone().unwrap_or_else(|| "no unit".to_owned());
        match units.iter_mut().find(|(u, _)| *u == unit) {
            Some((_, pids)) => pids.push(p.pid),
            None => units.push((unit, vec![p.pid])),
        }
    }
    for (unit, pids) in units {
        let shown: Vec<String> = pids.iter().take(8).map(ToString::to_string).collect();
        let more = if pids.len() > 8 { format!(" and {} more", pids.len() - 8) } else { String::new() };
        writeln!(out, "    {unit}: {}{more}", shown.join(" "))?;
    }
    troubles(out, s)?;
    for mistake in &s.mistakes {
        writeln!(out, "    {}", mistake.replace('\n', "\n    "))?;
    }
    if !s.drift.is_empty() {
        writeln!(out, "    not as the files say; systemctl reload systemd-netns@{} would do:", s.name)?;
        for op in s.drift.iter().take(10) {
            writeln!(out, "        {op}")?;
        }
        if s.drift.len() > 10 {
            writeln!(out, "        … and {} more", s.drift.len() - 10)?;
        }
    }
    Ok(())
}

/// What does not run, failed or leaks.
fn troubles(out: &mut impl Write, s: &Status) -> std::io::Result<()> {
    for service in s.services.iter().filter(|service| !service.active) {
        writeln!(out, "    {}: does not run", service.unit)?;
    }
    for failure in &s.failures {
        writeln!(
            out,
            "    {} failed ({}){}",
            failure.unit,
            failure.result,
            if failure.said.is_empty() { "" } else { ":" }
        )?;
        failure.said.iter().try_for_each(|line| writeln!(out, "        {line}"))?;
        writeln!(out, "        {}", failure.remedy)?;
    }
    for leak in &s.leaks {
        writeln!(out, "    leak: {leak}")?;
    }
    Ok(())
}

fn what_it_means(s: &Status) -> String {
    match s.state {
        "up" if s.drift.is_empty() && s.mistakes.is_empty() => "up, as the files say".to_owned(),
        "up" => "up".to_owned(),
        "created" => "made, with nothing in it yet".to_owned(),
        "unfinished" => format!("half-made; give everything back with: systemd-netns stop {}", s.name),
        "gone" => format!(
            "its namespace was deleted by somebody else; give everything back with: systemd-netns stop {}",
            s.name
        ),
        "foreign" => "exists, and was not made by systemd-netns".to_owned(),
        _ => "not up".to_owned(),
    }
}

/// Whether there is nothing to be done about it.
fn is_well(s: &Status) -> bool {
    s.state == "up" && s.drift.is_empty() && s.mistakes.is_empty() && s.leaks.is_empty() && s.failures.is_empty()
}

/// The last lines, where there are several: how many are how, and which are not up.
pub(super) fn summary(out: &mut impl Write, all: &[Status], idle: &[NetnsName]) -> std::io::Result<()> {
    if !idle.is_empty() {
        let names: Vec<&str> = idle.iter().map(NetnsName::as_str).collect();
        writeln!(out, "not up, with files: {}", names.join(" "))?;
    }
    if all.len() < 2 {
        return Ok(());
    }
    let count = |what: &dyn Fn(&Status) -> bool| all.iter().filter(|s| what(s)).count();
    write!(out, "{} up", count(&|s| s.state == "up"))?;
    let troubles = [
        (count(&|s| !s.drift.is_empty()), "not as the files say"),
        (count(&|s| !s.mistakes.is_empty()), "with mistakes in the files"),
        (count(&|s| !s.leaks.is_empty()), "with leaks"),
        (count(&|s| !s.failures.is_empty()), "with failures"),
    ];
    for (n, what) in troubles.into_iter().filter(|(n, _)| *n > 0) {
        write!(out, ", {n} {what}")?;
    }
    writeln!(out)
}
