//! Routes `prefix → gateway`: which gateway has the longest prefix that an address is in.
//!
//! Theory: prefixes nest or are apart, so that a table is the same as a list of stretches, sorted by where they begin, each with the gateway
//! of the innermost prefix around it. A look-up is one binary search, for IPv4 in what an index by the address's first 16 bits leaves of
//! the list. The list is made once, off the packets' path, and never changed: another takes its place. It is a few vectors, so that it costs
//! next to nothing to let go of.

use super::name::HostName;
use ipnet::IpNet;
use rustc_hash::FxHashMap;
use std::fmt;
use std::net::IpAddr;

/// How many routes a table may have.
pub const LONGEST: usize = 1 << 20;

/// Where packets go by a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Gateway {
    /// To the router's own device.
    Device,
    /// To the host of that name, which connects to this router.
    Host(HostName),
    /// To the router that this one connects to, by the uplink of that name.
    Uplink(HostName),
    /// To the router of that name, of the fleet that this one is in.
    Router(HostName),
}

impl Gateway {
    /// What a connection of this gateway leads to beside it: a router of the fleet that connects to this one is a host here.
    pub fn also(&self) -> Option<Self> {
        if let Self::Host(name) = self { Some(Self::Router(name.clone())) } else { None }
    }

    /// Whether what goes here may go by a connection of another gateway, and what comes by that may be from here.
    pub fn is_reached_by(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Router(name), Self::Host(other)) => name == other,
            _ => self == other,
        }
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device => f.write_str("the device"),
            Self::Host(name) => name.fmt(f),
            Self::Uplink(name) => write!(f, "uplink {name}"),
            Self::Router(name) => write!(f, "router {name}"),
        }
    }
}

/// No gateway, among their numbers.
const NONE: u32 = u32::MAX;

/// A table.
#[derive(Debug, Default, Clone)]
pub struct Routes {
    gateways: Vec<Gateway>,
    v4: Stretches<u32>,
    v6: Stretches<u128>,
    /// Where in the list of IPv4 the addresses with these first 16 bits begin; empty for a small table.
    index: Vec<u32>,
    len: usize,
    /// What no route has is asked for elsewhere.
    pub asks: bool,
}

impl Routes {
    /// Of routes in any order. Of two with the same prefix the first counts; how many were passed over is said.
    pub fn new(routes: impl IntoIterator<Item = (IpNet, Gateway)>) -> (Self, usize) {
        let (mut gateways, mut numbers) = (Vec::new(), FxHashMap::default());
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (to, gateway) in routes {
            let number = *numbers.entry(gateway.clone()).or_insert_with(|| {
                gateways.push(gateway);
                gateways.len() as u32 - 1
            });
            match to.trunc() {
                IpNet::V4(net) => v4.push(Prefix {
                    first: u32::from(net.network()),
                    last: u32::from(net.broadcast()),
                    gateway: number,
                }),
                IpNet::V6(net) => v6.push(Prefix {
                    first: u128::from(net.network()),
                    last: u128::from(net.broadcast()),
                    gateway: number,
                }),
            }
        }
        let given = v4.len() + v6.len();
        let (v4, count4) = Stretches::new(v4);
        let (v6, count6) = Stretches::new(v6);
        let index = index(&v4);
        (Self { gateways, v4, v6, index, len: count4 + count6, asks: false }, given - count4 - count6)
    }

    /// How many routes there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All gateways; the numbers of [`Self::find`] are their places.
    pub fn gateways(&self) -> &[Gateway] {
        &self.gateways
    }

    /// The gateway's number for an address.
    #[inline]
    pub fn find(&self, address: IpAddr) -> Option<u32> {
        let found = match address {
            IpAddr::V4(address) => self.find_v4(u32::from(address)),
            IpAddr::V6(address) => self.v6.find(u128::from(address), 0, self.v6.starts.len()),
        };
        Some(found).filter(|number| *number != NONE)
    }

    /// The gateway for an address.
    pub fn gateway(&self, address: IpAddr) -> Option<&Gateway> {
        self.gateways.get(self.find(address)? as usize)
    }

    #[inline]
    fn find_v4(&self, address: u32) -> u32 {
        let high = (address >> 16) as usize;
        match self.index.get(high..high + 2) {
            Some(&[from, to]) => self.v4.find(address, from as usize, to as usize),
            _ => self.v4.find(address, 0, self.v4.starts.len()),
        }
    }
}

struct Prefix<A> {
    first: A,
    last: A,
    gateway: u32,
}

