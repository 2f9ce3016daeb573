//! The thread that packets go through. It owns the core, the engine and everything that packets are written to; all else asks it by
//! [`Command`] and never holds it up.

mod answer;
mod streams;
mod tunnel;

use super::frames::Framed;
use super::port::Way;
use super::room::Place;
use crate::kernel::tun::{self as kernel, Buffer, Device, Engine, Event, Token};
use crate::router::packet::{Frame, Packet, VnetHeader};
use crate::router::segment;
use crate::router::settings::{Mode, Settings};
use crate::router::switch::{
    Bucket, DEVICE, Introduction, NamedRoutes, Notice, Peer, PeerStatus, PortId, Reason, Refusal, Switch, Verdict,
};
use crate::router::tunnel::name::TableName;
use crate::router::tunnel::table::Routes;
use crate::router::{Nanos, rule};
use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::eventfd::EventFd;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// The token of what wakes the thread up; ports have those from 2 on, and the device 0.
const WAKER: Token = 1;

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
    pub device: Arc<crate::router::switch::Counters>,
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
    commands: Sender<Command>,
    waker: Arc<EventFd>,
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

/// Starts the thread.
///
/// # Errors
/// When the kernel refuses a descriptor.
pub fn start(
    settings: Arc<Settings>,
    device: Device,
    way: Option<kernel::Way>,
    told: mpsc::Sender<Told>,
) -> Result<Handle> {
    let waker =
        EventFd::from_flags(nix::sys::eventfd::EfdFlags::EFD_NONBLOCK | nix::sys::eventfd::EfdFlags::EFD_CLOEXEC)
            .context("make an eventfd")?;
    let waker = Arc::new(waker);
    let (commands, inbox) = channel();
    let handle = Handle { commands, waker: Arc::clone(&waker) };
    let (ready, begun) = channel();
    std::thread::Builder::new()
        .name("packets".into())
        .spawn(move || {
            // The engine belongs to the thread that makes it.
            let engine = way.map_or_else(Engine::new, Engine::with);
            let data = engine.map_err(anyhow::Error::from);
            let data = data.and_then(|engine| Data::new(settings, engine, device, waker, inbox, told.clone()));
            let _ = ready.send(data.as_ref().map(|data| data.engine.way().as_str()).map_err(|e| format!("{e:#}")));
            if let Ok(mut data) = data {
                let end = data.run().map_or_else(|e| format!("{e:#}"), |()| String::new());
                let _ = told.blocking_send(Told::Ended(end));
            }
        })
        .context("start the packets' thread")?;
    let way = begun.recv().context("start the packets' thread")?.map_err(anyhow::Error::msg)?;
    log::info!("packets go by {way}");
    Ok(handle)
}

struct Data {
    switch: Switch,
    engine: Engine,
    /// How each port is written to, by number.
    ways: Vec<Option<Way>>,
    waker: Arc<EventFd>,
    inbox: Receiver<Command>,
    told: mpsc::Sender<Told>,
    began: Instant,
    number: u64,
    /// When a port may be read, or written, again.
    timers: BinaryHeap<Reverse<(Nanos, u32)>>,
    /// Ports with frames that wait to be written.
    unwritten: Vec<PortId>,
    /// Where packets are cut.
    pieces: Vec<u8>,
    /// Packets that are put together for a port.
    gathered: (PortId, segment::Merge),
    /// How much may be answered to who sends what goes nowhere.
    patience: Bucket,
    stopping: bool,
}

impl Data {
    fn new(
        settings: Arc<Settings>,
        mut engine: Engine,
        device: Device,
        waker: Arc<EventFd>,
        inbox: Receiver<Command>,
        told: mpsc::Sender<Told>,
    ) -> Result<Self> {
        let headers = device.features().headers;
        engine.add_device(token(DEVICE), device.into_fd())?;
        let socket = waker.as_fd().try_clone_to_owned().context("watch the eventfd")?;
        engine.add_socket(WAKER, socket)?;
        Ok(Self {
            switch: Switch::new(settings),
            engine,
            ways: vec![Some(Way::device(0, headers))],
            waker,
            inbox,
            told,
            began: Instant::now(),
            number: 0,
            timers: BinaryHeap::new(),
            unwritten: Vec::new(),
            pieces: vec![0; segment::BUFFER],
            gathered: (DEVICE, segment::Merge::default()),
            patience: answer::patience(0),
            stopping: false,
        })
    }

    fn now(&self) -> Nanos {
        self.began.elapsed().as_nanos() as Nanos
    }

