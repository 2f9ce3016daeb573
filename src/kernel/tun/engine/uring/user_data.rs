//! What a completion belongs to: what was asked, of which holder of a token (tokens are used again), with which buffer.

use super::super::Token;

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Read,
    Poll,
    Write,
    Cancel,
}

/// What was asked, the generation, the buffer, the token.
pub(super) fn data(asked: Asked, generation: u16, buffer: u16, token: Token) -> u64 {
    (asked as u64) << 60 | u64::from(generation & 0xfff) << 48 | u64::from(buffer) << 32 | u64::from(token)
}

/// The same, read again.
pub(super) fn take_apart(data: u64) -> (Asked, u16, u16, Token) {
    let asked = [Asked::Read, Asked::Poll, Asked::Write, Asked::Cancel][(data >> 60) as usize & 3];
    (asked, (data >> 48) as u16 & 0xfff, (data >> 32) as u16, data as u32)
}
