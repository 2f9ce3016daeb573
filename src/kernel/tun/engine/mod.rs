//! Moves packets between open devices, many to a system call.
//!
//! Devices are read as long as there are packets and buffers, by turns, so that one that floods does not keep the others waiting; what
//! was read is written elsewhere from the very buffer that it was read into. Sockets are only watched.
//!
//! Several ways lead to the kernel, and the first that works here is taken: io_uring with reads that go on by themselves (Linux 6.7);
//! io_uring with a poll, then a batch of reads, which do not wait (Linux 6.4) or do (Linux 6.1); epoll and a system call for each
//! packet, for where io_uring is missing or forbidden (`kernel.io_uring_disabled`, seccomp).
//!
//! Must not know: what is in the packets and why they go where they go.

mod epoll;
mod pool;
mod uring;

pub use pool::Buffer;

use super::super::error::Error;
use epoll::Epoll;
use nix::errno::Errno;
use pool::Pool;
use std::os::fd::OwnedFd;
use std::str::FromStr;
use std::time::Duration;
use uring::Uring;

/// How many packets of a device are read at a time where it is read step by step.
const STEP: u16 = 2;

/// What the caller knows a descriptor by. It is free again as soon as [`Engine::remove`] returns.
pub type Token = u32;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A device was read. The buffer must be written or released.
    Packet(Token, Buffer),
    /// A socket can be read, or written where that was asked for, or is closed.
    Ready(Token),
    /// A device did not take a packet: it is down (`EIO`), or the packet is none (`EINVAL`).
    Refused(Token, Errno),
    /// A device cannot be read any more.
    Broken(Token, Errno),
}

/// The way to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// io_uring, reads that go on by themselves.
    Multishot,
    /// io_uring, a poll and then a batch of reads that do not wait.
    Batch,
    /// io_uring, a poll and then a batch of reads that wait, and are cancelled.
    Waiting,
    /// epoll, read(2) and write(2).
    Epoll,
}

/// By a word: `multishot`, `batch`, `waiting` or `epoll`.
impl FromStr for Way {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "multishot" => Ok(Self::Multishot),
            "batch" => Ok(Self::Batch),
            "waiting" => Ok(Self::Waiting),
            "epoll" => Ok(Self::Epoll),
            other => Err(format!("`{other}` is no way to the kernel: `multishot`, `batch`, `waiting` or `epoll`")),
        }
    }
}

impl Way {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Multishot => "io_uring, multishot reads",
            Self::Batch => "io_uring, batched reads",
            Self::Waiting => "io_uring, reads that wait",
            Self::Epoll => "epoll",
        }
    }
}

/// What carries packets between descriptors.
#[derive(Debug)]
pub struct Engine {
    inner: Inner,
    pool: Pool,
}

#[derive(Debug)]
enum Inner {
    Uring(Box<Uring>),
    Epoll(Epoll),
}

impl Engine {
    /// The best that works here.
    ///
    /// # Errors
    /// When there is not even epoll.
    pub fn new() -> Result<Self, Error> {
        Self::with(Way::Multishot).or_else(|_| Self::with(Way::Batch)).or_else(|_| Self::with(Way::Epoll))
    }

    /// One that takes a certain way.
    ///
    /// # Errors
    /// When the kernel does not go that way.
    pub fn with(way: Way) -> Result<Self, Error> {
        let pool = Pool::new(way == Way::Multishot);
        let inner = match way {
            Way::Multishot | Way::Batch | Way::Waiting => {
                let uring = Uring::new(&pool, way).map_err(|e| Error::io("set up io_uring", &e))?;
                Inner::Uring(Box::new(uring))
            }
            Way::Epoll => Inner::Epoll(Epoll::new().map_err(|e| Error::system("set up epoll", e))?),
        };
        Ok(Self { inner, pool })
    }

    /// The way that it takes.
    pub fn way(&self) -> Way {
        match &self.inner {
            Inner::Uring(uring) => uring.way(),
            Inner::Epoll(_) => Way::Epoll,
        }
    }

