//! Frames out of a stream, wherever it was cut.

use super::{GREETING, HEADER};
use std::fmt;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The greeting that carries credentials. It is no frame and has no payload.
    Greeting,
    /// An IP packet.
    Packet,
    /// A block of rules.
    Rules,
}

/// A message, whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Message<'a> {
    /// What it is.
    pub kind: Kind,
    /// What it holds. Nothing is known about it but its length.
    pub payload: &'a [u8],
}

/// Whether a peer has to begin with the greeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Greeting {
    /// It has to.
    Required,
    /// It may.
    Optional,
}

/// Why a stream is none of frames. Nothing that follows can be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameError {
    /// The greeting is missing, or is another.
    Greeting,
    /// A frame of a kind that nobody knows: its first and its last byte.
    Kind(u8, u8),
    /// A payload that is longer than was agreed, in bytes.
    Length(usize),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Greeting => f.write_str("it does not begin with its credentials"),
            Self::Kind(first, kind) => write!(f, "unknown kind of frame {first}/{kind}"),
            Self::Length(len) => write!(f, "a frame of {len} bytes is too long"),
        }
    }
}

impl std::error::Error for FrameError {}

/// Takes bytes as they come and gives messages.
///
/// Bytes go into a buffer of a fixed size, by [`Self::space`] and [`Self::filled`] or by [`Self::feed`]; then [`Self::message`] is
/// called until there is none. After that there is always room for more.
#[derive(Debug)]
pub struct Decoder {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    max: usize,
    /// What may come first; none once something came.
    greeting: Option<Greeting>,
    failed: Option<FrameError>,
}

impl Decoder {
    /// For payloads of at most `max` bytes; no frame can have more than 65535.
    pub fn new(max: usize, greeting: Greeting) -> Self {
        Self::with_buffer(max, 0, greeting)
    }

    /// The same with a buffer of `size` bytes, where that is more than one frame needs: so that one read takes many.
    pub fn with_buffer(max: usize, size: usize, greeting: Greeting) -> Self {
        let max = max.min(usize::from(u16::MAX));
        let buffer = vec![0; size.max(HEADER + max).max(GREETING.len())].into_boxed_slice();
        Self { buffer, start: 0, end: 0, max, greeting: Some(greeting), failed: None }
    }

    /// Where to read into. Empty only while there are messages, or after an error.
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

    /// How many bytes wait for the rest of their message.
    pub const fn waiting(&self) -> usize {
        self.end - self.start
    }

    /// The next message; none until there are more bytes.
    ///
    /// # Errors
    /// When the stream is none of frames; and from then on each time.
    #[inline]
    pub fn message(&mut self) -> Result<Option<Message<'_>>, FrameError> {
        match self.next() {
            Ok(None) => Ok(None),
            Ok(Some((kind, start, end))) => {
                self.start = end;
                self.greeting = None;
                Ok(Some(Message { kind, payload: self.buffer.get(start..end).unwrap_or_default() }))
            }
            Err(error) => {
                self.failed = Some(error);
                Err(error)
            }
        }
    }

    /// The next message's kind, and where its payload begins and ends.
    #[inline]
    fn next(&self) -> Result<Option<(Kind, usize, usize)>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let bytes = self.buffer.get(self.start..self.end).unwrap_or_default();
        // No frame begins with its first letter.
        let greets = match self.greeting {
            Some(Greeting::Required) => true,
            Some(Greeting::Optional) => bytes.first() == GREETING.first(),
            None => false,
        };
        if greets {
            let end = self.start + GREETING.len();
            return match bytes.get(..GREETING.len()) {
                Some(greeting) if greeting == GREETING => Ok(Some((Kind::Greeting, end, end))),
                None if GREETING.starts_with(bytes) => Ok(None),
                _ => Err(FrameError::Greeting),
            };
        }
        let Some([first, low, high, kind]) = bytes.first_chunk::<HEADER>().copied() else { return Ok(None) };
        let kind = match (first, kind) {
            (0, 0) => Kind::Packet,
            (0, 1) => Kind::Rules,
            _ => return Err(FrameError::Kind(first, kind)),
        };
        let len = usize::from(u16::from_le_bytes([low, high]));
        if len > self.max {
            return Err(FrameError::Length(len));
        }
        let start = self.start + HEADER;
        Ok((start + len <= self.end).then_some((kind, start, start + len)))
    }
}
