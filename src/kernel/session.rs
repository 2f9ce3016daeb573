//! [`Session`]: one netlink socket inside one namespace.
//!
//! Theory: a netlink socket belongs for ever to the namespace in which it was made. It is made on a thread that enters
//! the namespace, and then serves from anywhere, so that no other thread ever changes its own. The kernel carries a
//! request out within `sendmsg(2)`: when that returns, its answers are in the receive queue. So a session is a plain
//! blocking conversation, and its timeout only guards against a kernel that does not answer at all.
//!
//! Answers are told apart by sequence number; those to a question that was given up are passed over.
//! `rtnetlink(7)`, `netlink(7)`.
//!
//! Must not know: what the messages mean, the names of namespaces.

use super::error::Error;
use super::netns::Namespace;
use super::view::{self, Message};
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR,
    NetlinkBuffer, NetlinkSerializable,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::{NETLINK_GENERIC, NETLINK_ROUTE, NETLINK_XFRM};
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};

/// How long a question may stay unanswered. The kernel answers at once; this is a guard, not a wait.
const PATIENCE: i64 = 30;
/// The receive queue that is asked for: room for the errors of a whole batch.
const QUEUE: usize = 4 << 20;
/// The longest datagram that the kernel makes for a dump is 32 KiB (`netlink_dump()`).
const DATAGRAM: usize = 64 << 10;
/// How often a dump that was disturbed is read again.
const ATTEMPTS: usize = 100;
/// `NLMSGERR_ATTR_MSG` (`linux/netlink.h`).
const NLMSGERR_ATTR_MSG: u16 = 1;

/// One question to the kernel.
#[derive(Debug)]
pub(super) struct Request {
    body: Body,
    /// `NLM_F_CREATE` and its like; [`NLM_F_REQUEST`] goes without saying.
    flags: u16,
}

#[derive(Debug)]
enum Body {
    Route(Box<RouteNetlinkMessage>),
    /// Of another protocol: `nlmsg_type` and what follows the header. It may hold secrets.
    Raw(u16, Raw),
}

struct Raw(Vec<u8>);

impl std::fmt::Debug for Raw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Body {
    fn kind(&self) -> u16 {
        match self {
            Body::Route(message) => message.message_type(),
            Body::Raw(kind, _) => *kind,
        }
    }

    fn length(&self) -> usize {
        match self {
            Body::Route(message) => message.buffer_len(),
            Body::Raw(_, raw) => raw.0.len(),
        }
    }
}

impl Request {
    /// A request with flags of its own.
    pub fn new(message: RouteNetlinkMessage, flags: u16) -> Self {
        Self { body: Body::Route(Box::new(message)), flags }
    }

    /// A request of another protocol than rtnetlink's.
    pub fn raw(kind: u16, payload: Vec<u8>) -> Self {
        Self { body: Body::Raw(kind, Raw(payload)), flags: 0 }
    }

    /// Puts it at the end of a buffer, with zeroes between it and the next four-byte boundary.
    pub fn append_to(&self, buffer: &mut Vec<u8>, flags: u16, sequence: u32) {
        let (start, length) = (buffer.len(), 16 + self.body.length());
        buffer.resize(start + length.next_multiple_of(4), 0);
        let mut header = NetlinkBuffer::new(&mut buffer[start..start + length]);
        header.set_length(u32::try_from(length).unwrap_or(u32::MAX));
        header.set_message_type(self.body.kind());
        header.set_flags(NLM_F_REQUEST | self.flags | flags);
        header.set_sequence_number(sequence);
        match &self.body {
            Body::Route(message) => message.serialize(header.payload_mut()),
            Body::Raw(_, raw) => header.payload_mut().copy_from_slice(&raw.0),
        }
    }
}

/// A conversation with the kernel about one namespace.
pub struct Session {
    socket: Socket,
    /// The number of the last request.
    sequence: u32,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    /// How many errors fit the receive queue.
    room: usize,
}

impl Session {
    /// Opens one inside a namespace.
    pub fn open(namespace: &Namespace) -> Result<Self, Error> {
        Self::open_for(namespace, &[])
    }

