//! WireGuard's keys and peers: generic netlink, `linux/wireguard.h` (`wg(8)`).
//!
//! What is set replaces everything, as `wg setconf` does. A message holds at most some 16 KiB, so a link with many peers takes
//! several: the first one empties the list, and of a peer that is cut in two the second part adds to the first.

use super::error::Error;
use super::netns::Namespace;
use super::options::put;
use super::session::{Request, Session};
use super::view;
use crate::model::{LinkName, Secret, Wireguard, WireguardKey, WireguardPeer};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

/// `linux/genetlink.h`.
const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
/// The size of `struct genlmsghdr`.
const HEADER: usize = 4;
const NESTED: u16 = 1 << 15;

const GET_DEVICE: u8 = 0;
const SET_DEVICE: u8 = 1;
const A_IFNAME: u16 = 2;
const A_PRIVATE_KEY: u16 = 3;
const A_FLAGS: u16 = 5;
const A_LISTEN_PORT: u16 = 6;
const A_FWMARK: u16 = 7;
const A_PEERS: u16 = 8;
const REPLACE_PEERS: u32 = 1;
const PEER_PUBLIC_KEY: u16 = 1;
const PEER_PRESHARED_KEY: u16 = 2;
const PEER_FLAGS: u16 = 3;
const PEER_ENDPOINT: u16 = 4;
const PEER_KEEPALIVE: u16 = 5;
const PEER_ALLOWED_IPS: u16 = 9;
const REPLACE_ALLOWED_IPS: u32 = 2;
const IP_FAMILY: u16 = 1;
const IP_ADDRESS: u16 = 2;
const IP_MASK: u16 = 3;

/// How much of peers goes into one message; an attribute holds less than 64 KiB.
const CHUNK: usize = 16 << 10;
/// How many allowed addresses of a peer go into one message.
const ADDRESSES: usize = 200;

/// A conversation about WireGuard's links of one namespace.
#[derive(Debug)]
pub(super) struct Conversation {
    session: Session,
    family: u16,
}

impl Conversation {
    /// Opens one inside a namespace.
    pub fn open(namespace: &Namespace) -> Result<Self, Error> {
        let mut session = Session::open_generic(namespace)?;
        let mut payload = vec![CTRL_CMD_GETFAMILY, 1, 0, 0];
        put(&mut payload, CTRL_ATTR_FAMILY_NAME, b"wireguard\0");
        let read = |payload: &[u8]| {
            view::attributes_after(payload, HEADER)
                .find(|(kind, _)| *kind == CTRL_ATTR_FAMILY_ID)
                .map(|(_, value)| view::u16(value))
        };
        let family = session.ask(&Request::raw(GENL_ID_CTRL, payload), read)?.flatten();
        let family = family.ok_or_else(|| Error::NoKind("wireguard".into()))?;
        Ok(Self { session, family })
    }

    /// Makes a link be configured as `want`.
    pub fn set(&mut self, link: LinkName, want: &Wireguard) -> Result<(), Error> {
        let endpoints = want.peers.values().map(|peer| peer.endpoint.as_deref().map(resolve).transpose());
        let endpoints: Vec<Option<SocketAddr>> = endpoints.collect::<Result<_, _>>()?;
        let mut first = self.about(SET_DEVICE, link);
        put(&mut first, A_FLAGS, &REPLACE_PEERS.to_ne_bytes());
        put(&mut first, A_PRIVATE_KEY, key_or_none(want.private_key.as_ref()));
        put(&mut first, A_LISTEN_PORT, &want.listen_port.unwrap_or(0).to_ne_bytes());
        put(&mut first, A_FWMARK, &want.fwmark.to_ne_bytes());
        self.session.request(&Request::raw(self.family, first))?;
        let mut list = Vec::new();
        for ((key, peer), endpoint) in want.peers.iter().zip(endpoints) {
            for part in peer_parts(key, peer, endpoint) {
                if !list.is_empty() && list.len() + part.len() > CHUNK {
                    self.send_peers(link, &std::mem::take(&mut list))?;
                }
                put(&mut list, NESTED, &part);
            }
        }
        if list.is_empty() { Ok(()) } else { self.send_peers(link, &list) }
    }

