//! Operations on links: made, set, moved. What each may mean depends on those before it, so they are asked for one by one.
//!
//! A link is made in the namespace that holds what it stands on, and put into its own by the same request. The kernel's IP
//! tunnels and XFRM interfaces are the exception: they would send their outer packets from the namespace that they are put
//! into, or not, as the version has it. So they are made first and moved then, which means the same to all.
//!
//! Must not know: why.

use super::error::Error;
use super::observe::link::Seen;
use super::options;
use super::request::{self, Request};
use super::{Kernel, tun, wait};
use crate::model::{Kind, Netns, Place, PortOf, Virtual, VirtualKind};
use crate::plan::LinkSetting;
use nix::errno::Errno;
use std::os::fd::AsFd;

/// What the kernel says of a kind that it does not know (`rtnl_newlink()`).
const UNKNOWN_KIND: &str = "Unknown device type";

impl Kernel {
    pub(super) fn add_link(&mut self, place: &Place, kind: &Kind) -> Result<(), Error> {
        let at = kind.made_in(&place.netns).clone();
        let made = match kind {
            Kind::Virtual(v) if matches!(v.kind, VirtualKind::Tun | VirtualKind::Tap) => {
                return tun::create(self.namespace(&place.netns)?, place.link, v);
            }
            Kind::Virtual(v) if v.kind.is_moved_after_birth() && at != place.netns => self.add_and_move(place, &at, v),
            Kind::Virtual(v) => self.add_virtual(place, &at, v),
            kind => self.add_tied(place, &at, kind),
        };
        made.map_err(|error| match error {
            Error::Refused { errno: Errno::EOPNOTSUPP, text: Some(text) } if text.starts_with(UNKNOWN_KIND) => {
                Error::NoKind(kind.name().to_owned())
            }
            error => error,
        })
    }

    /// Makes a link, or gives the options to the one that is there.
    pub(super) fn ensure_link(&mut self, place: &Place, own: &Virtual) -> Result<(), Error> {
        match self.opened(&place.netns)?.index(place.link) {
            Ok(_) if own.options.is_empty() => Ok(()),
            Ok(_) => {
                let (kind, options) = (own.kind, own.options.clone());
                self.set_link(place, &LinkSetting::Options { kind, options })
            }
            Err(Error::NoLink(_)) => self.add_link(place, &Kind::Virtual(own.clone())),
            Err(error) => Err(error),
        }
    }

    /// A pair or a VLAN.
    fn add_tied(&mut self, place: &Place, at: &Netns, kind: &Kind) -> Result<(), Error> {
        let inside = if *at == place.netns { None } else { Some(self.file(&place.netns)?) };
        let inside = inside.as_ref().map(AsFd::as_fd);
        let request = match kind {
            Kind::Veth { peer: Some(peer) } => request::link::add_veth(peer.link, place.link, inside),
            Kind::Vlan { parent: Some(parent), id, protocol } => {
                let index = self.opened(at)?.index(parent.link)?;
                request::link::add_vlan(index, place.link, inside, *id, *protocol)
            }
            Kind::Veth { peer: None } | Kind::Vlan { parent: None, .. } => {
                return Err(Error::Unspeakable("what the link is tied to is not known"));
            }
            Kind::Loopback | Kind::Physical | Kind::Virtual(_) | Kind::Other(_) => {
                return Err(Error::Unspeakable("links of this kind are not made"));
            }
        };
        self.ask_about_links(at, &request)
    }

    /// One that is made of options, in the namespace `at`.
    fn add_virtual(&mut self, place: &Place, at: &Netns, v: &Virtual) -> Result<(), Error> {
        if v.kind.needs_parent() && v.parent.is_none() {
            return Err(Error::Unspeakable("what the link stands on is not known"));
        }
        let inside = if *at == place.netns { None } else { Some(self.file(&place.netns)?) };
        let opened = self.opened(at)?;
        let mut data = options::encode(v.kind, &v.options, |link| opened.index(link))?;
        let mut parent = v.parent.as_ref().map(|parent| opened.index(parent.link)).transpose()?;
        if let Some(attribute) = options::parent_attribute(v.kind)
            && let Some(index) = parent.take()
        {
            options::put(&mut data, attribute, &index.to_ne_bytes());
        }
        let inside = inside.as_ref().map(AsFd::as_fd);
        let request = request::link::add_virtual(place.link, parent, inside, v.kind.as_str(), &data);
        self.ask_about_links(at, &request)
    }

    /// Makes a tunnel or an XFRM interface where its outer packets travel, and moves it to its place.
    fn add_and_move(&mut self, place: &Place, at: &Netns, v: &Virtual) -> Result<(), Error> {
        let born = Place::new(at.clone(), place.link);
        self.add_virtual(&born, at, v)?;
        let moved = self.move_link(&born, place);
        if moved.is_err() {
            self.ask_about_links(at, &request::link::delete(born.link))?;
        }
        moved
    }

