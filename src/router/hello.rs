//! What our device says to our router, over the same stream as uWSGI's frames: the first byte tells them apart.
//!
//! `systemd-netns/1 ` and the length of a JSON text as four little-endian bytes, then the text; the device's descriptor
//! comes with the first byte (`SCM_RIGHTS`, unix(7)). The answer is the length and a JSON text alike. After that the connection says only
//! that both are there: who reads its end knows that the other is gone.

use super::rule::Chain;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What a greeting begins with.
pub const MAGIC: &[u8; 16] = b"systemd-netns/1 ";
/// How long a JSON text may be, in bytes.
pub const LONGEST: usize = 256 << 10;

/// What the device says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// Addresses that it has.
    pub addresses: Vec<IpAddr>,
    /// Its own rules for what it sends.
    pub chain_out: Chain,
    /// Its own rules for what it is sent.
    pub chain_in: Chain,
}

/// What the router answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It is in.
    Welcome,
    /// It is not, and why.
    Refused(String),
}

/// A text with its length before it, and what a greeting begins with before that.
///
/// # Errors
/// When it is too long.
pub fn encode<T: Serialize>(magic: &[u8], value: &T) -> Result<Vec<u8>, String> {
    let text = serde_json::to_vec(value).map_err(|e| e.to_string())?;
    if text.len() > LONGEST {
        return Err(format!("{} bytes are too many to say, the limit is {LONGEST}", text.len()));
    }
    Ok([magic, &(text.len() as u32).to_le_bytes(), &text].concat())
}

/// How long the text is, by the four bytes before it.
///
/// # Errors
/// When it is too long.
pub fn length(bytes: [u8; 4]) -> Result<usize, String> {
    let length = u32::from_le_bytes(bytes) as usize;
    if length <= LONGEST { Ok(length) } else { Err(format!("{length} bytes are too many, the limit is {LONGEST}")) }
}
