//! Reads of devices: those that go on by themselves, and batches of single ones, which wait or do not.

use super::super::pool::{LENGTH, Pool, is_lent};
use super::super::{Buffer, Event, STEP, Token};
use super::Uring;
use super::user_data::{Asked, data};
use io_uring::types::Fd;
use io_uring::{cqueue, opcode};
use nix::errno::Errno;
use nix::libc::RWF_NOWAIT;

/// How many packets of one device are read at a time, where reads do not go on by themselves.
const BATCH: u16 = 16;

impl Uring {
    /// Reads what a device has, up to a batch.
    pub(super) fn read_batch(&mut self, pool: &mut Pool, token: Token, fd: Fd, generation: u16) {
        let Some(entry) = self.entry(token) else { return };
        let (under_way, batch) = (entry.reading, if entry.stepwise { STEP } else { BATCH });
        let window = entry.waiting.as_ref().map(|waiting| waiting.window.min(batch));
        let flags = if window.is_some() { 0 } else { RWF_NOWAIT };
        let mut asked = Vec::new();
        for _ in under_way..window.unwrap_or(batch) {
            let Some(buffer) = pool.take() else { break };
            let address = pool.room(&buffer).as_mut_ptr();
            let read = opcode::Read::new(fd, address, LENGTH as u32).rw_flags(flags).build();
            self.push(read.user_data(data(Asked::Read, generation, buffer.index, token)));
            asked.push(buffer.index);
        }
        // Without a buffer: again when there is one.
        if asked.is_empty() && under_way == 0 {
            self.make_due(token);
        }
        let Some(entry) = self.entry(token) else { return };
        entry.reading += asked.len() as u16;
        if let Some(waiting) = entry.waiting.as_mut().filter(|_| !asked.is_empty()) {
            // The next poll tells whether there is more.
            entry.ready = false;
            waiting.buffers.append(&mut asked);
            self.asked.push(token);
        }
    }

    /// A result of a read that goes on.
    pub(super) fn read_on(
        &mut self,
        pool: &mut Pool,
        token: Token,
        generation: u16,
        done: &cqueue::Entry,
        result: Result<usize, Errno>,
        events: &mut Vec<Event>,
    ) {
        let buffer = cqueue::buffer_select(done.flags())
            .map(|index| Buffer { index, length: result.unwrap_or(0) as u32 })
            .filter(is_lent);
        let Some(entry) = self.entry(token).filter(|entry| entry.generation == generation) else {
            return buffer.into_iter().for_each(|buffer| self.release(pool, buffer));
        };
        let goes_on = cqueue::more(done.flags());
        if !goes_on {
            entry.armed = false;
        }
        match (result, buffer) {
            (Ok(length), Some(buffer)) if length > 0 => events.push(Event::Packet(token, buffer)),
            (Ok(_) | Err(Errno::ENOBUFS | Errno::ECANCELED | Errno::EAGAIN | Errno::EINTR), buffer) => {
                buffer.into_iter().for_each(|buffer| self.release(pool, buffer));
            }
            (Err(errno), buffer) => {
                buffer.into_iter().for_each(|buffer| self.release(pool, buffer));
                return events.push(Event::Broken(token, errno));
            }
        }
        if !goes_on {
            self.make_due(token);
        }
    }

    /// The result of one read.
    pub(super) fn read_once(
        &mut self,
        pool: &mut Pool,
        token: Token,
        generation: u16,
        buffer: Buffer,
        result: Result<usize, Errno>,
        events: &mut Vec<Event>,
    ) {
        let Some(entry) = self.entry(token).filter(|entry| entry.generation == generation) else {
            return pool.release(buffer);
        };
        entry.reading -= entry.reading.min(1);
        if let Some(waiting) = &mut entry.waiting {
            waiting.buffers.retain(|index| *index != buffer.index);
            if waiting.buffers.is_empty() && result.is_ok() {
                waiting.window = (waiting.window * 2).min(BATCH);
            }
        }
        let errno = match result {
            Ok(length) if length > 0 => {
                events.push(Event::Packet(token, buffer));
                return self.make_due(token);
            }
            Ok(_) => Errno::EAGAIN,
            Err(errno) => errno,
        };
        pool.release(buffer);
        match errno {
            Errno::EAGAIN | Errno::EINTR | Errno::ECANCELED => entry.ready = false,
            // What had been asked so when the first was refused.
            Errno::EOPNOTSUPP => self.let_wait(token),
            errno => return events.push(Event::Broken(token, errno)),
        }
        self.make_due(token);
    }
}