    fn send_peers(&mut self, link: LinkName, list: &[u8]) -> Result<(), Error> {
        let mut message = self.about(SET_DEVICE, link);
        put(&mut message, A_PEERS | NESTED, list);
        self.session.request(&Request::raw(self.family, message))
    }

    /// How a link is configured.
    pub fn get(&mut self, link: LinkName) -> Result<Wireguard, Error> {
        let question = Request::raw(self.family, self.about(GET_DEVICE, link));
        let parts = self.session.dump(&question, |payload| Some(read(payload)))?;
        // A long list of peers comes in several messages; a peer that is cut in two is in both.
        let mut whole = Wireguard::default();
        for (i, part) in parts.into_iter().enumerate() {
            if i == 0 {
                whole = part;
                continue;
            }
            for (key, peer) in part.peers {
                whole
                    .peers
                    .entry(key)
                    .or_insert_with(|| WireguardPeer { allowed_ips: [].into(), ..peer.clone() })
                    .allowed_ips
                    .extend(peer.allowed_ips);
            }
        }
        Ok(whole)
    }

    fn about(&self, command: u8, link: LinkName) -> Vec<u8> {
        let mut payload = vec![command, 1, 0, 0];
        put(&mut payload, A_IFNAME, format!("{link}\0").as_bytes());
        payload
    }
}

/// A key's bytes; all zeroes take one away.
fn key_or_none(key: Option<&Secret>) -> &[u8; 32] {
    key.map_or(&[0; 32], |key| key.expose())
}

/// A peer as one list of attributes or more.
fn peer_parts(key: &WireguardKey, peer: &WireguardPeer, endpoint: Option<SocketAddr>) -> Vec<Vec<u8>> {
    let ips: Vec<&IpNet> = peer.allowed_ips.iter().collect();
    let mut chunks: Vec<&[&IpNet]> = ips.chunks(ADDRESSES).collect();
    if chunks.is_empty() {
        chunks.push(&[]);
    }
    let one = |(i, ips): (usize, &&[&IpNet])| {
        let mut part = Vec::new();
        put(&mut part, PEER_PUBLIC_KEY, key.as_bytes());
        if i == 0 {
            put(&mut part, PEER_FLAGS, &REPLACE_ALLOWED_IPS.to_ne_bytes());
            put(&mut part, PEER_PRESHARED_KEY, key_or_none(peer.preshared_key.as_ref()));
            put(&mut part, PEER_KEEPALIVE, &peer.keepalive.to_ne_bytes());
            if let Some(endpoint) = endpoint {
                put(&mut part, PEER_ENDPOINT, &sockaddr(endpoint));
            }
        }
        let mut list = Vec::new();
        ips.iter().for_each(|net| put(&mut list, NESTED, &allowed(net)));
        put(&mut part, PEER_ALLOWED_IPS | NESTED, &list);
        part
    };
    chunks.iter().enumerate().map(one).collect()
}

fn allowed(net: &IpNet) -> Vec<u8> {
    let (mut ip, (family, octets)) = (Vec::new(), family_and_octets(net.addr()));
    put(&mut ip, IP_FAMILY, &u16::from(family).to_ne_bytes());
    put(&mut ip, IP_ADDRESS, &octets);
    put(&mut ip, IP_MASK, &[net.prefix_len()]);
    ip
}

fn family_and_octets(ip: IpAddr) -> (u8, Vec<u8>) {
    match ip {
        IpAddr::V4(ip) => (view::INET, ip.octets().to_vec()),
        IpAddr::V6(ip) => (view::INET6, ip.octets().to_vec()),
    }
}

/// `struct sockaddr_in` or `sockaddr_in6` (`ip(7)`, `ipv6(7)`).
fn sockaddr(endpoint: SocketAddr) -> Vec<u8> {
    let (family, octets) = family_and_octets(endpoint.ip());
    let mut bytes = [u16::from(family).to_ne_bytes(), endpoint.port().to_be_bytes()].concat();
    match endpoint {
        SocketAddr::V4(_) => {
            bytes.extend(octets);
            bytes.extend([0; 8]);
        }
        SocketAddr::V6(v6) => {
            bytes.extend(v6.flowinfo().to_be_bytes());
            bytes.extend(octets);
            bytes.extend(v6.scope_id().to_ne_bytes());
        }
    }
    bytes
}