    pub(super) fn set_link(&mut self, place: &Place, set: &LinkSetting) -> Result<(), Error> {
        let name = place.link;
        let request = match set {
            LinkSetting::Up(up) => request::link::set_up(name, *up),
            LinkSetting::Mtu(mtu) => request::link::set_mtu(name, *mtu),
            LinkSetting::Mac(mac) => request::link::set_mac(name, mac),
            LinkSetting::Alias(text) if text.len() > request::link::ALIAS_MAX => {
                return Err(Error::Unspeakable("an alias has at most 255 bytes"));
            }
            LinkSetting::Alias(text) => request::link::set_alias(name, text),
            LinkSetting::Master(None) => request::link::set_master(name, 0),
            LinkSetting::Master(Some(master)) => {
                request::link::set_master(name, self.opened(&place.netns)?.index(*master)?)
            }
            LinkSetting::AddAltname(alt) | LinkSetting::DeleteAltname(alt)
                if alt.len() > request::link::ALTNAME_MAX =>
            {
                return Err(Error::Unspeakable("an alternative name has at most 127 bytes"));
            }
            LinkSetting::AddAltname(alt) => request::link::add_altname(name, alt),
            LinkSetting::DeleteAltname(alt) => request::link::delete_altname(name, alt),
            LinkSetting::Options { kind, options } => {
                let opened = self.opened(&place.netns)?;
                let data = options::encode(*kind, options, |link| opened.index(link))?;
                request::link::set_options(name, kind.as_str(), &data)
            }
            LinkSetting::Port { of, options } => {
                let kind = if *of == PortOf::Bridge { VirtualKind::Bridge } else { VirtualKind::Bond };
                request::link::set_port(name, kind.as_str(), &options::encode_port(*of, options)?)
            }
            LinkSetting::AddVlans(range) => request::bridge::add_vlans(self.opened(&place.netns)?.index(name)?, range),
            LinkSetting::DeleteVlans(range) => {
                request::bridge::delete_vlans(self.opened(&place.netns)?.index(name)?, range)
            }
            LinkSetting::AddrGenMode(mode) => return self.set_addrgenmode(place, *mode),
            LinkSetting::Wireguard(wg) => return self.opened(&place.netns)?.wireguard()?.set(name, wg),
        };
        self.ask_about_links(&place.netns, &request)
    }

    /// Without IPv6 there are no link-local addresses either way.
    fn set_addrgenmode(&mut self, place: &Place, mode: u8) -> Result<(), Error> {
        match self.ask_about_links(&place.netns, &request::link::set_addrgenmode(place.link, mode)) {
            Err(Error::Refused { errno: Errno::EAFNOSUPPORT, .. }) => {
                log::debug!("{} has no IPv6, ignoring: it makes no link-local address", place.link);
                Ok(())
            }
            other => other,
        }
    }

    /// Moves and renames. The kernel moves first and renames then, so a name that is taken would leave the link there
    /// under its old one, without its addresses; hence the look before, and the way back after.
    pub(super) fn move_link(&mut self, from: &Place, to: &Place) -> Result<(), Error> {
        if from.link == to.link {
            return self.move_as_it_is(from, to);
        }
        let there = self.file(&to.netns)?;
        let index = self.opened(&from.netns)?.index(from.link)?;
        if from.netns != to.netns {
            let as_altname = Place::new(from.netns.clone(), to.link);
            if self.find(&as_altname)?.is_some_and(|seen| seen.index == index) || self.find(to)?.is_some() {
                return Err(name_is_taken(to));
            }
        }
        self.opened(&to.netns)?.indexes.clear();
        let moved = self.ask_about_links(&from.netns, &request::link::move_as(index, there.as_fd(), to.link));
        if moved.is_err() {
            self.bring_back(from, &to.netns)?;
        }
        moved
    }

    /// Moves a link that keeps its name, which needs no look before: the kernel refuses where something has that name.
    fn move_as_it_is(&mut self, from: &Place, to: &Place) -> Result<(), Error> {
        let there = self.file(&to.netns)?;
        self.opened(&to.netns)?.indexes.clear();
        let moved = self.ask_about_links(&from.netns, &request::link::move_to(from.link, there.as_fd()));
        match moved {
            Err(Error::Refused { errno: Errno::EEXIST, .. }) if self.find(to)?.is_some() => Err(name_is_taken(to)),
            Err(Error::Refused { errno: Errno::ENODEV, .. }) => Err(Error::NoLink(from.link)),
            other => other,
        }
    }

    /// Brings a link back that was moved, but not renamed.
    fn bring_back(&mut self, from: &Place, strayed_to: &Netns) -> Result<(), Error> {
        let strayed = Place::new(strayed_to.clone(), from.link);
        if from.netns == *strayed_to || self.find(from)?.is_some() {
            return Ok(());
        }
        let Some(link) = self.find(&strayed)? else { return Ok(()) };
        let back = self.file(&from.netns)?;
        self.ask_about_links(strayed_to, &request::link::move_to(link.name, back.as_fd()))
    }

    fn find(&mut self, place: &Place) -> Result<Option<Seen>, Error> {
        wait::look_up(&mut self.opened(&place.netns)?.session, place.link)
    }

    /// A request after which indexes may be others.
    pub(super) fn ask_about_links(&mut self, netns: &Netns, request: &Request) -> Result<(), Error> {
        let opened = self.opened(netns)?;
        opened.indexes.clear();
        opened.session.request(request)
    }
}

fn name_is_taken(place: &Place) -> Error {
    Error::Refused { errno: Errno::EEXIST, text: Some(format!("the name {place} is taken")) }
}
