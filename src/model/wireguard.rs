//! WireGuard's keys and peers (`wg(8)`).
//!
//! A [`Secret`] is never shown: neither `Debug` nor a record on disk has it. What is on disk therefore cannot be compared with
//! what is wanted; the kernel can, and is asked for it.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// A WireGuard link's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Wireguard {
    /// The file that it was read from, as `wg setconf` takes it. Empty in what was seen.
    pub path: String,
    /// `PrivateKey`; none leaves the link without one.
    #[serde(skip)]
    pub private_key: Option<Secret>,
    /// `ListenPort`; none takes any that is free.
    pub listen_port: Option<u16>,
    /// `FwMark`; 0 is none.
    pub fwmark: u32,
    /// `[Peer]` by `PublicKey`.
    pub peers: BTreeMap<WireguardKey, WireguardPeer>,
}

/// A peer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct WireguardPeer {
    /// `PresharedKey`.
    #[serde(skip)]
    pub preshared_key: Option<Secret>,
    /// `Endpoint`: `192.0.2.1:51820`, `[2001:db8::1]:51820` or `NAME:51820`. In what was seen it is where the peer is now.
    pub endpoint: Option<String>,
    /// `AllowedIPs`, without the bits of hosts.
    pub allowed_ips: BTreeSet<IpNet>,
    /// `PersistentKeepalive` in seconds; 0 is off.
    pub keepalive: u16,
}

impl Wireguard {
    /// Whether what was seen is what `desired` asks for. Peers roam, so where they are now says nothing; but one that
    /// ought to be somewhere must be somewhere.
    pub fn satisfies(&self, desired: &Wireguard) -> bool {
        let peer = |(key, want): (&WireguardKey, &WireguardPeer)| {
            self.peers.get(key).is_some_and(|have| {
                have.preshared_key == want.preshared_key
                    && have.allowed_ips == want.allowed_ips
                    && have.keepalive == want.keepalive
                    && (have.endpoint.is_some() || want.endpoint.is_none())
            })
        };
        self.private_key == desired.private_key
            && (desired.listen_port.is_none() || self.listen_port == desired.listen_port)
            && self.fwmark == desired.fwmark
            && self.peers.len() == desired.peers.len()
            && desired.peers.iter().all(peer)
    }

    /// Whether peers are to be sought in the same places.
    pub fn same_endpoints(&self, other: &Wireguard) -> bool {
        let of = |w: &Wireguard| w.peers.iter().map(|(key, p)| (*key, p.endpoint.clone())).collect::<Vec<_>>();
        of(self) == of(other)
    }
}

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WireguardKey([u8; 32]);

/// A private or preshared key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl WireguardKey {
    /// A key from its bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Secret {
    /// A key from its bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the kernel.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for WireguardKey {
    type Err = String;

    /// 44 characters of base64.
    fn from_str(s: &str) -> Result<Self, String> {
        decode(s).map(Self).ok_or_else(|| "a key is 44 characters of base64".to_owned())
    }
}

impl FromStr for Secret {
    type Err = String;

    /// 44 characters of base64.
    fn from_str(s: &str) -> Result<Self, String> {
        decode(s).map(Self).ok_or_else(|| "a key is 44 characters of base64".to_owned())
    }
}

impl fmt::Display for WireguardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for three in self.0.chunks(3) {
            let bits = three.iter().fold(0u32, |n, byte| n << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
            for i in 0..=three.len() {
                let sextet = (bits >> (18 - 6 * i)) & 63;
                write!(f, "{}", char::from(ALPHABET[sextet as usize]))?;
            }
        }
        f.write_str("=")
    }
}

impl fmt::Debug for WireguardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Hash for Secret {
    /// Hashes end up in names of files, so a secret has no part in them.
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Serialize for WireguardKey {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WireguardKey {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// 32 bytes of base64 with their one `=`.
fn decode(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_suffix('=').filter(|digits| digits.len() == 43)?;
    let (mut bytes, mut at, mut bits, mut held) = ([0; 32], 0, 0u32, 0);
    for digit in digits.bytes() {
        let sextet = ALPHABET.iter().position(|letter| *letter == digit)?;
        bits = bits << 6 | u32::try_from(sextet).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            *bytes.get_mut(at)? = (bits >> held) as u8;
            bits &= (1 << held) - 1;
            at += 1;
        }
    }
    (bits == 0 && at == 32).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_print_as_they_parse_and_secrets_are_not_shown() {
        let text = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
        let key: WireguardKey = text.parse().unwrap();
        assert_eq!(key.to_string(), text);
        assert_eq!(WireguardKey::from_bytes(*key.as_bytes()), key);
        for bad in [
            "",
            "x",
            &text[1..],
            "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dh=",
            "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8D==",
        ] {
            assert!(bad.parse::<WireguardKey>().is_err(), "{bad}");
        }
        let secret: Secret = text.parse().unwrap();
        let link = Wireguard { private_key: Some(secret), ..Wireguard::default() };
        let peer = WireguardPeer { preshared_key: Some(secret), ..WireguardPeer::default() };
        let all = Wireguard { peers: [(key, peer)].into(), ..link };
        let shown = format!("{all:?} {}", serde_json::to_string(&all).unwrap());
        assert_eq!(shown.matches(&text[1..]).count(), 2, "the public key, twice: {shown}");
    }
}
