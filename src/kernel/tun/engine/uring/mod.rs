//! The ways by io_uring(7).
//!
//! Theory: a request goes into the submission queue and its result comes out of the completion queue; one io_uring_enter(2) hands
//! over all that is queued and waits. A write to a tun device is done while it is handed over, so writes stay in order.
//! With multishot reads (`IORING_OP_READ_MULTISHOT`) the kernel takes a buffer from a ring that is shared with it for every packet
//! that comes, until it is told to stop or the ring is empty. Without them a device is polled, and as long as it has
//! packets each wait reads a batch of them that must not block (`RWF_NOWAIT`). So is one that is read step by step: a read that goes
//! on would bring a whole ring of packets before it could be stopped.
//!
//! Devices before Linux 6.4 know no `RWF_NOWAIT` (`EOPNOTSUPP`). Their reads wait in the kernel for a packet, and hold a buffer
//! meanwhile. So one is read after a poll has told of a packet, then two, and up to a batch as long as all of them find one; as soon as
//! one does not, it and those behind it are cancelled. read(2) is no way: who passed the descriptor could make it block, and with it
//! all others.
//!
//! What a completion belongs to is told by its user data.

mod entry;
mod lent;
mod moderation;
mod reading;
mod user_data;
mod waiting;

use super::pool::{Pool, READING, is_lent};
use super::{Buffer, Event, Token, Way};
use entry::{Entry, Waiting};
use io_uring::types::{self, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, Probe, cqueue, opcode, squeue};
use lent::{GROUP, Lent};
use moderation::Moderation;
use nix::errno::Errno;
use nix::libc::{EBUSY, EINTR, ETIME, POLLIN, POLLOUT, RWF_NOWAIT};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};
use user_data::{Asked, data, take_apart};

/// How many requests are queued before they are handed over.
const QUEUE: u32 = 1024;

pub(super) struct Uring {
    ring: IoUring,
    lent: Option<Lent>,
    entries: Vec<Option<Entry>>,
    /// Counts the holders of tokens.
    generation: u16,
    /// Those that are to be armed, or read, at the next wait.
    due: Vec<Token>,
    /// All devices are read as those that know no reads that do not wait.
    all_wait: bool,
    /// Those whose reads wait, and that were asked in this round.
    asked: Vec<Token>,
    /// Requests that are with the kernel.
    under_way: usize,
    /// Where the kernel can wait for several packets.
    moderation: Option<Moderation>,
}

impl Uring {
    pub fn new(pool: &Pool, way: Way) -> io::Result<Self> {
        let multishot = way == Way::Multishot;
        let built = IoUring::builder().setup_cqsize(QUEUE * 4).setup_single_issuer().setup_defer_taskrun().build(QUEUE);
        let ring = built.or_else(|_| IoUring::builder().setup_cqsize(QUEUE * 4).build(QUEUE))?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        let needed = if multishot { opcode::ReadMulti::CODE } else { opcode::Read::CODE };
        if !probe.is_supported(needed) || !ring.params().is_feature_ext_arg() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let lent = if multishot { Some(Lent::new(&ring, pool)?) } else { None };
        let moderation = ring.params().is_feature_min_timeout().then(Moderation::default);
        Ok(Self {
            ring,
            lent,
            entries: Vec::new(),
            generation: 0,
            due: Vec::new(),
            all_wait: way == Way::Waiting,
            asked: Vec::new(),
            under_way: 0,
            moderation,
        })
    }

    pub fn way(&self) -> Way {
        match &self.lent {
            Some(_) => Way::Multishot,
            None if self.all_wait => Way::Waiting,
            None => Way::Batch,
        }
    }

    pub fn add_device(&mut self, token: Token, fd: OwnedFd) -> io::Result<()> {
        self.add(token, fd, true)
    }

    pub fn add_socket(&mut self, token: Token, fd: OwnedFd) -> io::Result<()> {
        self.add(token, fd, false)
    }

    fn add(&mut self, token: Token, fd: OwnedFd, is_device: bool) -> io::Result<()> {
        let index = token as usize;
        if self.entries.len() <= index {
            self.entries.resize_with(index + 1, || None);
        }
        self.generation = (self.generation + 1) & 0xfff;
        let mut entry = Entry::new(fd, self.generation, is_device);
        entry.waiting = self.all_wait.then(Waiting::new);
        if self.entries[index].is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.entries[index] = Some(entry);
        self.make_due(token);
        Ok(())
    }

    fn entry(&mut self, token: Token) -> Option<&mut Entry> {
        self.entries.get_mut(token as usize)?.as_mut()
    }

    fn make_due(&mut self, token: Token) {
        if let Some(entry) = self.entry(token)
            && !std::mem::replace(&mut entry.is_due, true)
        {
            self.due.push(token);
        }
    }