    fn run(&mut self) -> Result<()> {
        let mut events = Vec::with_capacity(1024);
        while !self.stopping {
            let limit = self.due();
            self.engine.wait(limit, &mut events)?;
            let now = self.now();
            // What happens while this is gone through is put behind it.
            let mut later = Vec::new();
            for event in events.drain(..) {
                self.event(event, now, &mut later)?;
            }
            self.tick(now, &mut later);
            self.flush();
            events.append(&mut later);
            self.tell_notices();
        }
        Ok(())
    }

    /// How long until the next timer.
    fn due(&self) -> Option<Duration> {
        let Reverse((at, _)) = self.timers.peek()?;
        Some(Duration::from_nanos(at.saturating_sub(self.now())))
    }

    fn event(&mut self, event: Event, now: Nanos, later: &mut Vec<Event>) -> Result<()> {
        match event {
            Event::Packet(token, buffer) => self.read(port(token), buffer, now, later),
            Event::Ready(WAKER) => {
                let _ = self.waker.read();
                while let Ok(command) = self.inbox.try_recv() {
                    self.command(command, now);
                }
            }
            Event::Ready(token) => self.readable(port(token), now, later),
            Event::Refused(token, errno) => {
                let reason = if errno == Errno::EIO { Reason::Down } else { Reason::Refused };
                self.switch.failed(port(token), reason, 1);
            }
            Event::Broken(token, errno) if port(token) == DEVICE => {
                anyhow::bail!("the router's device is gone ({errno})");
            }
            Event::Broken(token, errno) => self.part(port(token), format!("its device is gone ({errno})")),
        }
        Ok(())
    }

    fn command(&mut self, command: Command, now: Nanos) {
        match command {
            Command::JoinDevice(introduction, device, place, reply) => {
                let headers = device.features().headers;
                let joined = self.switch.join(introduction, now);
                let member = joined.map(|port| {
                    let member = self.member(port, Some(place), Way::device(self.number + 1, headers));
                    if let Err(e) = self.engine.add_device(token(port), device.into_fd()) {
                        self.part(port, e.to_string());
                    }
                    self.pace(port);
                    member
                });
                let _ = reply.send(member);
            }
            Command::JoinFrames(introduction, fd, place, reply) => {
                let joined = self.switch.join(introduction, now);
                let member = joined.map(|port| {
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
                    member
                });
                let _ = reply.send(member);
            }
            Command::JoinTunnel(introduction, tunnel, reply) => {
                let _ = reply.send(self.join_tunnel(introduction, tunnel, now));
            }
            Command::Tables(tables) => {
                for port in self.switch.set_tables(tables) {
                    self.part(port, "its routing table is gone".into());
                }
            }
            Command::Routes(name, routes) => self.switch.set_routes(&name, routes),
            Command::Leave(member) => {
                if self.is(member) {
                    self.remove(member.port);
                }
            }
            Command::Own(addresses) => self.switch.set_own(addresses),
            Command::Reload(settings) => {
                self.switch.reload(settings, now);
                (1..self.ways.len() as u32).for_each(|index| self.pace(PortId(index)));
            }
            Command::Status(reply) => {
                let _ = reply.send(self.status(now));
            }
            Command::Stop => self.stopping = true,
        }
    }

    /// Notes how a new port is written to.
    fn member(&mut self, port: PortId, place: Option<Place>, way: Way) -> Member {
        self.number += 1;
        let index = port.0 as usize;
        if self.ways.len() <= index {
            self.ways.resize_with(index + 1, || None);
        }
        self.ways[index] = Some(Way { place, ..way });
        self.settle(port);
        Member { port, number: self.number }
    }

    /// The device of a peer with a rate is read step by step: what was read cannot be left where it was.
    fn pace(&mut self, port: PortId) {
        if self.way(port).is_some_and(|way| way.framed.is_none()) {
            let limited = self.switch.peer(port).is_some_and(|peer| peer.limits.rate_out.is_some());
            self.engine.step(token(port), limited);
        }
    }

    /// Who has an address is no stranger any more.
    fn settle(&mut self, port: PortId) {
        if let Some(Some(way)) = self.ways.get_mut(port.0 as usize)
            && way.place.is_some()
            && self.switch.peer(port).is_some_and(Peer::is_known)
        {
            way.place = None;
        }
    }

    fn way(&mut self, port: PortId) -> Option<&mut Way> {
        self.ways.get_mut(port.0 as usize)?.as_mut()
    }

    fn is(&mut self, member: Member) -> bool {
        self.way(member.port).is_some_and(|way| way.number == member.number)
    }

