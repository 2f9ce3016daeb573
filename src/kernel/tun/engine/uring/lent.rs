//! The ring of buffers that the kernel takes from for reads that go on by themselves.

use super::super::pool::{LENGTH, Pool, READING};
use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

/// The ring's number.
pub(super) const GROUP: u16 = 0;

/// The ring of buffers that the kernel reads into (`io_uring_register_buf_ring(3)`).
pub(super) struct Lent {
    /// Page-aligned, as the kernel wants it.
    entries: Box<Page>,
    tail: u16,
}

#[repr(C, align(4096))]
struct Page([BufRingEntry; READING as usize]);

impl Lent {
    #[allow(unsafe_code, reason = "memory that is shared with the kernel")]
    pub fn new(ring: &IoUring, pool: &Pool) -> io::Result<Self> {
        // SAFETY: an entry is a plain structure of integers, for which zeroes are valid.
        let entries: Box<Page> = Box::new(unsafe { std::mem::zeroed() });
        let address = std::ptr::from_ref(&*entries) as u64;
        // SAFETY: the memory is page-aligned, as long as is said, and lives as long as the ring: both are fields of `Uring`, and the
        // ring is dropped first.
        unsafe { ring.submitter().register_buf_ring_with_flags(address, READING, GROUP, 0) }?;
        let mut lent = Self { entries, tail: 0 };
        for index in 0..READING {
            lent.give(pool, index);
        }
        lent.publish();
        Ok(lent)
    }

    /// Puts a buffer back; the kernel sees it after [`Self::publish`].
    pub fn give(&mut self, pool: &Pool, index: u16) {
        let entry = &mut self.entries.0[usize::from(self.tail % READING)];
        entry.set_addr(pool.address(index) as u64);
        entry.set_len(LENGTH as u32);
        entry.set_bid(index);
        self.tail = self.tail.wrapping_add(1);
    }

    #[allow(unsafe_code, reason = "memory that is shared with the kernel")]
    pub fn publish(&self) {
        // SAFETY: the pointer is to the first entry, where the kernel looks for the tail; it is aligned and shared with nobody else.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.entries.0.as_ptr()).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}
