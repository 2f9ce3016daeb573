//! What the packets' thread is asked, and what it tells.

use crate::kernel::tun::Device;
use crate::router::daemon::room::Place;
use crate::router::settings::Settings;
use crate::router::switch::{Counters, Introduction, NamedRoutes, PeerStatus, PortId, Refusal};
use crate::router::tunnel::name::TableName;
use crate::router::tunnel::table::Routes;
use crate::router::{Nanos, rule};
use nix::sys::eventfd::EventFd;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::sync::oneshot;

/// What the thread is asked for.
pub enum Command {
    /// Let a peer in that passed its device.
    JoinDevice(Introduction, Device, Place, oneshot::Sender<Result<Member, Refusal>>),
    /// Let a peer in that frames packets, by a socket that does not block.
    JoinFrames(Introduction, OwnedFd, Place, oneshot::Sender<Result<Member, Refusal>>),
    /// Let a remote host in, by a socket that does not block.
    JoinTunnel(Introduction, Tunnel, oneshot::Sender<Result<Member, Refusal>>),
    /// Other routing tables, that of local peers first.
    Tables(Vec<NamedRoutes>),
    /// Other routes of one table.
    Routes(Option<TableName>, Arc<Routes>),
    /// Somebody answered who was asked for an address of a table; its routes came before.
    Answered(TableName, IpAddr),
    /// A peer's connection is gone.
    Leave(Member),
    /// The addresses that the router's device has.
    Own(Vec<IpAddr>),
    /// Other settings.
    Reload(Arc<Settings>),
    /// How things are.
    Status(oneshot::Sender<Status>),
    /// End.
    Stop,
}

/// The way to a remote host.
#[derive(Debug)]
pub struct Tunnel {
    /// A stream of packets: TCP, or one end of a pair of which what ciphers has the other.
    pub stream: OwnedFd,
    /// What is said to it before any packet.
    pub greeting: Vec<u8>,
    /// The size of the largest packet, in bytes.
    pub mtu: u32,
    /// Told, once it is no peer any more, why.
    pub gone: oneshot::Sender<String>,
}

/// A peer that is in. Ports are used again, numbers are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Member {
    /// Its port.
    pub port: PortId,
    /// Its number.
    pub number: u64,
}

/// What the thread tells.
#[derive(Debug)]
pub enum Told {
    /// A peer is gone by itself: its stream ended, or its device did.
    Gone(Member, String),
    /// Something for the journal.
    Notice(String),
    /// Nobody has a route to an address, and somebody can be asked.
    Ask(TableName, IpAddr),
    /// The thread ended.
    Ended(String),
}

/// How things are.
#[derive(Debug)]
pub struct Status {
    /// Peers, by port.
    pub peers: Vec<PeerStatus>,
    /// What the router's device counts.
    pub device: Arc<Counters>,
    /// The rules of *out* and *in* with their packets and bytes.
    pub rules: [Vec<(String, rule::Counter)>; 2],
    /// How the kernel is spoken to.
    pub way: &'static str,
    /// Now, by the clock that peers' times are of.
    pub now: Nanos,
}

/// The other end of the thread.
#[derive(Clone)]
pub struct Handle {
    pub(super) commands: Sender<Command>,
    pub(super) waker: Arc<EventFd>,
}

impl Handle {
    /// Asks for something.
    pub fn send(&self, command: Command) {
        // Nobody is there any more when the thread has ended, which it tells.
        if self.commands.send(command).is_ok() {
            let _ = self.waker.write(1);
        }
    }
}
