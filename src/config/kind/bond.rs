//! Bonds, as ifenslave's hook makes them. Their slaves are found in `ports`, what they say of slaves in `members`.
//!
//! The hook writes one setting after the other into sysfs and goes on when the kernel refuses one. A request is taken or
//! refused as a whole, so what the mode does not allow is left out here, with a warning (`drivers/net/bonding/bond_options.c`).

use super::super::value::words;
use super::Reader;
use crate::model::LinkValue;

/// Options of a bond by the words of ip-link(8), in the order of reading; their names are the same after `bond-`, with `-`.
const WORDS: [&str; 22] = [
    "mode",
    "miimon",
    "updelay",
    "downdelay",
    "use_carrier",
    "num_grat_arp",
    "num_unsol_na",
    "arp_interval",
    "arp_validate",
    "arp_all_targets",
    "primary_reselect",
    "fail_over_mac",
    "xmit_hash_policy",
    "resend_igmp",
    "all_slaves_active",
    "min_links",
    "lp_interval",
    "packets_per_slave",
    "tlb_dynamic_lb",
    "ad_select",
    "lacp_rate",
    "ad_actor_sys_prio",
];

/// The same for those that only mode 802.3ad has beside.
const LACP_WORDS: [&str; 2] = ["ad_actor_system", "ad_user_port_key"];

/// The kernel's `BOND_MAX_ARP_TARGETS`.
const MAX_TARGETS: usize = 16;

/// The modes, as the kernel counts them.
const BALANCE_RR: u64 = 0;
const ACTIVE_BACKUP: u64 = 1;
const LACP: u64 = 4;
const BALANCE_TLB: u64 = 5;
const BALANCE_ALB: u64 = 6;

/// Reads the options of the bond itself.
pub(super) fn read(reader: &mut Reader<'_, '_>) {
    for word in WORDS.into_iter().chain(LACP_WORDS) {
        reader.take(&name(word), word);
    }
    arp_targets(reader);
    let mode = reader.number_of("mode").unwrap_or(BALANCE_RR);
    by_mode(mode, reader);
    monitoring(mode, reader);
}

/// Whether bonds of a mode have a `primary`.
pub(in crate::config) fn has_primary(mode: u64) -> bool {
    matches!(mode, ACTIVE_BACKUP | BALANCE_TLB | BALANCE_ALB)
}

fn name(word: &str) -> String {
    format!("bond-{}", word.replace('_', "-"))
}

fn arp_targets(reader: &mut Reader<'_, '_>) {
    let mut targets = Vec::new();
    for word in reader.all("bond-arp-ip-target").into_iter().flat_map(words) {
        for target in word.pieces(',') {
            let Some(ip) = reader.report.take(target.ipv4()) else { continue };
            let target_value = LinkValue::Ip(ip.into());
            if targets.len() == MAX_TARGETS {
                let error = target.error(format!("a bond has at most {MAX_TARGETS} targets"));
                return reader.report.push(error);
            }
            if !targets.contains(&target_value) {
                targets.push(target_value);
            }
        }
    }
    if !targets.is_empty() {
        reader.set("arp_ip_target", LinkValue::List(targets));
    }
}

/// Leaves out what the mode has not.
fn by_mode(mode: u64, reader: &mut Reader<'_, '_>) {
    let balances = matches!(mode, LACP | BALANCE_TLB | BALANCE_ALB);
    for (word, allowed) in [
        ("packets_per_slave", mode == BALANCE_RR),
        ("arp_validate", !balances),
        ("arp_interval", !balances),
        ("lacp_rate", mode == LACP),
        ("ad_actor_sys_prio", mode == LACP),
        ("ad_actor_system", mode == LACP),
        ("ad_user_port_key", mode == LACP),
        ("tlb_dynamic_lb", matches!(mode, BALANCE_TLB | BALANCE_ALB)),
    ] {
        if !allowed {
            leave_out(word, "no bond of this mode has it", reader);
        }
    }
}

/// Leaves out what the way of looking after the slaves has not: by `miimon`, or by `arp-interval`.
fn monitoring(mode: u64, reader: &mut Reader<'_, '_>) {
    let is_set = |reader: &Reader<'_, '_>, word| reader.number_of(word).is_some_and(|number| number > 0);
    let by_arp = is_set(reader, "arp_interval");
    match (is_set(reader, "miimon"), by_arp) {
        (true, _) => {
            leave_out("arp_interval", "`bond-miimon` is used instead", reader);
            leave_out("arp_validate", "it belongs to `bond-arp-interval`, and `bond-miimon` is used instead", reader);
        }
        (false, _) => {
            for word in ["updelay", "downdelay"] {
                leave_out(word, "it needs `bond-miimon`", reader);
            }
        }
    }
    if by_arp && reader.number_of("miimon") == Some(0) {
        reader.options.remove("miimon");
    }
    // The kernel turns it on by itself where a mode cannot do without.
    if matches!(mode, LACP | BALANCE_TLB | BALANCE_ALB) && reader.number_of("miimon") == Some(0) {
        leave_out("miimon", "this mode needs it, so the kernel makes it 100", reader);
    }
}

fn leave_out(word: &str, why: &str, reader: &mut Reader<'_, '_>) {
    let asked = reader.options.remove(word);
    let is_off = asked.as_ref().is_none_or(|value| *value == LinkValue::Number(0));
    if let (false, Some(opt)) = (is_off, reader.opt(&name(word))) {
        let name = &opt.name.value;
        let warning =
            crate::interfaces::diagnostic::Diagnostic::warning(&opt.name.span, format!("`{name}` has no effect"));
        reader.report.push(warning.help(why));
    }
}
