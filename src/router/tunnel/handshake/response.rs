//! What a server answers to a request.

use super::{Features, HEADER, Mistake, TUNNEL, feature, message, rest};
use std::fmt;
use uuid::Uuid;

/// What a server answers. The names are those of gost's relay protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is in.
    Ok,
    /// The request cannot be understood.
    BadRequest,
    /// User and password are missing or wrong.
    Unauthorized,
    /// It may not have what it asks for.
    Forbidden,
    /// No table has that id.
    ServiceUnavailable,
    /// The name may not be had there.
    HostUnreachable,
    /// Whatever else.
    Other(u8),
}

impl Status {
    const KNOWN: [(Self, u8, &'static str); 6] = [
        (Self::Ok, 0, "welcome"),
        (Self::BadRequest, 1, "the request is not understood"),
        (Self::Unauthorized, 2, "user and password are missing or wrong"),
        (Self::Forbidden, 3, "not allowed"),
        (Self::ServiceUnavailable, 5, "there is no such table"),
        (Self::HostUnreachable, 6, "the host's name may not be had, or not in that table"),
    ];

    fn number(self) -> u8 {
        let known = Self::KNOWN.iter().find(|(status, ..)| *status == self).map(|(_, number, _)| *number);
        known.unwrap_or(if let Self::Other(number) = self { number } else { 8 })
    }
}

impl From<u8> for Status {
    fn from(number: u8) -> Self {
        Self::KNOWN.iter().find(|(_, known, _)| *known == number).map_or(Self::Other(number), |(status, ..)| *status)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::KNOWN.iter().find(|(status, ..)| status == self) {
            Some((_, number, words)) => write!(f, "{words} (status {number})"),
            None => write!(f, "status {}", self.number()),
        }
    }
}

/// What a server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    /// Whether the host is in.
    pub status: Status,
    /// The number that the server gave this connection.
    pub connector: Option<Uuid>,
}

impl Response {
    /// As it is sent.
    pub fn encode(&self) -> Vec<u8> {
        let mut features = Vec::new();
        if let Some(id) = self.connector {
            feature(&mut features, TUNNEL, &[id.as_bytes(), &[0; 4][..]].concat());
        }
        message(self.status.number(), &features)
    }

    /// Reads a response: the header, and as many bytes as [`rest`] says.
    ///
    /// # Errors
    /// Why it is none.
    pub fn decode(header: [u8; HEADER], features: &[u8]) -> Result<Self, Mistake> {
        rest(header)?;
        let mut connector = None;
        for feature in Features(features) {
            if let (TUNNEL, data) = feature? {
                let id = data.first_chunk().ok_or(Mistake::Feature(TUNNEL))?;
                connector = Some(Uuid::from_bytes(*id));
            }
        }
        Ok(Self { status: header[1].into(), connector })
    }
}
