//! The texts of uWSGI's tuntap options. Firewall rules are [`Rule`](crate::router::rule::Rule)s, device rules [`PeerRule`](super::PeerRule)s.

use super::peer_rule::target;
use crate::model::LinkName;
use crate::router::rule::{Mistake, Network, Word, Words, network, shown};
use crate::router::settings::Listen;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::str::FromStr;

/// The longest path of a unix socket, in bytes: `sun_path` (`unix(7)`) less its NUL.
const MAX_PATH: usize = 107;

/// `tuntap-router`: `<device> <socket> [stats] [gateway]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RouterOption {
    /// The router's own device.
    pub device: LinkName,
    /// Where peers connect.
    pub socket: Listen,
    /// Where statistics are told.
    pub statistics: Option<Listen>,
    /// Where other routers send packets by UDP.
    pub gateway: Option<SocketAddrV4>,
}

impl FromStr for RouterOption {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<Self, Mistake> {
        let mut words = Words::new(text);
        let option = Self {
            device: device(words.expect("the device")?)?,
            socket: listen(words.expect("the socket")?)?,
            statistics: words.next().map(listen).transpose()?,
            gateway: words.next().map(gateway).transpose()?,
        };
        words.finish()?;
        Ok(option)
    }
}

/// `tuntap-device`: `<device>[ <socket>]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeviceOption {
    /// The device in the namespace.
    pub device: LinkName,
    /// The router's socket; where there is none the device is only made.
    pub socket: Option<Listen>,
}

impl FromStr for DeviceOption {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<Self, Mistake> {
        let mut words = Words::new(text);
        let device = device(words.expect("the device")?)?;
        let option = Self { device, socket: words.next().map(listen).transpose()? };
        words.finish()?;
        Ok(option)
    }
}

/// `tuntap-router-route`: `<src/mask> <dst/mask> <gateway>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RouteOption {
    /// Where from.
    pub source: Network,
    /// Where to.
    pub destination: Network,
    /// Whom such packets are sent to by UDP.
    pub gateway: SocketAddrV4,
}

impl FromStr for RouteOption {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<Self, Mistake> {
        let mut words = Words::new(text);
        let option = Self {
            source: network(words.expect("the source")?)?,
            destination: network(words.expect("the destination")?)?,
            gateway: target(words.expect("the gateway")?)?,
        };
        words.finish()?;
        Ok(option)
    }
}

/// `tuntap-use-credentials`: whether peers have to tell theirs. uWSGI also takes the name of a C function.
///
/// # Errors
/// When it is such a name.
pub fn credentials(text: &str) -> Result<bool, Mistake> {
    match text.trim() {
        "" | "true" => Ok(true),
        name => {
            let at = text.len() - text.trim_start().len();
            let mistake = Mistake::new(Word { at, text: name }, format!("no function `{}` to ask", shown(name)));
            Err(mistake.help("`true`; who may have which address is told in the router's own configuration"))
        }
    }
}

fn device(word: Word<'_>) -> Result<LinkName, Mistake> {
    unquoted(word)?.text.parse().map_err(|error: crate::model::NameError| Mistake::new(word, error.to_string()))
}

/// A socket: a path, `@NAME` for an abstract one, `ADDRESS:PORT` or `:PORT` for TCP.
///
/// # Errors
/// When it is none of these.
pub fn listen(word: Word<'_>) -> Result<Listen, Mistake> {
    let text = unquoted(word)?.text;
    let is_path = text.starts_with(['/', '@']) || !text.contains(':');
    if !is_path {
        return tcp(text).map(Listen::Tcp).ok_or_else(|| {
            let mistake = Mistake::new(word, format!("`{}` is no address of a socket", shown(text)));
            mistake.help("write a path, @NAME, ADDRESS:PORT, [ADDRESS]:PORT or :PORT")
        });
    }
    if text == "@" || text.len() > MAX_PATH {
        return Err(Mistake::new(word, format!("a socket's name has at most {MAX_PATH} bytes, and at least one")));
    }
    Ok(Listen::Unix(PathBuf::from(text)))
}

fn tcp(text: &str) -> Option<SocketAddr> {
    let every = |port: &str| Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port.parse().ok()?)));
    let address = text.strip_prefix(':').map_or_else(|| text.parse().ok(), every)?;
    (address.port() != 0).then_some(address)
}

/// Where a gateway listens: `ADDRESS:PORT`, or `:PORT` for every address.
fn gateway(word: Word<'_>) -> Result<SocketAddrV4, Mistake> {
    match tcp(word.text) {
        Some(SocketAddr::V4(address)) => Ok(address),
        _ => target(word),
    }
}

/// uWSGI takes quotes and backslashes for itself, so that a name that has any would mean something else.
fn unquoted(word: Word<'_>) -> Result<Word<'_>, Mistake> {
    if word.text.contains(['"', '\'', '\\']) {
        return Err(Mistake::new(word, "quotes and backslashes are not understood").help("write names that need none"));
    }
    Ok(word)
}
