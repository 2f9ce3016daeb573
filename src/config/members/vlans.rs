//! The VLANs that bridges that filter by VLAN, and their ports, are members of (`bridge vlan`).

use super::{Members, kind, lines};
use crate::config::draft::Draft;
use crate::config::kind::yes_or_no;
use crate::config::report::Report;
use crate::config::value::{Part, only_word, words};
use crate::interfaces::diagnostic::Diagnostic;
use crate::model::{BridgeVlan, Kind, LinkValue, Place, VirtualKind};
use std::collections::{BTreeSet, HashMap};

/// How many memberships one namespace may have: the whole range on 512 ports.
const MAX_MEMBERSHIPS: usize = 1 << 21;

/// The VLAN of frames without a tag, if nothing is said.
const DEFAULT_PVID: u16 = 1;

/// The options that mean something only on a bridge that filters.
const OPTIONS: [&str; 4] = ["bridge-vids", "bridge-pvid", "bridge-access", "bridge-allow-untagged"];

/// What a stanza says of VLANs.
#[derive(Default, Clone)]
struct Wishes {
    vids: Option<Vec<(u16, u16)>>,
    pvid: Option<u16>,
    access: Option<u16>,
    untagged: Option<bool>,
}

/// Gives bridges and ports their memberships.
pub(super) fn resolve(drafts: &mut [Draft<'_>], members: &Members, report: &mut Report) {
    let mut left = MAX_MEMBERSHIPS;
    let uppers = uppers(drafts);
    for bridge in 0..drafts.len() {
        if kind(&drafts[bridge]) != Some(VirtualKind::Bridge) {
            continue;
        }
        if !filters(&drafts[bridge]) {
            for &at in std::iter::once(&bridge).chain(members.ports(bridge)) {
                without_effect(&drafts[at], report);
            }
            continue;
        }
        let of_bridge = Wishes::read(&drafts[bridge], report);
        if of_bridge.says_anything() {
            let upper = uppers.get(&drafts[bridge].place).cloned().unwrap_or_default();
            let own = Wishes { vids: Some(upper), ..of_bridge.clone() };
            drafts[bridge].vlans = own.memberships(&mut left);
        }
        for &port in members.ports(bridge) {
            let wishes = Wishes::read(&drafts[port], report).or(&of_bridge);
            if wishes.says_anything() {
                drafts[port].vlans = wishes.memberships(&mut left);
            }
        }
        if left == 0 {
            let message = format!("`{}` and its ports are in more VLANs than fit", drafts[bridge].place.link);
            let error = drafts[bridge].span.as_ref().map(|span| Diagnostic::error(span, message));
            return error.into_iter().for_each(|error| report.push(error));
        }
    }
}

fn filters(draft: &Draft<'_>) -> bool {
    let own = draft.kind.as_ref().and_then(Kind::as_virtual);
    own.is_some_and(|own| own.options.get("vlan_filtering") == Some(&LinkValue::Number(1)))
}

fn without_effect(draft: &Draft<'_>, report: &mut Report) {
    for opt in OPTIONS.into_iter().flat_map(|name| lines(draft, name)) {
        let warning = Diagnostic::warning(&opt.name.span, format!("`{}` has no effect", opt.name.value));
        report.push(warning.help("the bridge does not filter by VLAN; add `bridge-vlan-aware yes` to it"));
    }
}

/// The VLANs that stand on each link.
fn uppers(drafts: &[Draft<'_>]) -> HashMap<Place, Vec<(u16, u16)>> {
    let mut uppers: HashMap<Place, Vec<(u16, u16)>> = HashMap::new();
    for draft in drafts {
        if let Some(Kind::Vlan { parent: Some(parent), id: id @ 1.., .. }) = &draft.kind {
            uppers.entry(parent.clone()).or_default().push((*id, *id));
        }
    }
    uppers
}

impl Wishes {
    fn read(draft: &Draft<'_>, report: &mut Report) -> Self {
        let id = |name: &str, report: &mut Report| {
            let opt = *lines(draft, name).first()?;
            report.take(only_word(opt).and_then(id))
        };
        let vids = lines(draft, "bridge-vids");
        let ranges = |report: &mut Report| {
            let words = vids.iter().flat_map(|opt| words(opt)).flat_map(|word| word.pieces(','));
            words.filter_map(|word| report.take(range(word))).collect()
        };
        let untagged = lines(draft, "bridge-allow-untagged").first().copied();
        Self {
            vids: if vids.is_empty() { None } else { Some(ranges(report)) },
            pvid: id("bridge-pvid", report),
            access: id("bridge-access", report),
            untagged: untagged.and_then(|opt| report.take(only_word(opt).and_then(yes_or_no))),
        }
    }

    fn says_anything(&self) -> bool {
        self.vids.is_some() || self.pvid.is_some() || self.access.is_some() || self.untagged.is_some()
    }

    /// A port's own wishes, and for the rest the bridge's; `bridge-access` is each one's own.
    fn or(self, bridge: &Wishes) -> Self {
        Self {
            vids: self.vids.or_else(|| bridge.vids.clone()),
            pvid: self.pvid.or(bridge.pvid),
            access: self.access,
            untagged: self.untagged.or(bridge.untagged),
        }
    }

    /// The memberships; none when there are more than are `left`, which is 0 then.
    fn memberships(&self, left: &mut usize) -> Option<BTreeSet<BridgeVlan>> {
        if let Some(id) = self.access {
            return Some([BridgeVlan { id, pvid: true, untagged: true }].into());
        }
        let pvid = Some(self.pvid.unwrap_or(DEFAULT_PVID)).filter(|_| self.untagged != Some(false));
        let mut ids: Vec<u16> = Vec::new();
        for &(low, high) in self.vids.iter().flatten() {
            let count = usize::from(high - low) + 1;
            *left = left.checked_sub(count).unwrap_or(0);
            if *left == 0 {
                return None;
            }
            ids.extend((low..=high).filter(|id| Some(*id) != pvid));
        }
        ids.sort_unstable();
        ids.dedup();
        let tagged = ids.into_iter().map(|id| BridgeVlan { id, pvid: false, untagged: false });
        Some(tagged.chain(pvid.map(|id| BridgeVlan { id, pvid: true, untagged: true })).collect())
    }
}

fn id(word: Part<'_>) -> Result<u16, Diagnostic> {
    word.number(1, 4094)
}

/// `ID` or `LOW-HIGH`.
fn range(word: Part<'_>) -> Result<(u16, u16), Diagnostic> {
    let (low, high) = word.split('-');
    let range = (id(low)?, high.map_or_else(|| id(low), id)?);
    if range.1 < range.0 {
        return Err(word.is_not("a range of VLANs"));
    }
    Ok(range)
}
