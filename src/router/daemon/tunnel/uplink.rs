//! Routers that this one connects to: a connection each, made again whenever it is gone.

use super::report::{Connected, Report};
use super::server::password;
use super::{PATIENCE, relay, stream, tls};
use crate::model::ClientSettings;
use crate::router::daemon::data::{Command, Handle, Member, Tunnel};
use crate::router::rule::{Action, Chain};
use crate::router::switch::{Identity, Introduction, Remote, RemoteIdentity, Transport};
use crate::router::tunnel::handshake::{ADDRESSES, Request, Secret, Status, User};
use crate::router::tunnel::name::TableName;
use crate::router::tunnel::settings::{Tunnels, Uplink};
use crate::router::tunnel::table::Gateway;
use anyhow::{Context, Result};
use rustls::pki_types::ServerName;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Handle as Runtime;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What the reason begins with when the other router does not let this one in.
pub(in crate::router) const REFUSED: &str = "the router refused";
/// Between two tries: at first, at most while it has not been gone for long, at most after that, and how long that is.
const FIRST: Duration = Duration::from_millis(100);
const SOON: Duration = Duration::from_secs(1);
const LATE: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_secs(60);
/// How often it is looked whether there is something else to announce.
const LOOK: Duration = Duration::from_secs(1);
/// A connection that held as long as this was a good one.
const GOOD: Duration = Duration::from_secs(10);

/// What an uplink is here.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Role {
    /// What routes call it.
    pub gateway: Gateway,
    /// The table that it is in; none is that of local peers.
    pub table: Option<TableName>,
}

/// An uplink with what its settings name, read.
pub(super) struct Prepared {
    uplink: Uplink,
    role: Role,
    password: Option<Secret>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// Reads what uplinks need.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn prepare(tunnels: &Tunnels) -> Result<BTreeMap<String, Prepared>> {
    let one = |uplink: &Uplink| {
        let role = Role { gateway: Gateway::Uplink(uplink.name.clone()), table: None };
        Ok((uplink.name.to_string(), read(uplink, &role)?))
    };
    tunnels.uplinks.iter().map(one).collect()
}

/// Reads what one uplink needs.
///
/// # Errors
/// As [`prepare`].
pub(super) fn read(uplink: &Uplink, role: &Role) -> Result<Prepared> {
    let client = &uplink.client;
    let prepared = || -> Result<Prepared> {
        Ok(Prepared {
            uplink: uplink.clone(),
            role: role.clone(),
            password: client.user.as_ref().map(|(_, path)| password(path)).transpose()?,
            tls: client.tls.as_ref().map(tls::connector).transpose()?,
        })
    };
    prepared().with_context(|| format!("uplink {}", uplink.name))
}

/// An uplink that is kept; it ends with this.
pub(super) struct Kept {
    client: ClientSettings,
    password: Option<Secret>,
    task: JoinHandle<()>,
}

