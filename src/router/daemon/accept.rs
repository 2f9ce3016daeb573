//! Who connects, and what is said before there are packets.

use super::Connections;
use super::data::{Command, Handle, Member};
use super::listen::Listener;
use super::room::{Guest, Place, Room};
use crate::kernel::netns::Identity as Namespace;
use crate::kernel::tun::{Device, is_in};
use crate::model::NetnsName;
use crate::router::hello::{Answer, Hello, LONGEST, MAGIC, encode, length};
use crate::router::rule::{Action, Chain};
use crate::router::settings::{Mode, Settings, Who};
use crate::router::switch::{Credentials, Identity, Introduction, Refusal, Transport};
use crate::router::uwsgi;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixCredentials};
use rustix::cmsg_space;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recv, recvmsg, sockopt};
use std::fs;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::sync::oneshot;

/// How long a greeting may take from its first byte on.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long nothing is accepted when there is no room for more connections.
const PAUSE: Duration = Duration::from_millis(100);

/// What everybody who comes in passes.
pub(super) struct Door {
    data: Handle,
    connections: Connections,
    settings: Mutex<Arc<Settings>>,
    room: Arc<Room>,
}

impl Door {
    pub fn new(data: Handle, connections: Connections, settings: Arc<Settings>) -> Self {
        Self { data, connections, settings: Mutex::new(settings), room: Arc::default() }
    }

    pub fn reload(&self, settings: Arc<Settings>) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Lets peers in for ever.
pub(super) async fn accept(listener: Listener, door: Arc<Door>) {
    loop {
        let came = match &listener {
            Listener::Unix(listener, _) => listener.accept().await.and_then(|(stream, _)| of_user(stream)),
            Listener::Tcp(listener) => listener.accept().await.and_then(|(stream, from)| of_host(stream, from.ip())),
        };
        let (stream, guest) = match came {
            Ok(came) => came,
            Err(e) => {
                log::warn!("accept a connection: {e}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let place = match door.room.enter(guest, door.settings().limits.peers) {
            Ok(place) => place,
            Err(why) => {
                why.iter().for_each(|why| log::warn!("a connection was refused: {why}"));
                continue;
            }
        };
        let door = Arc::clone(&door);
        let is_unix = matches!(listener, Listener::Unix(..));
        tokio::spawn(async move {
            match come_in(stream, is_unix, place, &door).await {
                Ok(Some(inside)) => inside.stay(&door).await,
                Ok(None) => {}
                Err(why) => log::info!("a connection was refused: {why}"),
            }
        });
    }
}

fn of_user(stream: UnixStream) -> io::Result<(UnixStream, Guest)> {
    let uid = stream.peer_cred()?.uid();
    Ok((stream, Guest::User(uid)))
}

/// A TCP stream by the same type: only its descriptor is used.
fn of_host(stream: tokio::net::TcpStream, from: IpAddr) -> io::Result<(UnixStream, Guest)> {
    stream.set_nodelay(true)?;
    let stream = UnixStream::from_std(std::os::unix::net::UnixStream::from(OwnedFd::from(stream.into_std()?)))?;
    Ok((stream, Guest::by_tcp(from)))
}

/// A peer that passed its device, and its connection.
struct Inside {
    stream: UnixStream,
    member: Member,
}

impl Inside {
    /// Until either end closes the connection.
    async fn stay(mut self, door: &Door) {
        let (close, closed) = oneshot::channel();
        lock(&door.connections).insert(self.member.number, close);
        let mut rest = [0; 256];
        let watch = async { while self.stream.read(&mut rest).await.is_ok_and(|length| length > 0) {} };
        tokio::select! {
            () = watch => {
                lock(&door.connections).remove(&self.member.number);
                log::info!("peer {} is gone", self.member.port.0);
                door.data.send(Command::Leave(self.member));
            }
            _ = closed => {}
        }
    }
}

fn lock(connections: &Connections) -> std::sync::MutexGuard<'_, std::collections::HashMap<u64, oneshot::Sender<()>>> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a peer says first; none when it frames packets and all else is the packets' thread's business.
async fn come_in(stream: UnixStream, is_unix: bool, place: Place, door: &Door) -> Result<Option<Inside>, String> {
    let settings = door.settings();
    let mut who = Identity::default();
    if is_unix {
        let peer = stream.peer_cred().map_err(|e| e.to_string())?;
        who.credentials = Some(Credentials { pid: peer.pid().unwrap_or(0), uid: peer.uid(), gid: peer.gid() });
        sockopt::set_socket_passcred(&stream, settings.credentials).map_err(|e| e.to_string())?;
    }
    // As long as it likes: who frames packets may have none yet.
    let kind = peek(&stream).await?;
    let said = async {
        match kind {
            Some(b's') => greet(stream, who, place, &settings, door).await.map(Some),
            Some(_) => frames(stream, who, place, &settings, door).await.map(|()| None),
            None => Ok(None),
        }
    };
    tokio::time::timeout(PATIENCE, said).await.map_err(|_| "its greeting took too long".to_owned())?
}

/// The first byte, which stays; none at the end.
async fn peek(stream: &UnixStream) -> Result<Option<u8>, String> {
    let mut byte = [0];
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let look = || Ok(recv(stream, &mut byte, flags)?.0);
    let length = stream.async_io(Interest::READABLE, look).await.map_err(|e| e.to_string())?;
    Ok((length > 0).then_some(byte[0]))
}

/// Reads up to so many bytes, and the first descriptor that comes beside them.
async fn receive_descriptor(stream: &UnixStream, most: usize) -> Result<(Vec<u8>, Option<OwnedFd>), String> {
    let read = || -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
        let mut buffer = vec![0; most];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(4))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let read = recvmsg(stream, &mut [IoSliceMut::new(&mut buffer)], &mut beside, flags)?;
        let mut descriptor = None;
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                // Each is ours now; all but the first are closed.
                descriptor = fds.fold(descriptor, |kept: Option<OwnedFd>, fd| kept.or(Some(fd)));
            }
        }
        buffer.truncate(read.bytes);
        Ok((buffer, descriptor))
    };
    stream.async_io(Interest::READABLE, read).await.map_err(|e| e.to_string())
}

