//! What a link was given, and that it was.

use super::directory;
use crate::model::{Address, Instance, Resolv, Route};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::net::IpAddr;

/// What a link was given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lease {
    /// An address of it, to be shown; also where the client sets it by itself.
    pub shown: Option<IpAddr>,
    /// Addresses that this program gives the link. dhcpcd does that by itself.
    pub addresses: Vec<Leased>,
    /// Routes that this program sets.
    pub routes: Vec<Route>,
    /// The link's MTU.
    pub mtu: Option<u32>,
    /// Name servers and search domains.
    pub resolv: Resolv,
}

/// An address for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leased {
    /// The address.
    pub address: Address,
    /// For how many seconds it is valid.
    pub valid: u32,
}

impl Lease {
    /// What a link has now; none when it has nothing.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn read(instance: &Instance) -> Result<Option<Self>> {
        let path = directory(instance).join("lease.json");
        match fs::read(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            text => {
                let text = text.with_context(|| format!("read {}", path.display()))?;
                serde_json::from_slice(&text).map(Some).with_context(|| format!("{} is damaged", path.display()))
            }
        }
    }

    /// Writes down what a link has from now on.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(instance: &Instance, lease: Option<&Self>) -> Result<()> {
        let path = directory(instance).join("lease.json");
        let Some(lease) = lease else {
            return match fs::remove_file(&path) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    Err(e).with_context(|| format!("remove {}", path.display()))
                }
                _ => Ok(()),
            };
        };
        let (new, text) = (path.with_extension("new"), serde_json::to_vec(lease).context("write a lease")?);
        let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &path));
        written.with_context(|| format!("write {}", path.display()))
    }

    /// The end of a sentence: `: 192.0.2.7`, or nothing.
    pub fn summary(&self) -> String {
        self.shown.map_or_else(String::new, |ip| format!(": {ip}"))
    }
}
