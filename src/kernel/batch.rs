//! [`Batch`]: many requests in one `sendmsg(2)`, their errors told apart.
//!
//! The kernel carries out the messages of a datagram in order and goes on after one that fails. It always answers a
//! failure, and a success only if asked (`NLM_F_ACK`); so only the last request of a chunk asks. Its answer ends the
//! conversation about the chunk, and an error in between names its request by sequence number. Ten thousand routes
//! cost some ten system calls that way, and nothing but the kernel's own time.
//!
//! Must not know: what the requests mean.

use super::error::{Error, Failure};
use super::session::{Request, Session, refusal};
use netlink_packet_core::{NLM_F_ACK, NLMSG_ERROR, NetlinkBuffer};
use nix::errno::Errno;
use std::ops::ControlFlow;

/// How much goes into one datagram. The default send buffer of a socket is some 200 KiB.
const CHUNK: usize = 64 << 10;

/// Requests that are not yet sent, and what became of those that were.
pub(super) struct Batch<'s> {
    session: &'s mut Session,
    datagram: Vec<u8>,
    /// Where the last request begins in the datagram.
    last: usize,
    /// For each request of the datagram, its sequence number and the operation that it is for.
    pending: Vec<(u32, usize)>,
    failures: Vec<Failure>,
}

impl<'s> Batch<'s> {
    /// An empty one.
    pub fn new(session: &'s mut Session) -> Self {
        Self { session, datagram: Vec::with_capacity(CHUNK), last: 0, pending: Vec::new(), failures: Vec::new() }
    }

    /// Adds a request on behalf of the operation `index`.
    pub fn push(&mut self, index: usize, request: &Request) {
        self.last = self.datagram.len();
        let sequence = self.session.next_sequence();
        request.append_to(&mut self.datagram, 0, sequence);
        self.pending.push((sequence, index));
        // A request is shorter than 1 KiB.
        if self.datagram.len() > CHUNK - 1024 || self.pending.len() >= self.session.room() {
            self.send();
        }
    }

    /// Notes that an operation could not even be asked for.
    pub fn fail(&mut self, index: usize, error: Error) {
        self.failures.push(Failure { index, error });
    }

    /// Whether anything is known to have failed.
    pub fn has_failed(&self) -> bool {
        !self.failures.is_empty()
    }

    /// Sends what is pending and says what failed, in the order of the operations.
    pub fn finish(mut self) -> Vec<Failure> {
        self.send();
        self.failures.sort_by_key(|failure| failure.index);
        self.failures
    }

    fn send(&mut self) {
        let Some((end, first)) = self.pending.last().map(|last| last.0).zip(self.pending.first().copied()) else {
            return;
        };
        let mut header = NetlinkBuffer::new(&mut self.datagram[self.last..]);
        header.set_flags(header.flags() | NLM_F_ACK);
        let (pending, failures) = (&self.pending, &mut self.failures);
        let outcome = self.session.send(&self.datagram).and_then(|()| {
            self.session.receive(|message| {
                let position = message.sequence.wrapping_sub(first.0) as usize;
                let Some((sequence, index)) = pending.get(position).filter(|_| message.kind == NLMSG_ERROR) else {
                    return ControlFlow::Continue(());
                };
                failures.extend(refusal(message).map(|error| Failure { index: *index, error }));
                if *sequence == end { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        });
        if let Err(error) = outcome {
            // Nobody knows which of them were carried out; the first stands for all.
            self.failures.push(Failure { index: first.1, error });
        }
        self.datagram.clear();
        self.pending.clear();
    }
}

/// Asks several questions at once, of which a datagram holds a thousand, each for one message, and reads the answers with `view`.
/// Those about links that are not there have none.
pub(super) fn ask_all<T>(
    session: &mut Session,
    questions: &[Request],
    mut view: impl FnMut(&[u8]) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let Some(last) = questions.len().checked_sub(1) else { return Ok(Vec::new()) };
    let (mut datagram, first) = (Vec::new(), session.next_sequence());
    for (position, question) in questions.iter().enumerate() {
        let sequence = if position == 0 { first } else { session.next_sequence() };
        question.append_to(&mut datagram, if position == last { NLM_F_ACK } else { 0 }, sequence);
    }
    session.send(&datagram)?;
    let (mut answers, mut refused) = (Vec::new(), None);
    session.receive(|message| {
        let position = message.sequence.wrapping_sub(first) as usize;
        if position > last {
            return ControlFlow::Continue(());
        }
        if message.kind != NLMSG_ERROR {
            answers.extend(view(message.payload));
            return ControlFlow::Continue(());
        }
        let error = refusal(message);
        refused = refused.take().or(error.filter(|error| error.errno() != Some(Errno::ENODEV)));
        if position == last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    refused.map_or(Ok(answers), Err)
}