/// Reads up to so many bytes, and the credentials that come beside them; descriptors are not taken.
///
/// By nix: a process of another PID namespace has the number 0 here, which rustix' type for it cannot hold.
async fn receive_credentials(stream: &UnixStream, most: usize) -> Result<(Vec<u8>, Option<Credentials>), String> {
    let read = || -> io::Result<(Vec<u8>, Option<Credentials>)> {
        let mut buffer = vec![0; most];
        let mut space = nix::cmsg_space!(UnixCredentials);
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
        let read = nix::sys::socket::recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
        let found = read.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::ScmCredentials(found) => Some(found),
            _ => None,
        });
        let length = read.bytes;
        buffer.truncate(length);
        Ok((buffer, found.map(|found| Credentials { pid: found.pid(), uid: found.uid(), gid: found.gid() })))
    };
    stream.async_io(Interest::READABLE, read).await.map_err(|e| e.to_string())
}

/// Our device's greeting.
async fn greet(
    mut stream: UnixStream,
    mut who: Identity,
    place: Place,
    settings: &Settings,
    door: &Door,
) -> Result<Inside, String> {
    if settings.credentials {
        // What the kernel says of the connection will do, and only the device is to come beside the greeting.
        sockopt::set_socket_passcred(&stream, false).map_err(|e| e.to_string())?;
    }
    let (mut bytes, descriptor) = receive_descriptor(&stream, MAGIC.len() + 4).await?;
    let start = bytes.len();
    bytes.resize(MAGIC.len() + 4, 0);
    stream.read_exact(&mut bytes[start..]).await.map_err(|e| e.to_string())?;
    let (magic, size) = bytes.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err("what it says first is no greeting".into());
    }
    let mut text = vec![0; length(size.try_into().unwrap_or_default())?.min(LONGEST)];
    stream.read_exact(&mut text).await.map_err(|e| e.to_string())?;
    let joined = join(&text, descriptor, &mut who, place, settings, door).await;
    let answer = match &joined {
        Ok(_) => Answer::Welcome,
        Err(why) => Answer::Refused(why.clone()),
    };
    let answer = encode(&[], &answer)?;
    let written = stream.write_all(&answer).await;
    let member = joined?;
    if let Err(e) = written {
        door.data.send(Command::Leave(member));
        return Err(e.to_string());
    }
    log::info!("peer {} is in: {who}", member.port.0);
    Ok(Inside { stream, member })
}

