//! Names and numbers that are made up here and must come out the same at every run: from a hash, never at random.

use crate::interfaces::Files;
use crate::model::{LinkName, MacAddr, NetnsName, Place};
use std::path::Path;

/// The host's end of a pair whose other end is `inner` of the namespace: `ve` and 13 characters of a hash of both. Two
/// of a million such names on one host agree with a probability of one in 30 millions.
pub(super) fn host_end(netns: &NetnsName, inner: LinkName) -> Option<LinkName> {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut hash = hash(&[netns.as_str(), inner.as_str()]);
    let mut name = String::from("ve");
    for _ in 0..13 {
        name.push(char::from(ALPHABET[(hash & 31) as usize]));
        hash >>= 5;
    }
    name.parse().ok()
}

/// The hardware address of the host's end of `BR..X`. A bridge that was given none takes the lowest of its ports', so this
/// one begins with `fe`: the bridge keeps that of its NIC.
pub(super) fn port_mac(netns: &NetnsName, inner: LinkName) -> Option<MacAddr> {
    let bytes = hash(&["port", netns.as_str(), inner.as_str()]).to_be_bytes();
    MacAddr::from_bytes(&[0xfe, bytes[0], bytes[1], bytes[2], bytes[3], bytes[4]])
}

/// What `hwaddress random` means: a locally administered address, the same at every start and reload of this link on
/// this machine, another one on every other machine. `None` if the machine has no identity.
pub(super) fn random_mac(files: &dyn Files, place: &Place) -> Option<MacAddr> {
    // machine-id(5): 32 hexadecimal digits, which must not be shown to others as they are.
    let bytes = files.read(Path::new("/etc/machine-id"), 64).ok()?;
    let id = std::str::from_utf8(&bytes).ok()?.trim();
    if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let netns = place.netns.name().map_or("", NetnsName::as_str);
    let mut bytes = [0; 6];
    bytes.copy_from_slice(&hash(&["hwaddress", id, netns, place.link.as_str()]).to_be_bytes()[2..]);
    bytes[0] = bytes[0] & !1 | 2;
    MacAddr::from_bytes(&bytes)
}

/// FNV-1a of the texts with a separator, and a final mix (of MurmurHash3) so that every bit depends on every byte.
fn hash(texts: &[&str]) -> u64 {
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0]));
    let mut hash = bytes
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn generated_names_fit_differ_and_stay() {
        let name = |netns: &str, inner: &str| host_end(&netns.parse().unwrap(), inner.parse().unwrap()).unwrap();
        let mut seen = BTreeSet::new();
        for netns in 0..100 {
            for inner in 0..100 {
                assert!(seen.insert(name(&format!("service{netns}"), &format!("br0..{inner}"))));
            }
        }
        assert_eq!(name("nginx", "br0..1").as_str(), "veyzqiyi7vyjhcn");
        assert_ne!(name("a", "br0..1"), name("b", "br0..1"));
    }
}
