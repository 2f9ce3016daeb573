//! Hosts that connect: who they are, and whether they may be that.

use super::report::{Connected, Report};
use super::{PATIENCE, relay, stream, tls};
use crate::router::daemon::data::{Command, Handle, Member, Tunnel};
use crate::router::daemon::room::{Guest, Room};
use crate::router::rule::{Action, Chain};
use crate::router::settings::Settings;
use crate::router::switch::{Identity, Introduction, Refusal, Remote, RemoteIdentity, Transport};
use crate::router::tunnel::authentication::{Admission, Denial, Proof, authorize};
use crate::router::tunnel::handshake::{Request, Response, Secret, Status};
use crate::router::tunnel::table::Gateway;
use crate::system::secrets;
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use uuid::Builder;

/// How many connections may be on their way in at once.
const ARRIVING: u32 = 256;
/// How long nothing is accepted when there is no room for more connections.
const PAUSE: Duration = Duration::from_millis(100);

/// What everybody passes who connects.
pub(super) struct Gate {
    data: Handle,
    terms: Mutex<Arc<Terms>>,
    room: Arc<Room>,
    /// Who is in, by number.
    inside: Mutex<HashMap<u64, Inside>>,
    report: Arc<Report>,
}

/// By what it is decided.
#[derive(Default)]
pub(super) struct Terms {
    settings: Option<Arc<Settings>>,
    passwords: Vec<Option<Secret>>,
    acceptor: Option<TlsAcceptor>,
}

/// Somebody who is in, and why.
struct Inside {
    member: Member,
    request: Request,
    proof: Proof,
    admission: Admission,
}

impl Gate {
    pub fn new(data: Handle, report: Arc<Report>) -> Self {
        Self { data, terms: Mutex::default(), room: Arc::default(), inside: Mutex::default(), report }
    }

