//! Buffers for packets: as many as there are, none ever grows, none is lost.
//!
//! Those of the first part are lent to the kernel by the ring, those of the second are taken by who has something to write. A page
//! that no packet needed is never touched, so that unused room costs nothing.

/// How many buffers the kernel reads into; a power of two.
pub(super) const READING: u16 = 256;
/// How many others there are.
const OWN: u16 = 256;
/// How long each is: a virtio-net header, an Ethernet header and the longest IP packet.
pub(super) const LENGTH: usize = 12 + 18 + 65535;
/// From one to the next: pages of their own.
const STRIDE: usize = LENGTH.next_multiple_of(4096);

/// A buffer in use. It goes back to where it came from; dropping it would lose it.
#[derive(Debug)]
#[must_use = "it is lost when it is neither written nor released"]
pub struct Buffer {
    pub(super) index: u16,
    pub(super) length: u32,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Pool {
    memory: Vec<u8>,
    free: Vec<u16>,
    /// The lengths of those that are being written, and may have to be once more.
    lengths: Vec<u32>,
}

impl Pool {
    /// Those of the first part are lent to the ring, or are like the others.
    pub fn new(lent: bool) -> Self {
        // Zeroed by the kernel, page by page when they are touched.
        let memory = vec![0; STRIDE * usize::from(READING + OWN)];
        let first = if lent { READING } else { 0 };
        let lengths = vec![0; usize::from(READING + OWN)];
        Self { memory, free: (first..READING + OWN).rev().collect(), lengths }
    }

    pub fn bytes(&self, buffer: &Buffer) -> &[u8] {
        &self.memory[usize::from(buffer.index) * STRIDE..][..buffer.length as usize]
    }

    /// A free one of the second part.
    pub fn take(&mut self) -> Option<Buffer> {
        Some(Buffer { index: self.free.pop()?, length: 0 })
    }

    /// The whole of a buffer, to be read into.
    pub fn room(&mut self, buffer: &Buffer) -> &mut [u8] {
        &mut self.memory[usize::from(buffer.index) * STRIDE..][..LENGTH]
    }

    pub fn copy(&mut self, parts: [&[u8]; 2]) -> Option<Buffer> {
        let [head, body] = parts;
        let length = head.len() + body.len();
        if length > LENGTH {
            return None;
        }
        let mut buffer = self.take()?;
        buffer.length = length as u32;
        let room = self.room(&buffer);
        room[..head.len()].copy_from_slice(head);
        room[head.len()..length].copy_from_slice(body);
        Some(buffer)
    }

    /// Takes back one of the second part.
    pub fn release(&mut self, buffer: Buffer) {
        self.free.push(buffer.index);
    }

    /// Remembers a buffer that is being written, if it may have to be written once more.
    pub fn writing(&mut self, buffer: &Buffer, again: bool) {
        self.lengths[usize::from(buffer.index)] = if again { buffer.length } else { 0 };
    }

    /// A buffer that was being written, and is to be written once more.
    pub fn unwritten(&self, index: u16) -> Option<Buffer> {
        let length = self.lengths[usize::from(index)];
        (length > 0).then_some(Buffer { index, length })
    }

    /// Never frees the memory.
    pub fn leak(&mut self) {
        std::mem::take(&mut self.memory).leak();
    }

    /// Where a buffer is, for the kernel.
    pub fn address(&self, index: u16) -> *const u8 {
        self.memory[usize::from(index) * STRIDE..].as_ptr()
    }
}

/// Whether it is of the first part.
pub(super) fn is_lent(buffer: &Buffer) -> bool {
    buffer.index < READING
}