    /// Lets go of a peer that is gone by itself, and tells it.
    fn part(&mut self, port: PortId, why: String) {
        if let Some((number, gone)) = self.way(port).map(|way| (way.number, way.gone.take())) {
            if let Some(gone) = gone {
                let _ = gone.send(why.clone());
            }
            self.remove(port);
            let _ = self.told.try_send(Told::Gone(Member { port, number }, why));
        }
    }

    fn remove(&mut self, port: PortId) {
        self.engine.remove(token(port));
        self.switch.leave(port);
        if let Some(way) = self.ways.get_mut(port.0 as usize) {
            *way = None;
        }
    }

    /// A packet of a device.
    fn read(&mut self, from: PortId, buffer: Buffer, now: Nanos, later: &mut Vec<Event>) {
        let Some(headers) = self.way(from).map(|way| way.headers) else { return self.engine.release(buffer) };
        let bytes = self.engine.bytes(&buffer);
        let parsed = if headers { VnetHeader::parse(bytes) } else { Ok((VnetHeader::default(), bytes)) };
        let Ok((header, packet)) = parsed else {
            self.switch.failed(from, Reason::Malformed, 1);
            return self.engine.release(buffer);
        };
        let length = packet.len();
        let verdict = self.switch.decide(from, &header, packet, now);
        self.settle(from);
        self.charge(from, length, now);
        match verdict {
            Verdict::To(to) => self.forward(from, to, header, buffer, now, later),
            Verdict::Flood => self.flood(from, header, buffer, now, later),
            Verdict::Drop(reason) => {
                let skip = if headers { VnetHeader::LEN } else { 0 };
                let packet = match reason {
                    Reason::NoRoute | Reason::Away | Reason::Expired => self.engine.bytes(&buffer)[skip..].to_vec(),
                    _ => Vec::new(),
                };
                self.engine.release(buffer);
                self.reply(from, &packet, reason, now, later);
            }
        }
    }

    /// Tells who sent a packet what became of it, where that is of use.
    fn reply(&mut self, from: PortId, packet: &[u8], reason: Reason, now: Nanos, later: &mut Vec<Event>) {
        if let Some(answer) = self.lost(packet, reason, from, now) {
            self.send(from, &VnetHeader::default(), &answer, now, later);
        }
    }

    /// The size of the largest packet to a port, in bytes.
    fn mtu(&self, port: PortId) -> usize {
        let own = self.ways.get(port.0 as usize).and_then(|way| way.as_ref()?.mtu);
        own.unwrap_or(self.switch.settings().mtu as usize)
    }

    /// Writes what is in a buffer to a port.
    fn forward(
        &mut self,
        from: PortId,
        to: PortId,
        header: VnetHeader,
        buffer: Buffer,
        now: Nanos,
        later: &mut Vec<Event>,
    ) {
        let at_once = self.switch.may_pass(to, now).is_none();
        let headers = self.way(from).is_some_and(|way| way.headers);
        let length = self.engine.bytes(&buffer).len();
        if let Some(way) = self.way(to)
            && (at_once, way.headers, way.queue.is_empty()) == (true, headers, true)
            && way.framed.is_none()
        {
            self.switch.passed(to, length, now);
            return self.engine.write(token(to), buffer, later);
        }
        let skip = if headers { VnetHeader::LEN } else { 0 };
        let packet = self.engine.bytes(&buffer).get(skip..).unwrap_or_default();
        if let Some(Some(way)) = self.ways.get_mut(to.0 as usize)
            && (at_once, way.queue.is_empty()) == (true, true)
            && let Some(framed) = &mut way.framed
        {
            self.switch.passed(to, length, now);
            let mtu = way.mtu.unwrap_or(self.switch.settings().mtu as usize);
            let mut lost = 0;
            let emit = |piece: &[u8]| lost += u64::from(!framed.queue(piece));
            let cut = cut(self.switch.settings().mode, &header, packet, mtu, &mut self.pieces, emit);
            if cut.is_ok() {
                self.engine.release(buffer);
                return self.queued(to, lost);
            }
        }
        let packet = packet.to_vec();
        self.engine.release(buffer);
        self.send(to, &header, &packet, now, later);
    }

    /// Frames are queued for a port, but for so many.
    fn queued(&mut self, to: PortId, lost: u64) {
        let Some(Some(way)) = self.ways.get_mut(to.0 as usize) else { return };
        if !std::mem::replace(&mut way.dirty, true) {
            self.unwritten.push(to);
        }
        if lost > 0 {
            self.switch.failed(to, Reason::QueueFull, lost);
        }
    }