async fn join(
    text: &[u8],
    descriptor: Option<OwnedFd>,
    who: &mut Identity,
    place: Place,
    settings: &Settings,
    door: &Door,
) -> Result<Member, String> {
    let hello: Hello = serde_json::from_slice(text).map_err(|e| format!("its greeting is damaged: {e}"))?;
    let device = Device::adopt(descriptor.ok_or("it passed no device")?).map_err(|e| e.to_string())?;
    if device.features().tap != (settings.mode == Mode::Tap) {
        return Err("its device is of the other layer (tun and tap)".into());
    }
    if let Ok(namespace) = device.namespace() {
        who.netns = names(settings, |name| is_in(namespace, name));
    }
    let introduction = Introduction {
        identity: who.clone(),
        announced: hello.addresses,
        chains: [hello.chain_out, hello.chain_in],
        transport: Transport::Descriptor,
        remote: None,
    };
    ask(door, |reply| Command::JoinDevice(introduction, device, place, reply)).await
}

/// The namespaces that rules name and that fit.
fn names(settings: &Settings, fits: impl Fn(&NetnsName) -> bool) -> Vec<NetnsName> {
    let named = settings.admit.iter().filter_map(|rule| match &rule.who {
        Who::Netns(name) => Some(name),
        _ => None,
    });
    named.filter(|name| fits(name)).cloned().collect()
}

async fn ask(
    door: &Door,
    command: impl FnOnce(oneshot::Sender<Result<Member, Refusal>>) -> Command,
) -> Result<Member, String> {
    let (reply, answer) = oneshot::channel();
    door.data.send(command(reply));
    answer.await.map_err(|_| "the router is ending".to_owned())?.map_err(|refusal| refusal.to_string())
}

/// Frames, as uWSGI's device sends them.
async fn frames(
    stream: UnixStream,
    mut who: Identity,
    place: Place,
    settings: &Settings,
    door: &Door,
) -> Result<(), String> {
    if settings.credentials {
        let (first, credentials) = receive_credentials(&stream, uwsgi::GREETING.len()).await?;
        if first != uwsgi::GREETING {
            return Err("it does not begin with its credentials".into());
        }
        who.credentials = Some(credentials.ok_or("it sent no credentials")?);
    }
    if let Some(namespace) = who.credentials.and_then(|who| namespace_of(who.pid)) {
        who.netns = names(settings, |name| is_in(namespace, name));
    }
    let open = || Chain { rules: Vec::new(), policy: Action::Allow };
    let introduction = Introduction {
        identity: who.clone(),
        announced: Vec::new(),
        chains: [open(), open()],
        transport: Transport::Frames,
        remote: None,
    };
    let stream = stream.into_std().map_err(|e| e.to_string())?;
    let fd = stream.as_fd().try_clone_to_owned().map_err(|e| e.to_string())?;
    let member = ask(door, |reply| Command::JoinFrames(introduction, fd, place, reply)).await?;
    log::info!("peer {} is in, by frames: {who}", member.port.0);
    Ok(())
}

/// The namespace of a process; none where that may not be known.
fn namespace_of(pid: i32) -> Option<Namespace> {
    Some(Namespace::from(&fs::metadata(format!("/proc/{pid}/ns/net")).ok()?))
}
