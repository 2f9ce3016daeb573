//! The way without io_uring: epoll(7), then a system call for each packet.
//!
//! Who passed a device still holds it, and could make it block. So it is read and written by calls that do not wait whatever it is
//! set to (`RWF_NOWAIT`). Devices before Linux 6.4 know none: there this way trusts its peers, the ways by io_uring do not have to.

use super::pool::Pool;
use super::{Buffer, Event, STEP, Token};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll as Poll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::unistd::{read, write};
use rustix::io::{ReadWriteFlags, preadv2, pwritev2};
use std::collections::BTreeMap;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// How many packets of one device are read at a time, before the next device has its turn.
const BATCH: usize = 32;
/// How many descriptors are told of at a time.
const DESCRIPTORS: usize = 128;
/// Of what has no offset (preadv2(2): -1).
const HERE: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Epoll {
    poll: Poll,
    entries: BTreeMap<Token, Entry>,
    calls: Calls,
}

/// Whether there are calls that do not wait, as far as is known.
#[derive(Debug)]
struct Calls {
    nowait: bool,
}

#[derive(Debug)]
struct Entry {
    fd: OwnedFd,
    is_device: bool,
    /// It is read step by step.
    stepwise: bool,
}

impl Epoll {
    pub fn new() -> Result<Self, Errno> {
        Ok(Self {
            poll: Poll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            entries: BTreeMap::new(),
            calls: Calls { nowait: true },
        })
    }

    pub fn add(&mut self, token: Token, fd: OwnedFd, is_device: bool) -> Result<(), Errno> {
        self.poll.add(&fd, EpollEvent::new(EpollFlags::EPOLLIN, u64::from(token)))?;
        self.entries.insert(token, Entry { fd, is_device, stepwise: false });
        Ok(())
    }

    pub fn watch(&mut self, token: Token, read: bool, write: bool) {
        let Some(entry) = self.entries.get(&token) else { return };
        let mut flags = EpollFlags::empty();
        flags.set(EpollFlags::EPOLLIN, read);
        flags.set(EpollFlags::EPOLLOUT, write);
        // It is there, and there is nothing else that could be wrong.
        let _ = self.poll.modify(&entry.fd, &mut EpollEvent::new(flags, u64::from(token)));
    }

    pub fn step(&mut self, token: Token, on: bool) {
        if let Some(entry) = self.entries.get_mut(&token) {
            entry.stepwise = on;
        }
    }

    pub fn remove(&mut self, token: Token) {
        if let Some(entry) = self.entries.remove(&token) {
            let _ = self.poll.delete(&entry.fd);
        }
    }

    pub fn wait(&mut self, pool: &mut Pool, limit: Option<Duration>, events: &mut Vec<Event>) -> Result<(), Errno> {
        let timeout = match limit {
            None => EpollTimeout::NONE,
            // Rounded up: a wait that ends too early would be repeated at once.
            Some(limit) => EpollTimeout::try_from(limit.as_micros().div_ceil(1000).min(60_000) as i32)
                .unwrap_or(EpollTimeout::ZERO),
        };
        let mut ready = [EpollEvent::empty(); DESCRIPTORS];
        let count = match self.poll.wait(&mut ready, timeout) {
            Err(Errno::EINTR) => 0,
            count => count?,
        };
        for event in &ready[..count] {
            let token = event.data() as Token;
            match self.entries.get(&token) {
                Some(Entry { fd, is_device: true, stepwise }) => {
                    let most = if *stepwise { STEP.into() } else { BATCH };
                    self.calls.drain(fd, token, most, pool, events);
                }
                Some(_) => events.push(Event::Ready(token)),
                None => {}
            }
        }
        Ok(())
    }

    pub fn write(&mut self, pool: &mut Pool, token: Token, buffer: Buffer, events: &mut Vec<Event>) {
        if let Some(entry) = self.entries.get(&token)
            && let Err(errno) = self.calls.write(&entry.fd, pool.bytes(&buffer))
        {
            events.push(Event::Refused(token, errno));
        }
        pool.release(buffer);
    }
}

impl Calls {
    /// Reads what is there, up to so many packets.
    fn drain(&mut self, fd: &OwnedFd, token: Token, most: usize, pool: &mut Pool, events: &mut Vec<Event>) {
        for _ in 0..most {
            let Some(mut buffer) = pool.take() else { return };
            match self.read(fd, pool.room(&buffer)) {
                Ok(length) => {
                    buffer.length = length as u32;
                    events.push(Event::Packet(token, buffer));
                }
                Err(errno) => {
                    pool.release(buffer);
                    match errno {
                        Errno::EINTR => continue,
                        Errno::EAGAIN => {}
                        // It is down: epoll tells when it is up again.
                        Errno::EIO => {}
                        errno => events.push(Event::Broken(token, errno)),
                    }
                    return;
                }
            }
        }
    }

    fn read(&mut self, fd: &OwnedFd, room: &mut [u8]) -> Result<usize, Errno> {
        if self.nowait
            && let Some(done) = self.judge(preadv2(fd, &mut [IoSliceMut::new(room)], HERE, ReadWriteFlags::NOWAIT))
        {
            return done;
        }
        read(fd, room)
    }

    fn write(&mut self, fd: &OwnedFd, bytes: &[u8]) -> Result<usize, Errno> {
        if self.nowait
            && let Some(done) = self.judge(pwritev2(fd, &[IoSlice::new(bytes)], HERE, ReadWriteFlags::NOWAIT))
        {
            return done;
        }
        write(fd, bytes)
    }

    /// What came of a call; none when there is no such call here.
    fn judge(&mut self, done: rustix::io::Result<usize>) -> Option<Result<usize, Errno>> {
        let done = done.map_err(|e| Errno::from_raw(e.raw_os_error()));
        self.nowait = !matches!(done, Err(Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EPERM));
        self.nowait.then_some(done)
    }
}
