//! Reading addresses: `struct ifaddrmsg` and `IFA_*` (`linux/if_addr.h`).
//!
//! Left out is what comes and goes by itself: those with a finite valid lifetime (DHCP, router advertisements), those
//! of `lo` that the kernel makes, and the link-local address that it makes for every IPv6 link. Kernels from 5.18 on
//! mark these (`IFA_PROTO`); on older ones a link-local address counts as the kernel's when it has the form that the
//! kernel gives it: a /64 made of the hardware address (EUI-64), or one marked as made by stable privacy.

use super::super::request::address::FOR_EVER;
use super::super::view;
use crate::model::{Address, MacAddr, Scope};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_BROADCAST: u16 = 4;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
const IFA_PROTO: u16 = 11;
/// `IFAPROT_KERNEL_LO`, `IFAPROT_KERNEL_RA`, `IFAPROT_KERNEL_LL`.
const OF_THE_KERNEL: std::ops::RangeInclusive<u8> = 1..=3;
const IFA_F_NODAD: u32 = 0x02;
const IFA_F_DADFAILED: u32 = 0x08;
/// IPv4 says no preferred lifetime of a permanent address, only this when it is 0.
const IFA_F_DEPRECATED: u32 = 0x20;
const IFA_F_TENTATIVE: u32 = 0x40;
const IFA_F_STABLE_PRIVACY: u32 = 0x800;
/// The size of `struct ifaddrmsg`.
const HEADER: usize = 8;

/// An address as its message describes it.
#[derive(Debug)]
pub(in crate::kernel) struct Seen<'a> {
    /// The link's index.
    pub index: u32,
    family: u8,
    prefix: u8,
    scope: u8,
    flags: u32,
    local: IpAddr,
    peer: Option<IpAddr>,
    label: Option<&'a str>,
    broadcast: Option<Ipv4Addr>,
    /// Preferred and valid, in seconds.
    lifetimes: (u32, u32),
    protocol: u8,
}

/// Reads one address; none when it is of another family than IPv4 and IPv6, or has no address in it.
pub(in crate::kernel) fn read(payload: &[u8]) -> Option<Seen<'_>> {
    let (mut local, mut address, mut label, mut broadcast) = (None, None, None, None);
    let (mut flags, mut lifetimes, mut protocol) = (u32::from(view::u8_at(payload, 2)), (FOR_EVER, FOR_EVER), 0);
    for (attribute, value) in view::attributes_after(payload, HEADER) {
        match attribute {
            IFA_LOCAL => local = view::ip(value),
            IFA_ADDRESS => address = view::ip(value),
            IFA_LABEL => label = view::text(value),
            IFA_BROADCAST => broadcast = view::ip(value),
            IFA_FLAGS => flags = view::u32(value),
            IFA_CACHEINFO => lifetimes = (view::u32(value), view::u32_at(value, 4)),
            IFA_PROTO => protocol = view::u8_at(value, 0),
            _ => {}
        }
    }
    let own = local.or(address)?;
    Some(Seen {
        index: view::u32_at(payload, 4),
        family: view::u8_at(payload, 0),
        prefix: view::u8_at(payload, 1),
        scope: view::u8_at(payload, 3),
        flags,
        local: own,
        peer: address.filter(|far| *far != own),
        label,
        broadcast: match broadcast {
            Some(IpAddr::V4(broadcast)) => Some(broadcast),
            _ => None,
        },
        lifetimes,
        protocol,
    })
}

impl Seen<'_> {
    /// The address itself.
    pub fn address(&self) -> IpAddr {
        self.local
    }

    /// Its prefix length.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether it is of the family `AF_…`.
    pub fn is_of(&self, family: u8) -> bool {
        self.family == family
    }

    /// Whether duplicate address detection is not done with it.
    pub fn is_tentative(&self) -> bool {
        self.flags & IFA_F_TENTATIVE != 0 && !self.is_duplicate()
    }

    /// Whether duplicate address detection found another host with it.
    pub fn is_duplicate(&self) -> bool {
        self.flags & IFA_F_DADFAILED != 0
    }

    /// As the model has it, on a link of that name and hardware address; none when it is not somebody's decision.
    pub fn model(&self, link: &str, mac: Option<&MacAddr>) -> Option<Address> {
        let (preferred, valid) = self.lifetimes;
        if valid != FOR_EVER || OF_THE_KERNEL.contains(&self.protocol) || self.is_loopback() || self.is_made_for(mac) {
            return None;
        }
        Some(Address {
            local: IpNet::new(self.local, self.prefix).ok()?,
            peer: self.peer,
            broadcast: self.broadcast,
            label: self.label.filter(|label| *label != link).map(str::to_owned),
            scope: Scope(self.scope),
            nodad: self.flags & IFA_F_NODAD != 0,
            preferred_lifetime: match self.flags & IFA_F_DEPRECATED {
                0 => Some(preferred).filter(|seconds| *seconds != FOR_EVER),
                _ => Some(0),
            },
        })
    }

    fn is_loopback(&self) -> bool {
        match self.local {
            IpAddr::V4(ip) => ip == Ipv4Addr::LOCALHOST && self.prefix == 8,
            IpAddr::V6(ip) => ip == Ipv6Addr::LOCALHOST,
        }
    }

    /// Whether it is the link-local address that the kernel makes of a hardware address, or in stable privacy.
    fn is_made_for(&self, mac: Option<&MacAddr>) -> bool {
        let IpAddr::V6(ip) = self.local else { return false };
        let own = mac.and_then(|mac| eui64(mac.as_bytes()));
        ip.is_unicast_link_local()
            && self.prefix == 64
            && (self.flags & IFA_F_STABLE_PRIVACY != 0 || own.is_some_and(|own| ip.octets()[8..] == own))
    }
}

/// The interface identifier of an Ethernet address (RFC 4291, appendix A).
fn eui64(mac: &[u8]) -> Option<[u8; 8]> {
    let [a, b, c, d, e, f] = *<&[u8; 6]>::try_from(mac).ok()?;
    Some([a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}
