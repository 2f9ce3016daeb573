//! The thread that packets go through. It owns the core, the engine and everything that packets are written to; all else asks it by
//! [`Command`] and never holds it up.

mod answer;
mod held;
mod messages;
mod outgoing;
mod pace;
mod peers;
mod streams;
mod tell;
mod tunnel;

pub use messages::{Command, Handle, Member, Status, Told, Tunnel};

use super::port::Way;
use crate::kernel::tun::{self as kernel, Buffer, Device, Engine, Event, Token};
use crate::router::Nanos;
use crate::router::packet::VnetHeader;
use crate::router::segment;
use crate::router::settings::Settings;
use crate::router::switch::{Bucket, DEVICE, PortId, Reason, Switch, Verdict};
use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::eventfd::EventFd;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;
use tokio::sync::mpsc;

/// The token of what wakes the thread up; ports have those from 2 on, and the device 0.
const WAKER: Token = 1;

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
    /// Packets whose route is being asked for.
    held: held::Held,
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
            held: held::Held::default(),
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
            self.lose_held(now);
            self.flush();
            events.append(&mut later);
            self.tell_notices();
        }
        Ok(())
    }

    fn event(&mut self, event: Event, now: Nanos, later: &mut Vec<Event>) -> Result<()> {
        match event {
            Event::Packet(token, buffer) => self.read(port(token), buffer, now, later),
            Event::Ready(WAKER) => {
                let _ = self.waker.read();
                while let Ok(command) = self.inbox.try_recv() {
                    self.command(command, now, later);
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

    fn command(&mut self, command: Command, now: Nanos, later: &mut Vec<Event>) {
        match command {
            Command::JoinDevice(introduction, device, place, reply) => {
                let _ = reply.send(self.join_device(introduction, device, place, now));
            }
            Command::JoinFrames(introduction, fd, place, reply) => {
                let _ = reply.send(self.join_frames(introduction, fd, place, now));
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
            Command::Answered(table, address) => self.answered(&table, address, now, later),
            Command::Leave(member) => {
                if self.is(member) {
                    self.remove(member.port);
                }
            }
            Command::Own(addresses) => self.switch.set_own(addresses),
            Command::Reload(settings) => {
                self.switch.reload(settings, now);
                self.pace_anew(now, later);
            }
            Command::Status(reply) => {
                let _ = reply.send(self.status(now));
            }
            Command::Stop => self.stopping = true,
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
            // Nobody is asked in the table of devices.
            Verdict::Wait => self.engine.release(buffer),
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
}

fn token(port: PortId) -> Token {
    if port == DEVICE { 0 } else { port.0 + 1 }
}

fn port(token: Token) -> PortId {
    if token == 0 { DEVICE } else { PortId(token - 1) }
}
