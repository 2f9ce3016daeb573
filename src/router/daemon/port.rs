//! How a port is written to, and what waits for it.

use super::frames::Framed;
use super::room::Place;
use crate::router::packet::VnetHeader;
use std::collections::VecDeque;
use tokio::sync::oneshot;

/// How a port is written to.
pub(super) struct Way {
    /// Of the peer that has the port now.
    pub number: u64,
    /// Packets come and go with a virtio-net header before them.
    pub headers: bool,
    /// It is a stream of frames, and no device.
    pub framed: Option<Framed>,
    /// What its rate keeps.
    pub queue: Queue,
    /// A timer of the queue's runs.
    pub timed: bool,
    /// It is not read for now.
    pub paused: bool,
    /// Its stream takes no more for now.
    pub blocked: bool,
    /// It is among those with frames to be written.
    pub dirty: bool,
    /// The size of the largest packet to it, in bytes, where that is not the router's.
    pub mtu: Option<usize>,
    /// Told, once it is gone, why.
    pub gone: Option<oneshot::Sender<String>>,
    /// That of a stranger, until it has an address.
    pub place: Option<Place>,
}

impl Way {
    pub fn device(number: u64, headers: bool) -> Self {
        Self {
            number,
            headers,
            framed: None,
            queue: Queue::default(),
            timed: false,
            paused: false,
            blocked: false,
            dirty: false,
            mtu: None,
            gone: None,
            place: None,
        }
    }

    pub fn framed(number: u64, framed: Framed) -> Self {
        Self { framed: Some(framed), ..Self::device(number, false) }
    }
}

/// Packets that wait until their receiver's rate lets them pass, in order.
#[derive(Default)]
pub(super) struct Queue {
    packets: VecDeque<(VnetHeader, Box<[u8]>)>,
    bytes: usize,
}

impl Queue {
    /// What a packet costs beside its bytes.
    const OVERHEAD: usize = 64;

    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Whether there was room for a packet. One always fits, however large.
    pub fn push(&mut self, header: &VnetHeader, packet: &[u8], bound: usize) -> bool {
        let cost = packet.len() + Self::OVERHEAD;
        if self.bytes > 0 && self.bytes + cost > bound {
            return false;
        }
        self.bytes += cost;
        self.packets.push_back((*header, packet.into()));
        true
    }

    pub fn pop(&mut self) -> Option<(VnetHeader, Box<[u8]>)> {
        let next = self.packets.pop_front()?;
        self.bytes -= next.1.len() + Self::OVERHEAD;
        Some(next)
    }
}