    /// Reads what settings name.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn prepare(&self, settings: &Arc<Settings>) -> Result<Terms> {
        let tunnels = &settings.tunnels;
        let tls = tunnels.server.as_ref().and_then(|server| server.tls.as_ref());
        let word = |user: &Option<(String, PathBuf)>| user.as_ref().map(|(_, path)| password(path)).transpose();
        Ok(Terms {
            settings: Some(Arc::clone(settings)),
            passwords: tunnels.clients.iter().map(|client| word(&client.user)).collect::<Result<_>>()?,
            acceptor: tls.map(tls::acceptor).transpose()?,
        })
    }

    /// Decides by these terms from now on. Who would not be let in by them as it was has to go.
    pub fn open(&self, terms: Terms) {
        let terms = Arc::new(terms);
        *lock(&self.terms) = Arc::clone(&terms);
        lock(&self.inside).values().for_each(|one| self.review(one, &terms));
    }

    /// Keeps somebody who has come in by these terms. If there are others by now, nobody has asked yet whether it may stay by them.
    fn keep(&self, one: Inside, terms: &Arc<Terms>) {
        let mut inside = lock(&self.inside);
        let now = Arc::clone(&lock(&self.terms));
        if !Arc::ptr_eq(&now, terms) {
            self.review(&one, &now);
        }
        inside.insert(one.member.number, one);
    }

    /// Expels somebody who would not be let in by these terms as it was.
    fn review(&self, one: &Inside, terms: &Terms) {
        let settings = terms.settings.as_ref();
        match settings.map(|s| authorize(&s.tunnels, &terms.passwords, &one.request, &one.proof)) {
            Some(Ok(admission)) if admission == one.admission => {}
            Some(Err((_, why))) => self.expel(one, &why),
            _ => self.expel(one, "it is to come in by other terms"),
        }
    }

    fn expel(&self, one: &Inside, why: &str) {
        log::info!("host {} has to go: {why}", one.request.host);
        self.data.send(Command::Leave(one.member));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first line of a file.
pub(super) fn password(path: &Path) -> Result<Secret> {
    let text = std::fs::read(secrets::place(path)).with_context(|| format!("read the password {}", path.display()))?;
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if line.is_empty() || line.len() > 255 {
        anyhow::bail!("the password in {} has {} bytes: 1 to 255 can be said", path.display(), line.len());
    }
    Ok(Secret(line.into()))
}

/// Lets hosts in for ever.
pub(super) async fn accept(listener: TcpListener, gate: Arc<Gate>) {
    let listener = match stream::adopt(listener) {
        Ok(listener) => listener,
        Err(e) => return log::error!("let hosts in: {e}"),
    };
    loop {
        let (stream, from) = match listener.accept().await {
            // A socket for both families tells an address of IPv4 as one of IPv6.
            Ok((stream, from)) => (stream, SocketAddr::new(from.ip().to_canonical(), from.port())),
            Err(e) => {
                log::warn!("let a host in: {e}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let place = match gate.room.enter(Guest::by_tcp(from.ip()), ARRIVING) {
            Ok(place) => place,
            Err(why) => {
                why.iter().for_each(|why| log::warn!("a host at {from} was refused: {why}"));
                continue;
            }
        };
        let gate = Arc::clone(&gate);
        tokio::spawn(async move {
            let came = timeout(PATIENCE, come_in(stream, from, &gate)).await;
            drop(place);
            match came.unwrap_or_else(|_| Err("what it says takes too long".into())) {
                Ok(inside) => inside.stay(&gate).await,
                Err(why) => {
                    log::info!("a host at {from} was refused: {why}");
                    gate.report.refused(from, &why);
                }
            }
        });
    }
}

/// Who has come in, until it is gone.
struct Visit {
    member: Member,
    gone: oneshot::Receiver<String>,
    /// What ciphers for it.
    relay: Option<(Box<tokio_rustls::server::TlsStream<TcpStream>>, tokio::net::UnixStream)>,
    host: String,
    connected: Connected,
}

impl Visit {
    async fn stay(self, gate: &Gate) {
        if let Some((ciphered, near)) = self.relay
            && let Some(why) = relay::relay(ciphered, near).await
        {
            log::info!("host {}: {why}", self.host);
        }
        let _ = self.gone.await;
        drop(self.connected);
        lock(&gate.inside).remove(&self.member.number);
    }
}

async fn come_in(stream: TcpStream, from: SocketAddr, gate: &Gate) -> Result<Visit, String> {
    let terms = Arc::clone(&lock(&gate.terms));
    stream::tune(&stream).map_err(|e| e.to_string())?;
    let socket = stream.as_fd().try_clone_to_owned().ok();
    let connected = |member| gate.report.connected(member, socket);
    let Some(acceptor) = &terms.acceptor else {
        let mut stream = stream;
        let request = heard(&mut stream).await?;
        let judged = judge(&terms, &request, Proof::default(), from);
        let fd = |stream: TcpStream| stream.into_std().map(OwnedFd::from);
        return match judged {
            Ok(judged) => {
                let fd = fd(stream).map_err(|e| e.to_string())?;
                // It is refused over a stream of its own, when the packets' thread is asked.
                let second = fd.try_clone().map_err(|e| e.to_string())?;
                let joined = join(gate, &terms, judged, fd).await;
                match joined {
                    Ok((member, gone)) => {
                        let (host, connected) = (request.host.to_string(), connected(member));
                        Ok(Visit { member, gone, relay: None, host, connected })
                    }
                    Err(denial) => {
                        let second = std::net::TcpStream::from(second);
                        let mut stream = TcpStream::from_std(second).map_err(|e| e.to_string())?;
                        Err(refuse(&mut stream, denial).await)
                    }
                }
            }
            Err(denial) => Err(refuse(&mut stream, denial).await),
        };
    };
    let mut ciphered = acceptor.accept(stream).await.map_err(|e| format!("TLS: {e}"))?;
    let request = heard(&mut ciphered).await?;
    let proof = Proof { certificate: tls::names(ciphered.get_ref().1.peer_certificates()) };
    let judged = match judge(&terms, &request, proof, from) {
        Ok(judged) => judged,
        Err(denial) => return Err(refuse(&mut ciphered, denial).await),
    };
    let (theirs, near) = relay::pair().map_err(|e| e.to_string())?;
    match join(gate, &terms, judged, theirs).await {
        Ok((member, gone)) => {
            let relay = Some((Box::new(ciphered), near));
            Ok(Visit { member, gone, relay, host: request.host.to_string(), connected: connected(member) })
        }
        Err(denial) => Err(refuse(&mut ciphered, denial).await),
    }
}

/// The request; who says something else is told so.
async fn heard<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> Result<Request, String> {
    match stream::request(stream).await {
        Ok(request) => Ok(request),
        Err(why) => Err(refuse(stream, (Status::BadRequest, why)).await),
    }
}

async fn refuse<S: AsyncWrite + Unpin>(stream: &mut S, (status, why): Denial) -> String {
    let response = Response { status, connector: None }.encode();
    let _ = stream.write_all(&response).await;
    let _ = stream.shutdown().await;
    why
}

/// A request that is granted.
struct Judged {
    introduction: Introduction,
    mtu: u32,
    request: Request,
    proof: Proof,
    admission: Admission,
}

fn judge(terms: &Terms, request: &Request, proof: Proof, from: SocketAddr) -> Result<Judged, Denial> {
    let nobody = || (Status::ServiceUnavailable, "no hosts are let in".to_owned());
    let settings = terms.settings.as_ref().ok_or_else(nobody)?;
    let server = settings.tunnels.server.as_ref().ok_or_else(nobody)?;
    let admission = authorize(&settings.tunnels, &terms.passwords, request, &proof)
        .map_err(|(status, why)| (status, format!("host {}: {why}", request.host)))?;
    let client = admission.client.and_then(|at| settings.tunnels.clients.get(at));
    let holder = match client {
        Some(client) => format!("client {}", client.name),
        None => from.ip().to_canonical().to_string(),
    };
    let identity = RemoteIdentity {
        host: request.host.to_string(),
        table: Some(admission.table.to_string()),
        uplink: false,
        at: from,
        certificate: proof.certificate.clone(),
        client: client.map(|client| client.name.clone()),
        encrypted: server.tls.is_some(),
    };
    let remote = Remote {
        table: Some(admission.table.clone()),
        gateway: Gateway::Host(request.host.clone()),
        weight: request.weight,
        instance: request.instance,
        holder,
        range: client.filter(|client| !client.addresses.is_empty()).map(|client| client.addresses.clone()),
        limits: client.and_then(|client| client.limits),
    };
    let open = || Chain { rules: Vec::new(), policy: Action::Allow };
    let introduction = Introduction {
        identity: Identity { remote: Some(Box::new(identity)), ..Identity::default() },
        announced: request.addresses.clone(),
        chains: [open(), open()],
        transport: Transport::Tunnel,
        remote: Some(remote),
    };
    Ok(Judged { introduction, mtu: server.mtu, request: request.clone(), proof, admission })
}

/// Hands a host over to the packets' thread, which says the response first.
async fn join(
    gate: &Gate,
    terms: &Arc<Terms>,
    judged: Judged,
    stream: OwnedFd,
) -> Result<(Member, oneshot::Receiver<String>), Denial> {
    let busy = |why: String| (Status::Other(8), why);
    let mut bits = [0; 16];
    rustix::rand::getrandom(&mut bits, rustix::rand::GetRandomFlags::empty()).map_err(|e| busy(e.to_string()))?;
    let connector = Some(Builder::from_random_bytes(bits).into_uuid());
    let greeting = Response { status: Status::Ok, connector }.encode();
    let who = judged.introduction.identity.to_string();
    let (tell, gone) = oneshot::channel();
    let tunnel = Tunnel { stream, greeting, mtu: judged.mtu, gone: tell };
    let (reply, answer) = oneshot::channel();
    gate.data.send(Command::JoinTunnel(judged.introduction, tunnel, reply));
    let member = match answer.await {
        Ok(Ok(member)) => member,
        Ok(Err(refusal)) => {
            let status = match refusal {
                Refusal::Claimed(..) | Refusal::Connectors(_) => Status::HostUnreachable,
                Refusal::NoTable => Status::ServiceUnavailable,
                _ => Status::Forbidden,
            };
            return Err((status, format!("host {}: {refusal}", judged.request.host)));
        }
        Err(_) => return Err(busy("the router is ending".into())),
    };
    log::info!("peer {} is in: {who}, table {}", member.port.0, judged.admission.table);
    let Judged { request, proof, admission, .. } = judged;
    gate.keep(Inside { member, request, proof, admission }, terms);
    Ok((member, gone))
}
