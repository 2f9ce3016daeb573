//! A peer that frames packets over a stream: what was read and is no whole frame yet, and what the stream did not take yet.

use crate::router::segment;
use crate::router::tunnel::wire;
use crate::router::uwsgi::{self, Greeting, Kind};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

/// How much is read at a time, in bytes: of a service, and of a remote host.
const INPUT: usize = 32 << 10;
const TUNNEL_INPUT: usize = 256 << 10;
/// How much memory is kept for what is written, where there was more once: for a service, and for a remote host.
const KEPT: [usize; 2] = [64 << 10, 256 << 10];

/// What is told apart in a stream.
pub(super) enum Reader {
    /// uWSGI's frames.
    Uwsgi(uwsgi::Decoder),
    /// Packets of a routing tunnel.
    Tunnel(wire::Decoder),
}

impl Reader {
    fn space(&mut self) -> &mut [u8] {
        match self {
            Self::Uwsgi(decoder) => decoder.space(),
            Self::Tunnel(decoder) => decoder.space(),
        }
    }

    fn filled(&mut self, len: usize) {
        match self {
            Self::Uwsgi(decoder) => decoder.filled(len),
            Self::Tunnel(decoder) => decoder.filled(len),
        }
    }
}

/// The stream of one peer. It may be of TCP as well: only its descriptor is used.
pub(super) struct Framed {
    stream: UnixStream,
    /// What was read; away while its frames are gone through.
    pub reader: Option<Reader>,
    /// Where the peer is behind a tunnel, the MTU that its connections are held to, in bytes.
    clamp: Option<usize>,
    output: Vec<u8>,
    /// How much of it is written.
    written: usize,
    bound: usize,
}

impl Framed {
    /// uWSGI's frames; `longest` is that of the packets that it may send, in bytes.
    pub fn uwsgi(stream: UnixStream, longest: usize, bound: usize) -> Self {
        let decoder = uwsgi::Decoder::with_buffer(longest.max(uwsgi::DEFAULT_MAX), INPUT, Greeting::Optional);
        Self { stream, reader: Some(Reader::Uwsgi(decoder)), clamp: None, output: Vec::new(), written: 0, bound }
    }

    /// A tunnel, with what is said before any packet.
    pub fn tunnel(stream: UnixStream, output: Vec<u8>, mtu: usize, bound: usize) -> Self {
        let decoder = wire::Decoder::new(usize::from(u16::MAX), TUNNEL_INPUT);
        Self { stream, reader: Some(Reader::Tunnel(decoder)), clamp: Some(mtu), output, written: 0, bound }
    }

    /// Reads once. Whether there was anything.
    pub fn read(&mut self) -> Result<bool, String> {
        let Some(reader) = &mut self.reader else { return Ok(false) };
        match self.stream.read(reader.space()) {
            Ok(0) => Err("it closed the connection".into()),
            Ok(length) => {
                reader.filled(length);
                Ok(true)
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(false),
            Err(e) => Err(e.to_string()),
        }
    }

    /// Whether there was room for a packet in a frame.
    pub fn queue(&mut self, packet: &[u8]) -> bool {
        let waiting = self.output.len() - self.written;
        if waiting > 0 && waiting + uwsgi::HEADER + packet.len() > self.bound {
            return false;
        }
        let Some(mtu) = self.clamp else {
            let Some(header) = uwsgi::encode_header(Kind::Packet, packet.len()) else { return false };
            self.output.extend_from_slice(&header);
            self.output.extend_from_slice(packet);
            return true;
        };
        let Some(header) = wire::encode_header(packet.len()) else { return false };
        self.output.extend_from_slice(&header);
        let at = self.output.len();
        self.output.extend_from_slice(packet);
        segment::clamp(&mut self.output[at..], mtu);
        true
    }

    /// Writes what the stream takes. Whether there is more.
    pub fn write(&mut self) -> Result<bool, String> {
        while self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(length) => self.written += length,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    // Moved down only where that is little, beside what was written.
                    if self.written > self.output.len() / 2 {
                        self.output.drain(..self.written);
                        self.written = 0;
                    }
                    return Ok(true);
                }
                Err(e) => return Err(e.to_string()),
            }
        }
        self.output.clear();
        self.written = 0;
        // A burst's memory is not kept for ever.
        if self.output.capacity() > KEPT[usize::from(self.clamp.is_some())] {
            self.output = Vec::new();
        }
        Ok(false)
    }
}
