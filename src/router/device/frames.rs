//! Our device with uWSGI's router: packets are framed here.
//!
//! What the kernel sends by itself about a link (listener reports, router solicitations) has a source that no router takes. It stays
//! here: uWSGI's takes the first packet of a peer, whatever that is, for its registration, and closes the connection.

use super::Run;
use crate::kernel::tun::Device;
use crate::router::packet::Packet;
use crate::router::rule::Chain;
use crate::router::settings::{DeviceSettings, Listen, Mode};
use crate::router::switch::is_host;
use crate::router::uwsgi::{
    DEFAULT_MAX, Decoder, Direction, GREETING, Greeting, Kind, PeerRule, encode_header, encode_rules,
};
use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{read, write};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, UCred, sendmsg};
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// How much is put together for one write to the stream, in bytes; the router that does not read is waited for.
const OUTPUT: usize = 64 << 10;

/// Moves packets until the router is gone.
pub(super) fn pump(settings: &DeviceSettings, device: &Device, run: &mut Run<'_>) -> Result<()> {
    let mut stream = super::connect(&settings.router)?;
    if settings.credentials {
        greet(&stream, &settings.router)?;
    }
    let rules = rules(settings)?;
    if !rules.is_empty() {
        stream.write_all(&rules).context("send the rules to the router")?;
    }
    stream.set_nonblocking(true)?;
    (run.attached)()?;
    let mut decoder = Decoder::with_buffer(DEFAULT_MAX, OUTPUT, Greeting::Optional);
    let mut output = Vec::with_capacity(OUTPUT + DEFAULT_MAX);
    while !(run.ended)() {
        // What could not be written yet keeps the device from being read: its own queue is bounded.
        let (mut on_device, mut on_stream) = (PollFlags::POLLIN, PollFlags::POLLIN);
        if !output.is_empty() {
            (on_device, on_stream) = (PollFlags::empty(), on_stream | PollFlags::POLLOUT);
        }
        let mut watched = [PollFd::new(device.as_fd(), on_device), PollFd::new(stream.as_fd(), on_stream)];
        match poll(&mut watched, PollTimeout::from(500_u16)) {
            Err(Errno::EINTR) => continue,
            polled => polled.context("wait for packets")?,
        };
        let ready = watched.map(|fd| fd.revents().is_some_and(|events| !events.is_empty()));
        if ready[0] {
            collect(device, settings.mode, &mut output)?;
        }
        if ready[1] && !deliver(device, &mut stream, &mut decoder)? {
            return Ok(());
        }
        flush(&mut stream, &mut output)?;
    }
    Ok(())
}

/// Reads what the device has, as frames.
fn collect(device: &Device, mode: Mode, output: &mut Vec<u8>) -> Result<()> {
    let mut packet = [0; DEFAULT_MAX];
    while output.len() < OUTPUT {
        match read(device.as_fd(), &mut packet) {
            Ok(length) if mode == Mode::Tun && !is_of_host(&packet[..length]) => {}
            Ok(length) => {
                if let Some(header) = encode_header(Kind::Packet, length) {
                    output.extend_from_slice(&header);
                    output.extend_from_slice(&packet[..length]);
                }
            }
            Err(Errno::EAGAIN | Errno::EINTR | Errno::EIO) => break,
            Err(errno) => bail!("the device is gone ({errno})"),
        }
    }
    Ok(())
}

/// Whether a router can take a packet's source for a peer's.
fn is_of_host(packet: &[u8]) -> bool {
    Packet::parse(packet).is_ok_and(|packet| is_host(packet.source()))
}

/// Writes what came to the device. Whether the router is still there.
fn deliver(device: &Device, stream: &mut UnixStream, decoder: &mut Decoder) -> Result<bool> {
    match stream.read(decoder.space()) {
        Ok(0) => return Ok(false),
        Ok(length) => decoder.filled(length),
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(true),
        Err(e) => return Err(e).context("the connection to the router"),
    }
    while let Some(message) = decoder.message()? {
        if message.kind == Kind::Packet {
            // A device that is down, or what is no packet to it, loses this one.
            let _ = write(device.as_fd(), message.payload);
        }
    }
    Ok(true)
}

fn flush(stream: &mut UnixStream, output: &mut Vec<u8>) -> Result<()> {
    let mut written = 0;
    while written < output.len() {
        match stream.write(&output[written..]) {
            Ok(length) => written += length,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => break,
            Err(e) => return Err(e).context("the connection to the router"),
        }
    }
    output.drain(..written);
    Ok(())
}

/// uWSGI's greeting, with the credentials of this process.
fn greet(stream: &UnixStream, router: &Listen) -> Result<()> {
    if matches!(router, Listen::Tcp(_)) {
        bail!("credentials cannot be sent over TCP");
    }
    let who =
        UCred { pid: rustix::process::getpid(), uid: rustix::process::geteuid(), gid: rustix::process::getegid() };
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    beside.push(SendAncillaryMessage::ScmCredentials(who));
    sendmsg(stream, &[IoSlice::new(&GREETING)], &mut beside, SendFlags::NOSIGNAL).context("greet the router")?;
    Ok(())
}

/// The device's own rules as uWSGI's router takes them.
fn rules(settings: &DeviceSettings) -> Result<Vec<u8>> {
    let of = |direction, chain: &Chain| {
        let end = (!chain.rules.is_empty() || chain.policy != crate::router::rule::Action::Allow)
            .then(|| crate::router::rule::Rule::all(chain.policy));
        let all = chain.rules.iter().cloned().chain(end);
        all.map(|rule| PeerRule::new(direction, &rule)).collect::<Result<Vec<_>, _>>()
    };
    let mut rules = of(Direction::Out, &settings.chain_out).context("a rule that uWSGI does not know")?;
    rules.extend(of(Direction::In, &settings.chain_in).context("a rule that uWSGI does not know")?);
    if rules.is_empty() { Ok(Vec::new()) } else { encode_rules(&rules).context("rules that uWSGI does not know") }
}