    pub fn watch(&mut self, token: Token, read: bool, write: bool) {
        let Some(entry) = self.entry(token) else { return };
        if (entry.read, entry.write) == (read, write) {
            return;
        }
        (entry.read, entry.write) = (read, write);
        if entry.armed {
            let old = data(Asked::Poll, entry.generation, 0, token);
            self.push(opcode::PollRemove::new(old).build().user_data(data(Asked::Cancel, 0, 0, token)));
        } else {
            self.make_due(token);
        }
    }

    pub fn read(&mut self, token: Token, on: bool) {
        let multishot = self.lent.is_some();
        let Some(entry) = self.entry(token) else { return };
        entry.read = on;
        if on {
            self.make_due(token);
        } else if multishot && entry.armed {
            let old = data(Asked::Read, entry.generation, 0, token);
            self.push(opcode::AsyncCancel::new(old).build().user_data(data(Asked::Cancel, 0, 0, token)));
        }
    }

    pub fn step(&mut self, token: Token, on: bool) {
        let multishot = self.lent.is_some();
        let Some(entry) = self.entry(token) else { return };
        if std::mem::replace(&mut entry.stepwise, on) != on && on && multishot && entry.armed {
            let old = data(Asked::Read, entry.generation, 0, token);
            self.push(opcode::AsyncCancel::new(old).build().user_data(data(Asked::Cancel, 0, 0, token)));
        }
    }

    pub fn remove(&mut self, token: Token) {
        let multishot = self.lent.is_some();
        let Some(entry) = self.entries.get_mut(token as usize).and_then(Option::take) else { return };
        self.due.retain(|due| *due != token);
        if entry.armed {
            // A device that is, or was until now, read step by step has a poll; what is not there is not cancelled.
            let reads = multishot && entry.is_device;
            for asked in [Asked::Poll].into_iter().chain(reads.then_some(Asked::Read)) {
                let old = data(asked, entry.generation, 0, token);
                self.push(opcode::AsyncCancel::new(old).build().user_data(data(Asked::Cancel, 0, 0, token)));
            }
        }
        self.cancel_reads(token, &entry);
        // Writes that are queued name the descriptor by its number: they must go out before it is closed.
        self.hand_over();
    }

    pub fn write(&mut self, pool: &mut Pool, token: Token, buffer: Buffer) {
        let Some(entry) = self.entry(token) else { return self.release(pool, buffer) };
        let (fd, generation) = (Fd(entry.fd.as_raw_fd()), entry.generation);
        // One that waited would keep its buffer from all others, and who passed the device can make it wait.
        let flags = if entry.waiting.is_some() { 0 } else { RWF_NOWAIT };
        pool.writing(&buffer, flags != 0);
        let request = opcode::Write::new(fd, pool.address(buffer.index), buffer.length).rw_flags(flags).build();
        self.push(request.user_data(data(Asked::Write, generation, buffer.index, token)));
    }

    pub fn release(&mut self, pool: &mut Pool, buffer: Buffer) {
        match &mut self.lent {
            Some(lent) if is_lent(&buffer) => lent.give(pool, buffer.index),
            _ => pool.release(buffer),
        }
    }

    pub fn wait(&mut self, pool: &mut Pool, limit: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        if let Some(lent) = &self.lent {
            lent.publish();
        }
        for token in std::mem::take(&mut self.due) {
            self.arm(pool, token);
        }
        let at_once = !self.due.is_empty() || !self.ring.completion().is_empty();
        let limit = if at_once { Some(Duration::ZERO) } else { limit };
        let span = limit.map(|limit| Timespec::new().sec(limit.as_secs()).nsec(limit.subsec_nanos()));
        let mut arguments = span.as_ref().map_or(SubmitArgs::new(), |span| SubmitArgs::new().timespec(span));
        let gather = self.moderation.as_ref().filter(|_| !at_once).and_then(Moderation::gather);
        if let Some(gather) = &gather {
            arguments = arguments.min_wait_usec(gather.micros);
        }
        match self.ring.submitter().submit_with_args(gather.map_or(1, |gather| gather.packets), &arguments) {
            Err(e) if matches!(e.raw_os_error(), Some(ETIME | EINTR | EBUSY)) => {}
            waited => waited.map(drop)?,
        }
        // Of what is there now: what comes meanwhile has its turn at the next wait.
        let count = self.ring.completion().len();
        for _ in 0..count {
            let Some(done) = self.ring.completion().next() else { break };
            self.complete(pool, &done, events);
        }
        self.cancel_vain();
        if let Some(moderation) = &mut self.moderation {
            moderation.learn(Instant::now(), events);
        }
        Ok(())
    }

