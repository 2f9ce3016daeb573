//! What commands see: `IFACE`, `LOGICAL`, `ADDRFAM`, `METHOD`, `CLASS`, `VERBOSITY` and `IF_*` for every option
//! (interfaces(5), "IFACE OPTIONS"). `MODE`, `PHASE` and `PATH` belong to each run, and are not here.

use super::inherit::Settled;
use super::options::Key;
use std::collections::BTreeMap;

/// Longer values are left out: the kernel refuses one of 128 KiB (`MAX_ARG_STRLEN`), and with it the command.
const LONGEST_VALUE: usize = 100_000;

/// Who is brought up.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    /// `eth0`, or an alias such as `eth0:web`.
    pub iface: &'a str,
    pub logical: &'a str,
    pub class: Option<&'a str>,
}

/// The environment of a stanza's commands. `computed` replaces what is written.
pub(super) fn environment(
    settled: &Settled<'_>,
    names: Names<'_>,
    computed: &[(&'static str, String)],
) -> Vec<(String, String)> {
    let mut options: BTreeMap<String, String> = BTreeMap::new();
    for setting in &settled.settings {
        let key = setting.def.map(|def| def.key);
        if matches!(key, Some(Key::PreUp | Key::Up | Key::Down | Key::PostDown)) {
            continue;
        }
        let value = setting.opt.value.value.as_str();
        let joined = options.entry(variable(&setting.opt.name.value)).or_default();
        // Given twice, they are joined as ifupdown does, up to the length at which they are left out.
        if !joined.is_empty() && joined.len() <= LONGEST_VALUE {
            joined.push('\n');
        }
        if joined.len() <= LONGEST_VALUE {
            joined.push_str(value);
        }
    }
    options.extend(computed.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let fixed = [
        ("IFACE", Some(names.iface)),
        ("LOGICAL", Some(names.logical)),
        ("ADDRFAM", Some(settled.method.family)),
        ("METHOD", Some(settled.method.name)),
        ("CLASS", names.class),
        ("VERBOSITY", Some("0")),
    ];
    let fixed = fixed.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    fixed.chain(options).filter(|(_, value)| value.len() <= LONGEST_VALUE && !value.contains('\0')).collect()
}

/// The environment where there are no options.
pub(super) fn bare(iface: &str, family: &str, method: &str) -> Vec<(String, String)> {
    let fixed = [("IFACE", iface), ("LOGICAL", iface), ("ADDRFAM", family), ("METHOD", method), ("VERBOSITY", "0")];
    fixed.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// `IF_` and the option's name: upper case, `-` as `_`, everything else but letters, digits and `_` left out.
fn variable(option: &str) -> String {
    let letters = option.chars().filter_map(|c| match c {
        '-' => Some('_'),
        c if c.is_ascii_alphanumeric() || c == '_' => Some(c.to_ascii_uppercase()),
        _ => None,
    });
    "IF_".chars().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_variables() {
        assert_eq!(variable("Foo_Bar-baz+x"), "IF_FOO_BAR_BAZX");
        assert_eq!(variable("pre-ä"), "IF_PRE_");
    }
}