    /// Takes over a device, which must not block, and begins to read it.
    ///
    /// # Errors
    /// When the kernel cannot watch it.
    pub fn add_device(&mut self, token: Token, fd: OwnedFd) -> Result<(), Error> {
        match &mut self.inner {
            Inner::Uring(uring) => uring.add_device(token, fd).map_err(|e| Error::io("read a device", &e)),
            Inner::Epoll(epoll) => epoll.add(token, fd, true).map_err(|e| Error::system("read a device", e)),
        }
    }

    /// Watches a socket, of which this takes a descriptor of its own.
    ///
    /// # Errors
    /// When the kernel cannot watch it.
    pub fn add_socket(&mut self, token: Token, fd: OwnedFd) -> Result<(), Error> {
        match &mut self.inner {
            Inner::Uring(uring) => uring.add_socket(token, fd).map_err(|e| Error::io("watch a socket", &e)),
            Inner::Epoll(epoll) => epoll.add(token, fd, false).map_err(|e| Error::system("watch a socket", e)),
        }
    }

    /// Whether a socket is watched for being read, and for being written.
    pub fn watch(&mut self, token: Token, read: bool, write: bool) {
        match &mut self.inner {
            Inner::Uring(uring) => uring.watch(token, read, write),
            Inner::Epoll(epoll) => epoll.watch(token, read, write),
        }
    }

    /// Whether a device is read. What has been read of one that is not any more may still come.
    pub fn read(&mut self, token: Token, on: bool) {
        match &mut self.inner {
            Inner::Uring(uring) => uring.read(token, on),
            Inner::Epoll(epoll) => epoll.watch(token, on, false),
        }
    }

    /// Whether a device is read step by step, so that no more than a few packets come after [`Self::read`] stops it.
    pub fn step(&mut self, token: Token, on: bool) {
        match &mut self.inner {
            Inner::Uring(uring) => uring.step(token, on),
            Inner::Epoll(epoll) => epoll.step(token, on),
        }
    }

    /// Lets go of a descriptor. No event of it comes after this.
    pub fn remove(&mut self, token: Token) {
        match &mut self.inner {
            Inner::Uring(uring) => uring.remove(token),
            Inner::Epoll(epoll) => epoll.remove(token),
        }
    }

    /// Does what is queued, waits until something happens or the time is over, and appends what happened.
    ///
    /// # Errors
    /// When the kernel refuses to wait; there is no way on then.
    pub fn wait(&mut self, limit: Option<Duration>, events: &mut Vec<Event>) -> Result<(), Error> {
        match &mut self.inner {
            Inner::Uring(uring) => uring.wait(&mut self.pool, limit, events).map_err(|e| Error::io("wait", &e)),
            Inner::Epoll(epoll) => epoll.wait(&mut self.pool, limit, events).map_err(|e| Error::system("wait", e)),
        }
    }

    /// What is in a buffer.
    pub fn bytes(&self, buffer: &Buffer) -> &[u8] {
        self.pool.bytes(buffer)
    }

    /// A buffer with a copy of these bytes; none when all are in use or the bytes are too many.
    pub fn copy(&mut self, parts: [&[u8]; 2]) -> Option<Buffer> {
        self.pool.copy(parts)
    }

    /// Writes a buffer to a device, in the order of these calls, and releases it.
    pub fn write(&mut self, token: Token, buffer: Buffer, events: &mut Vec<Event>) {
        match &mut self.inner {
            Inner::Uring(uring) => uring.write(&mut self.pool, token, buffer),
            Inner::Epoll(epoll) => epoll.write(&mut self.pool, token, buffer, events),
        }
    }

    /// Gives a buffer back that is not written.
    pub fn release(&mut self, buffer: Buffer) {
        match &mut self.inner {
            Inner::Uring(uring) => uring.release(&mut self.pool, buffer),
            Inner::Epoll(_) => self.pool.release(buffer),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Inner::Uring(uring) = &mut self.inner
            && !uring.finish(&mut self.pool)
        {
            // The kernel may still write into it.
            self.pool.leak();
        }
    }
}