    /// Writes a packet to a port, whatever that is, or queues it there.
    fn send(&mut self, to: PortId, header: &VnetHeader, packet: &[u8], now: Nanos, later: &mut Vec<Event>) {
        let wait = self.switch.may_pass(to, now);
        let bound = self.switch.peer(to).map_or(usize::MAX, |peer| peer.limits.queue as usize);
        let Some(Some(way)) = self.ways.get_mut(to.0 as usize) else { return };
        if wait.is_some() || !way.queue.is_empty() {
            if !way.queue.push(header, packet, bound) {
                self.switch.failed(to, Reason::QueueFull, 1);
            } else if let Some(at) = wait.filter(|_| !std::mem::replace(&mut way.timed, true)) {
                self.timers.push(Reverse((at, to.0)));
            }
            return;
        }
        self.switch.passed(to, packet.len(), now);
        self.put(to, header, packet, now, later);
    }

    /// Hands a packet to what a port is.
    fn put(&mut self, to: PortId, header: &VnetHeader, packet: &[u8], now: Nanos, later: &mut Vec<Event>) {
        let mtu = self.mtu(to);
        let Some(Some(way)) = self.ways.get_mut(to.0 as usize) else { return };
        if way.headers {
            match self.engine.copy([&header.to_bytes(), packet]) {
                Some(buffer) => self.engine.write(token(to), buffer, later),
                None => self.switch.failed(to, Reason::NoBuffer, 1),
            }
            return;
        }
        let engine = &mut self.engine;
        let mut lost = 0;
        let emit = |piece: &[u8]| match &mut way.framed {
            Some(framed) => lost += u64::from(!framed.queue(piece)),
            None => match engine.copy([&[], piece]) {
                Some(buffer) => engine.write(token(to), buffer, later),
                None => lost += 1,
            },
        };
        let cut = cut(self.switch.settings().mode, header, packet, mtu, &mut self.pieces, emit);
        if way.framed.is_some() {
            self.queued(to, lost);
        } else if lost > 0 {
            self.switch.failed(to, Reason::QueueFull, lost);
        }
        if let Err(reason) = cut {
            self.switch.failed(to, reason, 1);
            // An answer is never answered, so this ends.
            if reason == Reason::TooBig
                && let Some((port, answer)) = self.too_big(packet, to)
            {
                self.send(port, &VnetHeader::default(), &answer, now, later);
            }
        }
    }

    /// Writes a frame to all but the port that it came from.
    fn flood(&mut self, from: PortId, header: VnetHeader, buffer: Buffer, now: Nanos, later: &mut Vec<Event>) {
        let skip = if self.way(from).is_some_and(|way| way.headers) { VnetHeader::LEN } else { 0 };
        let frame = self.engine.bytes(&buffer).get(skip..).unwrap_or_default().to_vec();
        self.engine.release(buffer);
        self.flood_bytes(from, &header, &frame, now, later);
    }

    fn flood_bytes(&mut self, from: PortId, header: &VnetHeader, frame: &[u8], now: Nanos, later: &mut Vec<Event>) {
        for index in 0..self.ways.len() as u32 {
            if self.switch.may_flood(from, PortId(index), frame, now) {
                self.send(PortId(index), header, frame, now, later);
            }
        }
    }

    /// What a peer sent counts against its rate: it is not read until there is room again.
    fn charge(&mut self, from: PortId, length: usize, now: Nanos) {
        let Some(at) = self.switch.came(from, length, now) else { return };
        let Some(Some(way)) = self.ways.get_mut(from.0 as usize) else { return };
        if std::mem::replace(&mut way.paused, true) {
            return;
        }
        match way.framed {
            Some(_) => self.engine.watch(token(from), false, way.blocked),
            None => self.engine.read(token(from), false),
        }
        self.timers.push(Reverse((at, from.0)));
    }

    /// A stream can be read, or written.
    fn readable(&mut self, from: PortId, now: Nanos, later: &mut Vec<Event>) {
        if let Err(why) = self.read_frames(from, now, later) {
            self.part(from, why);
        }
        if let Some(way) = self.way(from)
            && way.blocked
            && !std::mem::replace(&mut way.dirty, true)
        {
            self.unwritten.push(from);
        }
    }

    /// What was waiting for the time that it is now.
    fn tick(&mut self, now: Nanos, later: &mut Vec<Event>) {
        while let Some(Reverse((at, index))) = self.timers.peek().copied()
            && at <= now
        {
            self.timers.pop();
            self.resume(PortId(index), now);
            self.drain(PortId(index), now, later);
        }
    }

