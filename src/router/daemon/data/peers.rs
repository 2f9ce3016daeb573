//! Peers as they come and go.

use super::messages::{Member, Told};
use super::{Data, token};
use crate::kernel::tun::Device;
use crate::router::Nanos;
use crate::router::daemon::frames::Framed;
use crate::router::daemon::port::Way;
use crate::router::daemon::room::Place;
use crate::router::switch::{Introduction, Peer, PortId, Refusal};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

impl Data {
    /// Lets a peer in that passed its device.
    pub(super) fn join_device(
        &mut self,
        introduction: Introduction,
        device: Device,
        place: Place,
        now: Nanos,
    ) -> Result<Member, Refusal> {
        let headers = device.features().headers;
        let port = self.switch.join(introduction, now)?;
        let member = self.member(port, Some(place), Way::device(self.number + 1, headers));
        if let Err(e) = self.engine.add_device(token(port), device.into_fd()) {
            self.part(port, e.to_string());
        }
        self.pace(port);
        Ok(member)
    }

    /// Lets a peer in that frames packets.
    pub(super) fn join_frames(
        &mut self,
        introduction: Introduction,
        fd: OwnedFd,
        place: Place,
        now: Nanos,
    ) -> Result<Member, Refusal> {
        let port = self.switch.join(introduction, now)?;
        let queue = self.switch.peer(port).map_or(0, |peer| peer.limits.queue);
        let stream = UnixStream::from(fd);
        let watched = stream.as_fd().try_clone_to_owned();
        let longest = self.switch.settings().mtu as usize + 18;
        let framed = Framed::uwsgi(stream, longest, queue as usize);
        let member = self.member(port, Some(place), Way::framed(self.number + 1, framed));
        let added = watched.map_err(|e| e.to_string());
        let added = added.and_then(|fd| self.engine.add_socket(token(port), fd).map_err(|e| e.to_string()));
        if let Err(e) = added {
            self.part(port, e);
        }
        Ok(member)
    }

    /// Notes how a new port is written to.
    pub(super) fn member(&mut self, port: PortId, place: Option<Place>, way: Way) -> Member {
        self.number += 1;
        let index = port.0 as usize;
        if self.ways.len() <= index {
            self.ways.resize_with(index + 1, || None);
        }
        self.ways[index] = Some(Way { place, ..way });
        self.settle(port);
        Member { port, number: self.number }
    }

    /// Who has an address is no stranger any more.
    pub(super) fn settle(&mut self, port: PortId) {
        if let Some(Some(way)) = self.ways.get_mut(port.0 as usize)
            && way.place.is_some()
            && self.switch.peer(port).is_some_and(Peer::is_known)
        {
            way.place = None;
        }
    }

    pub(super) fn way(&mut self, port: PortId) -> Option<&mut Way> {
        self.ways.get_mut(port.0 as usize)?.as_mut()
    }

    pub(super) fn is(&mut self, member: Member) -> bool {
        self.way(member.port).is_some_and(|way| way.number == member.number)
    }

    /// Lets go of a peer that is gone by itself, and tells it.
    pub(super) fn part(&mut self, port: PortId, why: String) {
        if let Some((number, gone)) = self.way(port).map(|way| (way.number, way.gone.take())) {
            if let Some(gone) = gone {
                let _ = gone.send(why.clone());
            }
            self.remove(port);
            let _ = self.told.try_send(Told::Gone(Member { port, number }, why));
        }
    }

    pub(super) fn remove(&mut self, port: PortId) {
        self.engine.remove(token(port));
        self.switch.leave(port);
        if let Some(way) = self.ways.get_mut(port.0 as usize) {
            *way = None;
        }
    }
}
