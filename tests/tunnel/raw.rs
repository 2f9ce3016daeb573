//! Hosts and routers that the test itself is: the bytes of gost, and those that nobody should send.

use super::hosts::{PORT, SERVER};
use crate::router::world::within;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// The request of gost's client for host-1, which has 192.168.123.1, without an id: as it was seen.
pub const HOST_1: &str = "0103001c040002000202000701c0a87b01000002000a0306686f73742d310000";

pub fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// A request as gost writes it: of a host with a name and an address, with what else there is at its end.
pub fn request(name: &str, address: [u8; 4], user: Option<(&str, &str)>, id: Option<&str>) -> Vec<u8> {
    let short = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    let feature = |kind: u8, data: &[u8]| [&[kind], &(data.len() as u16).to_be_bytes()[..], data].concat();
    let mut features = Vec::new();
    if let Some((user, password)) = user {
        features.extend(feature(1, &[short(user), short(password)].concat()));
    }
    features.extend(feature(4, &[0, 2]));
    features.extend(feature(2, &[&[1], &address[..], &[0, 0]].concat()));
    features.extend(feature(2, &[&[3], &short(name)[..], &[0, 0]].concat()));
    if let Some(id) = id {
        let id = bytes(&id.replace('-', ""));
        features.extend(feature(3, &[&id[..], &[0; 4]].concat()));
    }
    [&[1, 3], &(features.len() as u16).to_be_bytes()[..], &features].concat()
}

/// A connection to the server.
pub struct Raw(pub TcpStream);

impl Raw {
    /// From a host's namespace.
    pub fn connect(netns: &str) -> Self {
        Self::connect_to(netns, SERVER)
    }

    /// To a router on another host.
    pub fn connect_to(netns: &str, address: &str) -> Self {
        let stream = within(netns, || TcpStream::connect((address, PORT)).expect("the server listens"));
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(stream)
    }

    /// Says a request and gives back the status.
    pub fn ask(&mut self, request: &[u8]) -> u8 {
        self.try_ask(request).expect("a response")
    }

    /// The same; none where the server ends the connection without one.
    pub fn try_ask(&mut self, request: &[u8]) -> Option<u8> {
        self.0.write_all(request).ok()?;
        let mut header = [0; 4];
        self.0.read_exact(&mut header).ok()?;
        let mut rest = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]]))];
        self.0.read_exact(&mut rest).expect("its features");
        assert_eq!(header[0], 1);
        if header[1] == 0 {
            // A random number for the connection.
            assert!(rest.len() >= 19 && rest[..3] == [3, 0, rest.len() as u8 - 3], "{rest:?}");
        }
        Some(header[1])
    }

    /// A host that is in.
    pub fn host(netns: &str, request: &[u8]) -> Self {
        let mut raw = Self::connect(netns);
        assert_eq!(raw.ask(request), 0);
        raw
    }

    pub fn send(&mut self, packet: &[u8]) {
        self.0.write_all(&framed(packet)).expect("the server reads");
    }

    /// The next packet that fits; none when none comes for a while.
    pub fn receive(&mut self, fits: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        self.0.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        receive(&mut self.0, fits)
    }

    /// Whether the server ends the connection.
    pub fn is_closed(&mut self) -> bool {
        self.0.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut rest = vec![0; 65536];
        loop {
            match self.0.read(&mut rest) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(e) => return e.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }
}

pub fn framed(packet: &[u8]) -> Vec<u8> {
    [&(packet.len() as u16).to_be_bytes()[..], packet].concat()
}

pub fn receive(stream: &mut TcpStream, fits: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    loop {
        let mut len = [0; 2];
        stream.read_exact(&mut len).ok()?;
        let mut packet = vec![0; usize::from(u16::from_be_bytes(len))];
        stream.read_exact(&mut packet).expect("the rest of the packet");
        if fits(&packet) {
            return Some(packet);
        }
    }
}

/// A server that the test is.
pub fn listen(netns: &str) -> TcpListener {
    within(netns, || TcpListener::bind((SERVER, PORT)).unwrap())
}