/// Where each stretch begins, and its gateway; it ends where the next one begins.
#[derive(Debug, Clone)]
struct Stretches<A> {
    starts: Vec<A>,
    gateways: Vec<u32>,
}

impl<A> Default for Stretches<A> {
    fn default() -> Self {
        Self { starts: Vec::new(), gateways: Vec::new() }
    }
}

/// An address as a number.
trait Number: Copy + Ord {
    fn next(self) -> Option<Self>;
}

impl Number for u32 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Number for u128 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl<A: Number> Stretches<A> {
    /// The stretches, and of how many prefixes.
    fn new(mut prefixes: Vec<Prefix<A>>) -> (Self, usize) {
        // The outer one first; the sort is stable, so that the first of equals stays the first.
        prefixes.sort_by(|a, b| a.first.cmp(&b.first).then(b.last.cmp(&a.last)));
        prefixes.dedup_by(|later, kept| (later.first, later.last) == (kept.first, kept.last));
        let mut list = Self::default();
        let mut around: Vec<&Prefix<A>> = Vec::new();
        for prefix in &prefixes {
            list.leave(&mut around, Some(prefix.first));
            list.push(prefix.first, prefix.gateway);
            around.push(prefix);
        }
        list.leave(&mut around, None);
        list.starts.shrink_to_fit();
        list.gateways.shrink_to_fit();
        (list, prefixes.len())
    }

    /// Ends those prefixes that end before an address.
    fn leave(&mut self, around: &mut Vec<&Prefix<A>>, before: Option<A>) {
        while let Some(inner) = around.pop_if(|inner| before.is_none_or(|before| inner.last < before)) {
            if let Some(start) = inner.last.next() {
                self.push(start, around.last().map_or(NONE, |outer| outer.gateway));
            }
        }
    }

    fn push(&mut self, start: A, gateway: u32) {
        if self.starts.last() == Some(&start) {
            // The stretch before would be empty.
            self.starts.pop();
            self.gateways.pop();
        }
        if self.gateways.last().copied().unwrap_or(NONE) != gateway {
            self.starts.push(start);
            self.gateways.push(gateway);
        }
    }

    /// The gateway of an address, whose stretch begins before the place `to`, and not before the one that precedes `from`.
    #[inline]
    fn find(&self, address: A, from: usize, to: usize) -> u32 {
        let part = self.starts.get(from..to).unwrap_or_default();
        let place = from + part.partition_point(|start| *start <= address);
        place.checked_sub(1).and_then(|place| self.gateways.get(place)).copied().unwrap_or(NONE)
    }
}

/// A table below this size is searched quickly enough.
const SMALL: usize = 64;

fn index(list: &Stretches<u32>) -> Vec<u32> {
    if list.starts.len() < SMALL {
        return Vec::new();
    }
    let mut place = 0;
    let mut begins = |high: u32| {
        while list.starts.get(place).is_some_and(|start| start >> 16 < high) {
            place += 1;
        }
        place as u32
    };
    (0..=1 << 16).map(&mut begins).collect()
}

/// Why a line is no route: which part of it, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Where the part begins, in bytes.
    pub at: usize,
    /// How long it is.
    pub len: usize,
    /// What is wrong.
    pub message: String,
}

/// A line `PREFIX HOST`, `HOST` being a name; none where it is empty or a comment, which `#` begins.
///
/// # Errors
/// What is wrong with it.
pub fn parse_line(line: &str) -> Result<Option<(IpNet, HostName)>, BadLine> {
    let line = line.split('#').next().unwrap_or_default();
    let mut words = line.split_ascii_whitespace();
    let bad = |part: &str, message: String| BadLine {
        at: part.as_ptr() as usize - line.as_ptr() as usize,
        len: part.len(),
        message,
    };
    let Some(to) = words.next() else { return Ok(None) };
    let net = to.parse::<IpNet>().or_else(|_| to.parse::<IpAddr>().map(IpNet::from));
    let net = net.map_err(|_| bad(to, format!("`{to}` is no address or prefix")))?;
    if net.trunc() != net {
        return Err(bad(to, format!("`{net}` has bits beyond its prefix length: {} has none", net.trunc())));
    }
    let host = words.next().ok_or_else(|| bad(to, "there is no host behind it".into()))?;
    let name = host.parse().map_err(|why| bad(host, format!("`{host}` is no host: {why}")))?;
    match words.next() {
        Some(more) => Err(bad(more, format!("`{more}` is too much"))),
        None => Ok(Some((net, name))),
    }
}

#[cfg(test)]
mod tests;
