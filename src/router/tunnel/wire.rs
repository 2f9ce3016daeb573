//! Packets in a stream: two bytes of length, big-endian, then a raw IP packet. Nothing else is ever sent: no control, no keep-alive.
//!
//! gost reads a packet into a buffer and loses the rest of one that is longer; here the length is a bound, and a stream that breaks it
//! is one that cannot be understood any more.

use std::fmt;

/// The bytes before each packet.
pub const HEADER: usize = 2;

/// The longest packet that gost takes unless told otherwise.
pub const GOST_BUFFER: usize = 4096;

/// The two bytes before a packet of `len` bytes; none where that is more than they can say, or nothing.
#[inline]
pub fn encode_header(len: usize) -> Option<[u8; HEADER]> {
    u16::try_from(len).ok().filter(|len| *len > 0).map(u16::to_be_bytes)
}

/// A packet that is longer than was agreed, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong(pub usize);

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a packet of {} bytes is too long", self.0)
    }
}

impl std::error::Error for TooLong {}

/// Takes bytes as they come and gives packets.
///
/// Bytes go into a buffer of a fixed size, by [`Self::space`] and [`Self::filled`] or by [`Self::feed`]; then [`Self::packet`] is
/// called until there is none. After that there is always room for more.
#[derive(Debug)]
pub struct Decoder {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    max: usize,
    failed: Option<TooLong>,
}

impl Decoder {
    /// For packets of at most `max` bytes, with a buffer of `size` bytes where that is more than one packet needs: so that one read takes
    /// many.
    pub fn new(max: usize, size: usize) -> Self {
        let max = max.min(usize::from(u16::MAX));
        Self { buffer: vec![0; size.max(HEADER + max)].into(), start: 0, end: 0, max, failed: None }
    }

    /// Where to read into. Empty only while there are packets, or after an error.
    pub fn space(&mut self) -> &mut [u8] {
        if self.failed.is_some() {
            return &mut [];
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// So many bytes of the space were filled.
    pub fn filled(&mut self, len: usize) {
        self.end = self.end.saturating_add(len).min(self.buffer.len());
    }

    /// Takes as many bytes as there is room for, and says how many.
    pub fn feed(&mut self, bytes: &[u8]) -> usize {
        let space = self.space();
        let len = space.len().min(bytes.len());
        space[..len].copy_from_slice(&bytes[..len]);
        self.filled(len);
        len
    }

    /// How many bytes wait for the rest of their packet.
    pub const fn waiting(&self) -> usize {
        self.end - self.start
    }

    /// The next packet, which may be changed; none until there are more bytes. A length of zero is nothing, and passed over.
    ///
    /// # Errors
    /// When a packet is too long; and from then on each time.
    #[inline]
    pub fn packet(&mut self) -> Result<Option<&mut [u8]>, TooLong> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        loop {
            let bytes = self.buffer.get(self.start..self.end).unwrap_or_default();
            let Some(len) = bytes.first_chunk().map(|len| usize::from(u16::from_be_bytes(*len))) else {
                return Ok(None);
            };
            if len > self.max {
                self.failed = Some(TooLong(len));
                return Err(TooLong(len));
            }
            let start = self.start + HEADER;
            if start + len > self.end {
                return Ok(None);
            }
            self.start = start + len;
            if len > 0 {
                return Ok(self.buffer.get_mut(start..start + len));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(decoder: &mut Decoder, stream: &[u8], part: usize) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut packets = Vec::new();
        for mut rest in stream.chunks(part) {
            while !rest.is_empty() {
                let taken = decoder.feed(rest);
                rest = &rest[taken..];
                while let Some(packet) = decoder.packet()? {
                    packets.push(packet.to_vec());
                }
            }
        }
        Ok(packets)
    }

    #[test]
    fn what_is_sent_is_as_it_was_written_down() {
        assert_eq!(encode_header(1420), Some([0x05, 0x8c]));
        assert_eq!(encode_header(65535), Some([0xff, 0xff]));
        assert_eq!((encode_header(0), encode_header(65536)), (None, None));
    }

    #[test]
    fn a_packet_beyond_the_bound_ends_the_stream() {
        let mut decoder = Decoder::new(100, 0);
        assert_eq!(read(&mut decoder, &[0, 1, 7, 0, 101], 5), Err(TooLong(101)));
        assert_eq!(decoder.packet().map(|_| ()), Err(TooLong(101)));
        assert!(decoder.space().is_empty());
    }

    proptest! {
        /// Packets come out as they went in, however the stream is cut and however large the buffer is.
        #[test]
        fn packets_survive_any_cut(
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20), part in 1..400_usize,
            size in 0..2000_usize,
        ) {
            let mut stream = Vec::new();
            for packet in &packets {
                stream.extend((packet.len() as u16).to_be_bytes());
                stream.extend(packet);
            }
            let wanted: Vec<_> = packets.into_iter().filter(|packet| !packet.is_empty()).collect();
            let mut decoder = Decoder::new(300, size);
            prop_assert_eq!(read(&mut decoder, &stream, part), Ok(wanted));
            prop_assert_eq!(decoder.waiting(), 0);
        }
    }

    #[test]
    fn a_stream_is_read_the_same_when_it_is_cut_at_any_byte() {
        let stream = [&[0, 3, 1, 2, 3, 0, 0, 0, 1, 9, 0, 2, 8][..], &[7]].concat();
        let whole = read(&mut Decoder::new(10, 0), &stream, stream.len()).unwrap();
        assert_eq!(whole, [vec![1, 2, 3], vec![9], vec![8, 7]]);
        for at in 0..=stream.len() {
            let mut decoder = Decoder::new(10, 0);
            let mut packets = read(&mut decoder, &stream[..at], 100).unwrap();
            packets.extend(read(&mut decoder, &stream[at..], 100).unwrap());
            assert_eq!(packets, whole, "cut at {at}");
        }
    }
}