    /// Asks for what an entry is due for.
    fn arm(&mut self, pool: &mut Pool, token: Token) {
        let multishot = self.lent.is_some();
        let Some(entry) = self.entry(token) else { return };
        entry.is_due = false;
        let (fd, generation) = (Fd(entry.fd.as_raw_fd()), entry.generation);
        if !entry.is_device {
            let flags = if entry.read { POLLIN } else { 0 } | if entry.write { POLLOUT } else { 0 };
            if !std::mem::replace(&mut entry.armed, true) {
                let poll = opcode::PollAdd::new(fd, flags as u32).build();
                self.push(poll.user_data(data(Asked::Poll, generation, 0, token)));
            }
            return;
        }
        if !entry.read {
            return;
        }
        if multishot && !entry.stepwise {
            if !std::mem::replace(&mut entry.armed, true) {
                let read = opcode::ReadMulti::new(fd, 0, GROUP).build();
                self.push(read.user_data(data(Asked::Read, generation, 0, token)));
            }
        } else if entry.ready {
            self.read_batch(pool, token, fd, generation);
        } else if !std::mem::replace(&mut entry.armed, true) {
            let poll = opcode::PollAdd::new(fd, POLLIN as u32).build();
            self.push(poll.user_data(data(Asked::Poll, generation, 0, token)));
        }
    }

    fn complete(&mut self, pool: &mut Pool, done: &cqueue::Entry, events: &mut Vec<Event>) {
        let (asked, generation, index, token) = take_apart(done.user_data());
        if !cqueue::more(done.flags()) {
            self.under_way -= self.under_way.min(1);
        }
        let result = usize::try_from(done.result()).map_err(|_| Errno::from_raw(-done.result()));
        match asked {
            Asked::Cancel => {}
            Asked::Write => self.written(pool, token, generation, index, result, events),
            Asked::Poll => self.polled(token, generation, result, events),
            // The buffer of a read that goes on is told by its flags; this one is of the second part.
            Asked::Read if self.lent.is_some() && index < READING => {
                self.read_on(pool, token, generation, done, result, events)
            }
            Asked::Read => {
                let buffer = Buffer { index, length: result.unwrap_or(0) as u32 };
                self.read_once(pool, token, generation, buffer, result, events);
            }
        }
    }

    fn written(
        &mut self,
        pool: &mut Pool,
        token: Token,
        generation: u16,
        index: u16,
        result: Result<usize, Errno>,
        events: &mut Vec<Event>,
    ) {
        let is_there = self.entry(token).is_some_and(|entry| entry.generation == generation);
        if let (Err(errno), true) = (result, is_there) {
            if let Some(buffer) = pool.unwritten(index).filter(|_| errno == Errno::EOPNOTSUPP) {
                self.let_wait(token);
                return self.write(pool, token, buffer);
            }
            events.push(Event::Refused(token, errno));
        }
        self.release(pool, Buffer { index, length: 0 });
    }

    fn polled(&mut self, token: Token, generation: u16, result: Result<usize, Errno>, events: &mut Vec<Event>) {
        let Some(entry) = self.entry(token).filter(|entry| entry.generation == generation) else { return };
        entry.armed = false;
        match (entry.is_device, result) {
            (true, Ok(_)) => entry.ready = true,
            (false, Ok(_)) => events.push(Event::Ready(token)),
            (_, Err(_)) => {}
        }
        self.make_due(token);
    }

    /// Ends all requests. Whether none is left with the kernel.
    pub fn finish(&mut self, pool: &mut Pool) -> bool {
        let mut events = Vec::new();
        self.entries.iter_mut().flatten().for_each(|entry| (entry.read, entry.write) = (false, false));
        self.due.clear();
        let all = opcode::AsyncCancel2::new(types::CancelBuilder::any()).build();
        self.push(all.user_data(data(Asked::Cancel, 0, 0, 0)));
        for _ in 0..100 {
            if self.under_way == 0 {
                break;
            }
            if self.wait(pool, Some(Duration::from_millis(10)), &mut events).is_err() {
                break;
            }
            self.due.clear();
        }
        self.under_way == 0
    }

    /// Queues a request. What it points to is in the pool, which lives as long as this does.
    #[allow(unsafe_code, reason = "the submission queue")]
    fn push(&mut self, request: squeue::Entry) {
        // SAFETY: requests point into the pool's memory, at a buffer that is in use until its completion comes, or at nothing; the
        // pool's memory is only freed when no request is left (`Engine::drop`). Descriptors are open: what is
        // queued is handed over before one is closed.
        while unsafe { self.ring.submission().push(&request) }.is_err() {
            self.hand_over();
        }
        self.under_way += 1;
    }

    /// Hands over what is queued, without waiting.
    fn hand_over(&mut self) {
        if let Err(e) = self.ring.submit()
            && !matches!(e.raw_os_error(), Some(EBUSY | EINTR))
        {
            // Nothing that could be done here; the next wait says the same.
            log::debug!("io_uring_enter: {e}");
        }
    }
}

impl std::fmt::Debug for Uring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uring").field("way", &self.way()).finish_non_exhaustive()
    }
}