    /// The same, hearing what multicast groups (`RTNLGRP_…`) say.
    pub(super) fn open_for(namespace: &Namespace, groups: &[u32]) -> Result<Self, Error> {
        Self::open_as(namespace, NETLINK_ROUTE, groups)
    }

    /// One that speaks generic netlink.
    pub(super) fn open_generic(namespace: &Namespace) -> Result<Self, Error> {
        Self::open_as(namespace, NETLINK_GENERIC, &[])
    }

    /// One that speaks of IPsec's states.
    pub(super) fn open_xfrm(namespace: &Namespace) -> Result<Self, Error> {
        Self::open_as(namespace, NETLINK_XFRM, &[])
    }

    /// One that speaks rtnetlink in the namespace that the calling thread is in.
    pub(super) fn here() -> Result<Self, Error> {
        Self::open_here(NETLINK_ROUTE, &[]).map_err(|e| Error::io("open a netlink socket", &e))
    }

    fn open_as(namespace: &Namespace, protocol: isize, groups: &[u32]) -> Result<Self, Error> {
        namespace.within(|| Self::open_here(protocol, groups))?.map_err(|e| Error::io("open a netlink socket", &e))
    }

    fn open_here(protocol: isize, groups: &[u32]) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        // Each of these came with some kernel; without it errors have less text, or dumps are filtered here alone.
        for unknown in [socket.set_ext_ack(true), socket.set_cap_ack(true), socket.set_netlink_get_strict_chk(true)] {
            unknown.unwrap_or_else(|e| log::debug!("netlink socket option: {e}, ignoring: errors may say less"));
        }
        if setsockopt(&socket, sockopt::RcvBufForce, &QUEUE).is_err() {
            socket.set_rx_buf_sz(i32::try_from(QUEUE).unwrap_or(i32::MAX))?;
        }
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::seconds(PATIENCE))?;
        for group in groups {
            socket.add_membership(*group)?;
        }
        // An error of the kernel's takes up to 1280 bytes of the queue, its socket buffer included.
        let room = (socket.get_rx_buf_sz()? / 1280).max(16);
        Ok(Self { socket, sequence: 0, incoming: Vec::with_capacity(DATAGRAM), outgoing: Vec::new(), room })
    }

    /// How many requests may be under way at once, so that even if each fails no error is lost.
    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// The number for the next request.
    pub(super) fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Asks for something to be done.
    pub(super) fn request(&mut self, request: &Request) -> Result<(), Error> {
        self.ask(request, |_| ())?;
        Ok(())
    }

    /// Asks for one message, and reads it with `view`. None when there was only an acknowledgement.
    pub(super) fn ask<T>(&mut self, request: &Request, mut view: impl FnMut(&[u8]) -> T) -> Result<Option<T>, Error> {
        let sequence = self.next_sequence();
        let mut outgoing = std::mem::take(&mut self.outgoing);
        outgoing.clear();
        request.append_to(&mut outgoing, NLM_F_ACK, sequence);
        let sent = self.send(&outgoing);
        self.outgoing = outgoing;
        sent?;
        let (mut answer, mut refused) = (None, None);
        self.receive(|message| {
            if message.sequence != sequence {
                return ControlFlow::Continue(());
            }
            if message.kind == NLMSG_ERROR {
                refused = refusal(message);
                return ControlFlow::Break(());
            }
            answer = Some(view(message.payload));
            ControlFlow::Continue(())
        })?;
        match refused {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }

    /// Asks for a table, and reads each of its messages with `view`. One that changed meanwhile is read again.
    pub(super) fn dump<T>(
        &mut self,
        request: &Request,
        mut view: impl FnMut(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        for _ in 0..ATTEMPTS {
            if let (rows, true) = self.dump_hastily(request, &mut view)? {
                return Ok(rows);
            }
        }
        Err(Error::Unsteady)
    }

    /// The same, read once, and whether the table was the same from beginning to end.
    pub(super) fn dump_hastily<T>(
        &mut self,
        request: &Request,
        mut view: impl FnMut(&[u8]) -> Option<T>,
    ) -> Result<(Vec<T>, bool), Error> {
        let mut rows = Vec::new();
        let steady = self.dump_once(request, |payload| rows.extend(view(payload)))?;
        Ok((rows, steady))
    }

    /// Whether the table was the same from beginning to end.
    fn dump_once(&mut self, request: &Request, mut row: impl FnMut(&[u8])) -> Result<bool, Error> {
        let sequence = self.next_sequence();
        let mut outgoing = Vec::new();
        request.append_to(&mut outgoing, NLM_F_DUMP, sequence);
        self.send(&outgoing)?;
        let (mut steady, mut refused) = (true, None);
        self.receive(|message| {
            if message.sequence != sequence {
                return ControlFlow::Continue(());
            }
            steady &= message.flags & NLM_F_DUMP_INTR == 0;
            match message.kind {
                NLMSG_DONE | NLMSG_ERROR => {
                    refused = refusal(message);
                    ControlFlow::Break(())
                }
                _ => {
                    row(message.payload);
                    ControlFlow::Continue(())
                }
            }
        })?;
        match refused {
            Some(error) => Err(error),
            None => Ok(steady),
        }
    }

    /// Sends a datagram of one request or more.
    pub(super) fn send(&mut self, datagram: &[u8]) -> Result<(), Error> {
        loop {
            match self.socket.send_to(datagram, &SocketAddr::new(0, 0), 0) {
                Ok(_) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::io("send to the kernel", &e)),
            }
        }
    }

    /// Hands messages to `each` until it breaks off.
    pub(super) fn receive(&mut self, mut each: impl FnMut(Message<'_>) -> ControlFlow<()>) -> Result<(), Error> {
        let mut datagram = std::mem::take(&mut self.incoming);
        let outcome = loop {
            if let Err(e) = self.receive_datagram(&mut datagram, 0) {
                break Err(Error::io("receive from the kernel", &e));
            }
            if view::messages(&datagram).try_for_each(&mut each).is_break() {
                break Ok(());
            }
        };
        self.incoming = datagram;
        outcome
    }

    /// Forgets what waits in the queue, without waiting.
    pub(super) fn drain(&mut self) -> Result<(), Error> {
        let mut datagram = std::mem::take(&mut self.incoming);
        let outcome = loop {
            match self.receive_datagram(&mut datagram, nix::libc::MSG_DONTWAIT) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break Ok(()),
                // More was said than the queue holds: what was lost would have been forgotten here anyway.
                Err(e) if e.raw_os_error() == Some(Errno::ENOBUFS as i32) => {}
                Err(e) => break Err(Error::io("receive from the kernel", &e)),
            }
        };
        self.incoming = datagram;
        outcome
    }

    /// The next datagram of the kernel's; what other processes send is passed over.
    fn receive_datagram(&mut self, datagram: &mut Vec<u8>, flags: i32) -> io::Result<()> {
        loop {
            datagram.clear();
            match self.socket.recv_from(datagram, flags | nix::libc::MSG_TRUNC) {
                Ok((length, _)) if length > datagram.len() => return Err(Errno::EMSGSIZE.into()),
                Ok((_, from)) if from.port_number() == 0 => return Ok(()),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

impl AsFd for Session {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

/// The error that an `NLMSG_ERROR` or `NLMSG_DONE` carries; none when it is an acknowledgement.
///
/// After the number an error has the header of the request (with [`NLM_F_CAPPED`]) or all of it, then attributes.
pub(super) fn refusal(message: Message<'_>) -> Option<Error> {
    let number = view::i32(message.payload);
    if number == 0 {
        return None;
    }
    let rest = message.payload.get(4..).unwrap_or_default();
    let skipped = match message.kind {
        NLMSG_DONE => 0,
        _ if message.flags & NLM_F_CAPPED != 0 => 16,
        _ => (view::u32(rest) as usize).next_multiple_of(4),
    };
    let mut text = None;
    if message.flags & NLM_F_ACK_TLVS != 0 {
        let found = view::attributes_after(rest, skipped).find(|(kind, _)| *kind == NLMSGERR_ATTR_MSG);
        text = found.and_then(|(_, value)| view::text(value)).map(|said| said.replace('\n', " "));
    }
    Some(Error::Refused { errno: Errno::from_raw(number.saturating_neg()), text })
}