    fn resume(&mut self, port: PortId, now: Nanos) {
        let wait = self.switch.may_come(port, now);
        let Some(Some(way)) = self.ways.get_mut(port.0 as usize) else { return };
        if !way.paused {
            return;
        }
        if let Some(at) = wait {
            return self.timers.push(Reverse((at, port.0)));
        }
        way.paused = false;
        match way.framed {
            Some(_) => self.engine.watch(token(port), true, way.blocked),
            None => self.engine.read(token(port), true),
        }
    }

    fn drain(&mut self, port: PortId, now: Nanos, later: &mut Vec<Event>) {
        if let Some(way) = self.way(port) {
            way.timed = false;
        }
        loop {
            let wait = self.switch.may_pass(port, now);
            let Some(Some(way)) = self.ways.get_mut(port.0 as usize) else { return };
            if let Some(at) = wait {
                if !way.queue.is_empty() && !std::mem::replace(&mut way.timed, true) {
                    self.timers.push(Reverse((at, port.0)));
                }
                return;
            }
            let Some((header, packet)) = way.queue.pop() else { return };
            self.switch.passed(port, packet.len(), now);
            self.put(port, &header, &packet, now, later);
        }
    }

    /// Writes the frames that wait, as far as the streams take them.
    fn flush(&mut self) {
        for port in std::mem::take(&mut self.unwritten) {
            let Some(Some(way)) = self.ways.get_mut(port.0 as usize) else { continue };
            way.dirty = false;
            let Some(framed) = &mut way.framed else { continue };
            match framed.write() {
                Ok(blocked) => {
                    way.blocked = blocked;
                    self.engine.watch(token(port), !way.paused, blocked);
                }
                Err(why) => self.part(port, why),
            }
        }
    }

    fn tell_notices(&mut self) {
        let notices: Vec<Notice> = self.switch.notices().collect();
        for notice in notices {
            let name = |port: PortId| self.switch.peer(port).map(|p| p.introduction.identity.to_string());
            let text = match notice {
                Notice::Registered(port, address) => {
                    format!("{address} is peer {}'s ({})", port.0, name(port).unwrap_or_default())
                }
                Notice::Refused(port, address, reason) => format!(
                    "peer {} ({}) sent from {address}, which was refused: {}",
                    port.0,
                    name(port).unwrap_or_default(),
                    reason.as_str()
                ),
                Notice::Logged(text) => text,
                Notice::Ask(table, address) => {
                    let _ = self.told.try_send(Told::Ask(table, address));
                    continue;
                }
            };
            let _ = self.told.try_send(Told::Notice(text));
        }
    }

    fn status(&self, now: Nanos) -> Status {
        Status {
            peers: self.switch.peers().map(|(port, peer)| peer.status(port)).collect(),
            device: self.switch.counters(DEVICE).map(Arc::clone).unwrap_or_default(),
            rules: self.switch.chains().map(counted),
            way: self.engine.way().as_str(),
            now,
        }
    }
}

/// Gives `emit` what becomes of a packet without a virtio-net header before it.
fn cut(
    mode: Mode,
    header: &VnetHeader,
    bytes: &[u8],
    mtu: usize,
    buffer: &mut [u8],
    emit: impl FnMut(&[u8]),
) -> Result<usize, Reason> {
    let refused = |refused| if refused == segment::Refused::TooBig { Reason::TooBig } else { Reason::Malformed };
    match mode {
        Mode::Tun => {
            let packet = Packet::parse(bytes).map_err(|_| Reason::Malformed)?;
            segment::segment(header, &packet, mtu, buffer, emit).map_err(refused)
        }
        Mode::Tap => {
            let frame = Frame::parse(bytes).map_err(|_| Reason::Malformed)?;
            let packet = frame.packet().map_err(|_| Reason::Malformed)?;
            segment::segment_frame(header, &frame, packet.as_ref(), mtu, buffer, emit).map_err(refused)
        }
    }
}

fn counted(chain: &rule::ChainState) -> Vec<(String, rule::Counter)> {
    let (action, counter) = chain.policy();
    let rules = chain.counters().map(|(rule, counter)| (rule.to_string(), counter));
    rules.chain([(format!("policy {action}"), counter)]).collect()
}

fn token(port: PortId) -> Token {
    if port == DEVICE { 0 } else { port.0 + 1 }
}

fn port(token: Token) -> PortId {
    if token == 0 { DEVICE } else { PortId(token - 1) }
}
