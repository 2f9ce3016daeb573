//! A peer that the test itself is: uWSGI's frames over the router's socket, with packets as it likes.

use super::world::SOCKET;
use std::io::{Read, Write};
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

pub struct Peer {
    pub stream: UnixStream,
}

impl Peer {
    pub fn connect() -> Self {
        UnixStream::connect(SOCKET).expect("the router listens").into()
    }

    /// One that has said that an address is its own.
    pub fn with(address: &str) -> Self {
        let mut peer = Self::connect();
        peer.send(&udp(address, "203.0.113.9", 9, 9, b"here"));
        peer
    }

    /// Whether the router closes the connection of one that sends a packet.
    pub fn speaks_and_is_closed() -> bool {
        Self::with("192.168.0.250").is_closed()
    }

    /// uWSGI's greeting, with these credentials of this process.
    pub fn greet(&mut self, uid: u32, gid: u32) {
        use nix::sys::socket::{ControlMessage, MsgFlags, UnixCredentials, sendmsg};
        let who = UnixCredentials::from(nix::libc::ucred { pid: std::process::id() as i32, uid, gid });
        let parts = [std::io::IoSlice::new(b"uwsgi-tuntap")];
        let beside = [ControlMessage::ScmCredentials(&who)];
        sendmsg::<()>(self.stream.as_raw_fd(), &parts, &beside, MsgFlags::empty(), None).expect("it is sent");
    }

    pub fn send(&mut self, packet: &[u8]) {
        self.try_send(packet).expect("the router takes it");
    }

    pub fn try_send(&mut self, packet: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(&frame(0, packet))
    }

    /// The next packet that fits, none when none comes for long.
    pub fn receive(&mut self, fits: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        loop {
            let mut header = [0; 4];
            self.stream.read_exact(&mut header).ok()?;
            let mut packet = vec![0; usize::from(u16::from_le_bytes([header[1], header[2]]))];
            self.stream.read_exact(&mut packet).expect("the rest of the frame");
            if fits(&packet) {
                return Some(packet);
            }
        }
    }

    /// Whether the router has closed the connection, or does so now.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = vec![0; 65536];
        loop {
            match self.stream.read(&mut rest) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(e) => return e.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }
}

impl From<UnixStream> for Peer {
    fn from(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { stream }
    }
}

/// A frame as uWSGI sends it.
pub fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let [low, high] = (payload.len() as u16).to_le_bytes();
    [&[0, low, high, kind][..], payload].concat()
}

/// A UDP packet of either family, with right checksums.
pub fn udp(from: &str, to: &str, source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let length = 8 + payload.len() as u16;
    let header = [source.to_be_bytes(), destination.to_be_bytes(), length.to_be_bytes(), [0, 0]].concat();
    ip(from, to, 17, &[&header, payload].concat(), Some(6))
}

/// The first packet of a TCP connection.
pub fn syn(from: &str, to: &str, source: u16, destination: u16) -> Vec<u8> {
    let ports = [source.to_be_bytes(), destination.to_be_bytes()].concat();
    let rest = [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0];
    ip(from, to, 6, &[&ports[..], &rest].concat(), Some(16))
}

/// An echo request.
pub fn echo(from: &str, to: &str) -> Vec<u8> {
    if from.contains(':') {
        ip(from, to, 58, &[128, 0, 0, 0, 0, 1, 0, 1, 1, 2, 3, 4], Some(2))
    } else {
        let mut message = [8, 0, 0, 0, 0, 1, 0, 1, 1, 2, 3, 4];
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum);
        ip(from, to, 1, &message, None)
    }
}

/// Whether a packet answers one of [`echo`].
pub fn is_reply(packet: &[u8]) -> bool {
    match packet.first().map(|byte| byte >> 4) {
        Some(4) => packet.get(9) == Some(&1) && packet.get(20) == Some(&0),
        Some(6) => packet.get(6) == Some(&58) && packet.get(40) == Some(&129),
        _ => false,
    }
}

/// The source of a packet.
pub fn source(packet: &[u8]) -> IpAddr {
    if packet[0] >> 4 == 4 {
        <[u8; 4]>::try_from(&packet[12..16]).unwrap().into()
    } else {
        <[u8; 16]>::try_from(&packet[8..24]).unwrap().into()
    }
}

/// An IP packet; `place` is where its transport has a checksum with the pseudo-header.
pub fn ip(from: &str, to: &str, protocol: u8, transport: &[u8], place: Option<usize>) -> Vec<u8> {
    let (from, to): (IpAddr, IpAddr) = (from.parse().unwrap(), to.parse().unwrap());
    let length = transport.len() as u16;
    let (mut packet, addresses) = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let [high, low] = (20 + length).to_be_bytes();
            let start = [0x45, 0, high, low, 0, 1, 0, 0, 64, protocol, 0, 0];
            let mut header = [&start[..], &from.octets(), &to.octets()].concat();
            let sum = checksum(&header);
            header[10..12].copy_from_slice(&sum);
            (header, [from.octets(), to.octets()].concat())
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let [high, low] = length.to_be_bytes();
            let start = [0x60, 0, 0, 0, high, low, protocol, 64];
            ([&start[..], &from.octets(), &to.octets()].concat(), [from.octets(), to.octets()].concat())
        }
        _ => panic!("addresses of two families"),
    };
    let mut transport = transport.to_vec();
    if let Some(place) = place {
        let pseudo = [&addresses[..], &length.to_be_bytes(), &[0, protocol], &transport].concat();
        transport[place..place + 2].copy_from_slice(&checksum(&pseudo));
    }
    packet.extend(transport);
    packet
}

/// RFC 1071.
pub fn checksum(bytes: &[u8]) -> [u8; 2] {
    let word = |two: &[u8]| u32::from(two[0]) << 8 | u32::from(two.get(1).copied().unwrap_or(0));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}
