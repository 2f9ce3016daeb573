//! A peer that frames packets over a stream: what was read and is no whole frame yet, and what the stream did not take yet.

use crate::router::uwsgi::{self, Decoder, Greeting, Kind};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

/// How much is read at a time, in bytes.
const INPUT: usize = 32 << 10;

/// The stream of one peer. It may be of TCP as well: only its descriptor is used.
pub(super) struct Framed {
    stream: UnixStream,
    /// What was read; away while its frames are gone through.
    pub decoder: Option<Decoder>,
    output: Vec<u8>,
    /// How much of it is written.
    written: usize,
    bound: usize,
}

impl Framed {
    /// `longest` is that of the packets that it may send, in bytes.
    pub fn new(stream: UnixStream, longest: usize, bound: usize) -> Self {
        let decoder = Decoder::with_buffer(longest.max(uwsgi::DEFAULT_MAX), INPUT, Greeting::Optional);
        Self { stream, decoder: Some(decoder), output: Vec::new(), written: 0, bound }
    }

    /// Reads once. Whether there was anything.
    pub fn read(&mut self) -> Result<bool, String> {
        let Some(decoder) = &mut self.decoder else { return Ok(false) };
        match self.stream.read(decoder.space()) {
            Ok(0) => Err("it closed the connection".into()),
            Ok(length) => {
                decoder.filled(length);
                Ok(true)
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(false),
            Err(e) => Err(e.to_string()),
        }
    }

    /// Whether there was room for a packet in a frame.
    pub fn queue(&mut self, packet: &[u8]) -> bool {
        let waiting = self.output.len() - self.written;
        let Some(header) = uwsgi::encode_header(Kind::Packet, packet.len()) else { return false };
        if waiting > 0 && waiting + header.len() + packet.len() > self.bound {
            return false;
        }
        self.output.extend_from_slice(&header);
        self.output.extend_from_slice(packet);
        true
    }

    /// Writes what the stream takes. Whether there is more.
    pub fn write(&mut self) -> Result<bool, String> {
        while self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(length) => self.written += length,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.output.drain(..self.written);
                    self.written = 0;
                    return Ok(true);
                }
                Err(e) => return Err(e.to_string()),
            }
        }
        self.output.clear();
        self.written = 0;
        // A burst's memory is not kept for ever.
        if self.output.capacity() > 64 << 10 {
            self.output = Vec::new();
        }
        Ok(false)
    }
}