impl Kept {
    /// Whether it is as it is to be. What it trusts may have changed in its files: that counts when it connects again.
    pub fn is(&self, wanted: &Prepared) -> bool {
        self.client == wanted.uplink.client && self.password == wanted.password
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is told when it is connected, and when not.
pub(super) struct Around {
    pub data: Handle,
    pub joined: Arc<Notify>,
    pub report: Arc<Report>,
}

/// Keeps an uplink.
pub(super) fn keep(prepared: Prepared, around: Around, runtime: &Runtime) -> Kept {
    let (client, password) = (prepared.uplink.client.clone(), prepared.password.clone());
    Kept { client, password, task: runtime.spawn(for_ever(prepared, around)) }
}

async fn for_ever(mut prepared: Prepared, around: Around) {
    let Around { data, joined, report } = &around;
    let name = prepared.uplink.name.clone();
    let mut instance = [0; 16];
    let _ = rustix::rand::getrandom(&mut instance, rustix::rand::GetRandomFlags::empty());
    let (mut pause, mut gone_since, mut told) = (FIRST, Instant::now(), None);
    loop {
        let began = Instant::now();
        let announced = announced(&prepared.uplink, data).await;
        let why = match timeout(PATIENCE * 3, connect(&prepared, instance, &announced, &around)).await {
            Ok(Ok(link)) => {
                log::info!("uplink {name} is connected to {}", prepared.uplink.client.server);
                report.uplink(name.as_str(), None);
                joined.notify_one();
                let why = stay(&prepared, instance, &around, link, announced).await;
                (told, gone_since) = (None, Instant::now());
                if began.elapsed() > GOOD {
                    pause = FIRST;
                }
                why
            }
            Ok(Err(why)) => why,
            Err(_) => "the router does not answer".into(),
        };
        report.uplink(name.as_str(), Some(&why));
        // The same reason is said once.
        if told.as_ref() != Some(&why) {
            log::warn!("uplink {name}: {why}; trying again");
            told = Some(why);
        }
        sleep(jittered(pause)).await;
        // Certificates and passwords may be others now.
        if let Ok(again) = read(&prepared.uplink, &prepared.role) {
            prepared = again;
        }
        let most = if gone_since.elapsed() < LONG { SOON } else { LATE };
        pause = (pause * 2).min(most);
    }
}

/// Until a connection is gone, and why. When there is something else to announce another takes its place, which is the only way to say
/// it: the router lets go of the first when it sees the second, as both have one number.
async fn stay(prepared: &Prepared, instance: [u8; 16], around: &Around, link: Link, mut told: Vec<IpAddr>) -> String {
    let data = &around.data;
    let mut staying = Staying(tokio::spawn(link.stay(data.clone())));
    loop {
        let changed = changed(&prepared.uplink, data, &told);
        let now = tokio::select! {
            why = &mut staying.0 => return why.unwrap_or_else(|e| e.to_string()),
            now = changed => now,
        };
        match timeout(PATIENCE * 3, connect(prepared, instance, &now, around)).await {
            Ok(Ok(link)) => {
                log::info!("uplink {} announces {} addresses now", prepared.uplink.name, now.len());
                staying = Staying(tokio::spawn(link.stay(data.clone())));
                told = now;
            }
            Ok(Err(why)) => log::warn!("uplink {}: announce other addresses: {why}", prepared.uplink.name),
            Err(_) => log::warn!("uplink {}: announce other addresses: no answer", prepared.uplink.name),
        }
    }
}

/// A connection that ends with this.
struct Staying(JoinHandle<String>);

impl Drop for Staying {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What is to be announced, once that is something else.
async fn changed(uplink: &Uplink, data: &Handle, told: &[IpAddr]) -> Vec<IpAddr> {
    if !uplink.announce {
        return std::future::pending().await;
    }
    loop {
        sleep(LOOK).await;
        let now = announced(uplink, data).await;
        if now != told {
            return now;
        }
    }
}

/// The addresses that are to be announced: those of the settings first.
async fn announced(uplink: &Uplink, data: &Handle) -> Vec<IpAddr> {
    let own = uplink.client.addresses.clone();
    if !uplink.announce {
        return own;
    }
    let (reply, answer) = oneshot::channel();
    data.send(Command::Status(reply));
    let Ok(status) = answer.await else { return own };
    let local = status.peers.iter().filter(|peer| peer.identity.remote.is_none());
    let mut local: Vec<IpAddr> = local.flat_map(|peer| peer.addresses.iter().copied()).collect();
    local.sort_unstable();
    local.retain(|address| !own.contains(address));
    own.into_iter().chain(local).take(ADDRESSES).collect()
}

/// Between half of it and all of it, so that those who lost one router do not come back all at once.
fn jittered(pause: Duration) -> Duration {
    let mut bits = [0; 4];
    let _ = rustix::rand::getrandom(&mut bits, rustix::rand::GetRandomFlags::empty());
    let part = f64::from(u32::from_ne_bytes(bits)) / f64::from(u32::MAX);
    pause.mul_f64(0.5 + part / 2.0)
}

/// A connection that has become a peer.
struct Link {
    member: Member,
    gone: oneshot::Receiver<String>,
    relay: Option<(Box<TlsStream<TcpStream>>, UnixStream)>,
    connected: Connected,
}

/// Takes the peer away with the task that kept it.
struct Leave(Handle, Member);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.send(Command::Leave(self.1));
    }
}

impl Link {
    /// Until it is gone, and why.
    async fn stay(self, data: Handle) -> String {
        let (_leave, _connected) = (Leave(data, self.member), self.connected);
        let ciphers = match self.relay {
            Some((ciphered, near)) => relay::relay(ciphered, near).await,
            None => None,
        };
        let why = self.gone.await.unwrap_or_else(|_| "it is gone".into());
        ciphers.unwrap_or(why)
    }
}

async fn connect(
    prepared: &Prepared,
    instance: [u8; 16],
    announced: &[IpAddr],
    around: &Around,
) -> Result<Link, String> {
    let (data, report) = (&around.data, &around.report);
    let client = &prepared.uplink.client;
    let mut stream = stream::connect(&client.server).await?;
    let socket = stream.as_fd().try_clone_to_owned().ok();
    let at = stream.peer_addr().map_err(|e| e.to_string())?;
    let request = request(client, prepared.password.as_ref(), instance, announced);
    let Some((connector, name)) = &prepared.tls else {
        welcome(stream::ask(&mut stream, &request).await?.status)?;
        let fd = stream.into_std().map(OwnedFd::from).map_err(|e| e.to_string())?;
        let (member, gone) = join(prepared, at, Vec::new(), fd, data).await?;
        return Ok(Link { member, gone, relay: None, connected: report.connected(member, socket) });
    };
    let ciphered = connector.connect(name.clone(), stream).await;
    let mut ciphered = ciphered.map_err(|e| format!("TLS with {at}: {e}"))?;
    welcome(stream::ask(&mut ciphered, &request).await?.status)?;
    let names = tls::names(ciphered.get_ref().1.peer_certificates());
    let (theirs, near) = relay::pair().map_err(|e| e.to_string())?;
    let (member, gone) = join(prepared, at, names, theirs, data).await?;
    let relay = Some((Box::new(ciphered), near));
    Ok(Link { member, gone, relay, connected: report.connected(member, socket) })
}

fn request(client: &ClientSettings, password: Option<&Secret>, instance: [u8; 16], announced: &[IpAddr]) -> Request {
    let user = client.user.as_ref().zip(password);
    Request {
        user: user.map(|((name, _), password)| User { name: name.as_bytes().into(), password: password.clone() }),
        host: client.host.clone(),
        addresses: announced.to_vec(),
        id: client.id,
        weight: client.weight,
        instance: Some(instance),
    }
}

fn welcome(status: Status) -> Result<(), String> {
    if status == Status::Ok { Ok(()) } else { Err(format!("{REFUSED}: {status}")) }
}

/// Hands the connection over to the packets' thread.
async fn join(
    prepared: &Prepared,
    at: SocketAddr,
    certificate: Vec<String>,
    stream: OwnedFd,
    data: &Handle,
) -> Result<(Member, oneshot::Receiver<String>), String> {
    let (uplink, role) = (&prepared.uplink, &prepared.role);
    let identity = RemoteIdentity {
        host: uplink.name.to_string(),
        table: role.table.as_ref().map(ToString::to_string),
        uplink: true,
        at,
        certificate,
        client: None,
        encrypted: uplink.client.tls.is_some(),
    };
    let remote = Remote {
        table: role.table.clone(),
        gateway: role.gateway.clone(),
        weight: 0,
        instance: None,
        holder: format!("uplink {}", uplink.name),
        range: None,
        limits: None,
    };
    let open = || Chain { rules: Vec::new(), policy: Action::Allow };
    let introduction = Introduction {
        identity: Identity { remote: Some(Box::new(identity)), ..Identity::default() },
        announced: Vec::new(),
        chains: [open(), open()],
        transport: Transport::Tunnel,
        remote: Some(remote),
    };
    let (tell, gone) = oneshot::channel();
    let tunnel = Tunnel { stream, greeting: Vec::new(), mtu: uplink.client.mtu, gone: tell };
    let (reply, answer) = oneshot::channel();
    data.send(Command::JoinTunnel(introduction, tunnel, reply));
    let member = answer.await.map_err(|_| "the router is ending".to_owned())?;
    Ok((member.map_err(|refusal| refusal.to_string())?, gone))
}