/// Where a peer is. Names are asked for where this program runs.
fn resolve(endpoint: &str) -> Result<SocketAddr, Error> {
    if let Ok(address) = endpoint.parse() {
        return Ok(address);
    }
    let failed = |why: String| Error::Unresolved { endpoint: endpoint.to_owned(), why };
    let mut found = endpoint.to_socket_addrs().map_err(|e| failed(e.to_string()))?;
    found.next().ok_or_else(|| failed("it has no address".into()))
}

fn read(payload: &[u8]) -> Wireguard {
    let mut seen = Wireguard::default();
    for (attribute, value) in view::attributes_after(payload, HEADER) {
        match attribute {
            A_PRIVATE_KEY => seen.private_key = secret(value),
            A_LISTEN_PORT => seen.listen_port = Some(view::u16(value)),
            A_FWMARK => seen.fwmark = view::u32(value),
            A_PEERS => {
                seen.peers = view::attributes(value).filter_map(|(_, peer)| read_peer(peer)).collect::<BTreeMap<_, _>>()
            }
            _ => {}
        }
    }
    seen
}

fn read_peer(attributes: &[u8]) -> Option<(WireguardKey, WireguardPeer)> {
    let (mut key, mut peer) = (None, WireguardPeer::default());
    for (attribute, value) in view::attributes(attributes) {
        match attribute {
            PEER_PUBLIC_KEY => key = <[u8; 32]>::try_from(value).ok().map(WireguardKey::from_bytes),
            PEER_PRESHARED_KEY => peer.preshared_key = secret(value),
            PEER_ENDPOINT => peer.endpoint = read_endpoint(value),
            PEER_KEEPALIVE => peer.keepalive = view::u16(value),
            PEER_ALLOWED_IPS => {
                peer.allowed_ips = view::attributes(value).filter_map(|(_, ip)| read_allowed(ip)).collect()
            }
            _ => {}
        }
    }
    Some((key?, peer))
}

/// A key; all zeroes stand for none.
fn secret(value: &[u8]) -> Option<Secret> {
    <[u8; 32]>::try_from(value).ok().filter(|key| *key != [0; 32]).map(Secret::from_bytes)
}

fn read_allowed(attributes: &[u8]) -> Option<IpNet> {
    let (mut address, mut mask) = (None, 0);
    for (attribute, value) in view::attributes(attributes) {
        match attribute {
            IP_ADDRESS => address = view::ip(value),
            IP_MASK => mask = view::u8_at(value, 0),
            _ => {}
        }
    }
    IpNet::new(address?, mask).ok()
}

fn read_endpoint(value: &[u8]) -> Option<String> {
    let port = view::u16_be(value.get(2..)?);
    let address = match u8::try_from(view::u16(value)).ok()? {
        view::INET => view::ip(value.get(4..8)?)?,
        view::INET6 => view::ip(value.get(8..24)?)?,
        _ => return None,
    };
    Some(SocketAddr::new(address, port).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_peer_with_many_addresses_is_said_in_parts() {
        let ips = (0..450u32).map(|n| IpNet::new(IpAddr::V4((0x0a00_0000 + n).into()), 32).unwrap()).collect();
        let key = WireguardKey::from_bytes([7; 32]);
        let peer =
            WireguardPeer { allowed_ips: ips, endpoint: Some("[2001:db8::1]:5".into()), ..WireguardPeer::default() };
        let parts = peer_parts(&key, &peer, Some(resolve("[2001:db8::1]:5").unwrap()));
        assert_eq!(parts.len(), 3);
        let mut again = WireguardPeer::default();
        for part in &parts {
            let (read_key, read) = read_peer(part).unwrap();
            assert_eq!(read_key, key);
            again.endpoint = again.endpoint.or(read.endpoint);
            again.allowed_ips.extend(read.allowed_ips);
        }
        assert_eq!(again, peer);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            read(&bytes);
            read_peer(&bytes);
            read_endpoint(&bytes);
        }
    }
}
