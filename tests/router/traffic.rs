//! TCP and UDP between namespaces: every byte is compared. An empty name is the router's namespace.

use super::world::within;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::sync::mpsc::channel;
use std::thread::Scope;
use std::time::Duration;

/// Far more than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes by chance, the same each time.
pub struct Noise(u64);

impl Noise {
    pub fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        for eight in bytes.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            eight.copy_from_slice(&self.0.to_ne_bytes()[..eight.len()]);
        }
    }
}

/// Does something in a namespace, or here.
pub fn at<T: Send>(netns: &str, inside: impl FnOnce() -> T + Send) -> T {
    if netns.is_empty() { inside() } else { within(netns, inside) }
}

const PIECE: usize = 64 << 10;

pub fn send(stream: &mut TcpStream, bytes: usize) {
    let (mut noise, mut piece) = (Noise::new(), vec![0; PIECE]);
    for _ in 0..bytes / PIECE {
        noise.fill(&mut piece);
        stream.write_all(&piece).expect("it takes what is sent");
    }
}

pub fn receive(stream: &mut TcpStream, bytes: usize) {
    let (mut noise, mut wanted, mut piece) = (Noise::new(), vec![0; PIECE], vec![0; PIECE]);
    for number in 0..bytes / PIECE {
        noise.fill(&mut wanted);
        stream.read_exact(&mut piece).unwrap_or_else(|e| panic!("piece {number}: {e}"));
        assert!(piece == wanted, "piece {number} is not what was sent");
    }
}

pub fn patient(stream: &TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
}

/// A connection from one namespace to an address that another one has: both ends.
pub fn connection(from: &str, to: &str, address: &str) -> (TcpStream, TcpStream) {
    let address: IpAddr = address.parse().unwrap();
    let listener = at(to, || TcpListener::bind((address, 0)).expect("the address is there"));
    let there = listener.local_addr().unwrap();
    let stream = at(from, || TcpStream::connect_timeout(&there, PATIENCE).expect("it connects"));
    let (other, _) = listener.accept().unwrap();
    patient(&stream);
    patient(&other);
    (stream, other)
}

/// Sends bytes over a TCP connection, and as many back.
#[track_caller]
pub fn transfer(from: &str, to: &str, address: &str, bytes: usize) {
    let (mut client, mut server) = connection(from, to, address);
    std::thread::scope(|scope| {
        let served = scope.spawn(|| {
            receive(&mut server, bytes);
            send(&mut server, bytes);
        });
        send(&mut client, bytes);
        receive(&mut client, bytes);
        served.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

/// A transfer that goes on in the background: pieces are asked for one by one.
pub struct Stream {
    ask: std::sync::mpsc::Sender<usize>,
    told: std::sync::mpsc::Receiver<()>,
}

impl Stream {
    /// Over a connection, on threads of the scope.
    pub fn start<'s>(scope: &'s Scope<'s, '_>, from: &str, to: &str, address: &str) -> Self {
        let (mut client, mut server) = connection(from, to, address);
        let (ask, asked) = channel::<usize>();
        let (tell, told) = channel();
        scope.spawn(move || {
            for bytes in asked {
                std::thread::scope(|scope| {
                    scope.spawn(|| send(&mut client, bytes));
                    receive(&mut server, bytes);
                });
                let _ = tell.send(());
            }
        });
        Self { ask, told }
    }

    pub fn begin(&self, bytes: usize) {
        self.ask.send(bytes).unwrap();
    }

    /// Waits for what was begun.
    #[track_caller]
    pub fn end(&self) {
        self.told.recv_timeout(PATIENCE * 2).expect("what was sent arrives");
    }
}

/// Datagrams there and back, one after another; one that is lost is sent again.
#[track_caller]
pub fn datagrams(from: &str, to: &str, address: &str, size: usize, count: usize) {
    let address: IpAddr = address.parse().unwrap();
    let server = at(to, || UdpSocket::bind((address, 0)).expect("the address is there"));
    let there = server.local_addr().unwrap();
    let client = at(from, || connected(there));
    server.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let (mut noise, mut piece, mut buffer) = (Noise::new(), vec![0; size], vec![0; 65536]);
    for number in 0..count {
        noise.fill(&mut piece);
        let mut there_and_back = || {
            client.send(&piece).ok()?;
            let (length, sender) = server.recv_from(&mut buffer).ok()?;
            assert!(buffer[..length] == piece, "datagram {number} is not what was sent");
            server.send_to(&piece, sender).ok()?;
            let length = client.recv(&mut buffer).ok()?;
            assert!(buffer[..length] == piece, "datagram {number} did not come back as it was sent");
            Some(())
        };
        assert!((0..5).any(|_| there_and_back().is_some()), "datagram {number} is lost");
    }
}

/// A UDP socket of the namespace that this runs in.
pub fn connected(there: SocketAddr) -> UdpSocket {
    let any: SocketAddr = if there.is_ipv4() { "0.0.0.0:0".parse().unwrap() } else { "[::]:0".parse().unwrap() };
    let socket = UdpSocket::bind(any).unwrap();
    socket.connect(there).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    socket
}

/// One super-packet (`UDP_SEGMENT`, udp(7)), which arrives as so many datagrams.
#[track_caller]
pub fn segmented(from: &str, to: &str, address: &str, size: u16, count: usize) {
    let address: IpAddr = address.parse().unwrap();
    let server = at(to, || UdpSocket::bind((address, 0)).expect("the address is there"));
    server.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let client = at(from, || connected(server.local_addr().unwrap()));
    let kind = nix::sys::socket::sockopt::UdpGsoSegment;
    nix::sys::socket::setsockopt(&client.as_fd(), kind, &i32::from(size)).expect("UDP_SEGMENT");
    let mut whole = vec![0; usize::from(size) * count];
    Noise::new().fill(&mut whole);
    let mut buffer = vec![0; 65536];
    let all_come = |buffer: &mut [u8]| {
        match client.send(&whole).map_err(|e| e.raw_os_error()) {
            Err(Some(nix::libc::EIO)) => {
                eprintln!("SKIPPED: no super-packets: this kernel sends none by a device that computes no checksums");
                return true;
            }
            sent => drop(sent.expect("it is sent")),
        }
        whole.chunks(size.into()).all(|wanted| {
            let Ok(length) = server.recv(buffer) else { return false };
            assert!(buffer[..length] == *wanted, "a datagram is not what was sent");
            true
        })
    };
    assert!((0..5).any(|_| all_come(&mut buffer)), "not all datagrams came");
}
