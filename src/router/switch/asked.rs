//! Addresses that no route has and somebody is asked for: what a packet to one is in for.

use super::super::Nanos;
use super::Reason;
use super::remote::DomainId;
use rustc_hash::FxHashMap;
use std::net::IpAddr;

/// How many addresses are remembered; then it begins anew.
const MOST: usize = 4096;
/// How long packets may wait for an answer, and when it is asked again.
const PENDING: Nanos = 5_000_000_000;
const AGAIN: Nanos = 10_000_000_000;

/// What was asked for lately, by domain and address.
#[derive(Debug, Default)]
pub(super) struct Asked(FxHashMap<(DomainId, IpAddr), Question>);

#[derive(Debug, Clone, Copy)]
struct Question {
    since: Nanos,
    /// There was an answer, after which no route had it.
    answered: bool,
}

impl Asked {
    /// What becomes of a packet to an address, and whether that is to be asked for now.
    pub fn ask(&mut self, domain: DomainId, address: IpAddr, now: Nanos) -> (Reason, bool) {
        let question = self.0.get(&(domain, address));
        match question.map(|question| (now.saturating_sub(question.since), question.answered)) {
            Some((..PENDING, false)) => return (Reason::Asked, false),
            Some((..AGAIN, _)) => return (Reason::NoRoute, false),
            _ => {}
        }
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert((domain, address), Question { since: now, answered: false });
        (Reason::Asked, true)
    }

    /// There was an answer: what no route has now, none has for a while.
    pub fn answered(&mut self, domain: DomainId, address: IpAddr) {
        if let Some(question) = self.0.get_mut(&(domain, address)) {
            question.answered = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_once_until_the_answer_is_old() {
        let mut asked = Asked::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(asked.ask(1, address, 7), (Reason::Asked, true));
        assert_eq!(asked.ask(1, address, PENDING), (Reason::Asked, false));
        assert_eq!(asked.ask(2, address, PENDING), (Reason::Asked, true));
        assert_eq!(asked.ask(1, address, PENDING + 7), (Reason::NoRoute, false));
        assert_eq!(asked.ask(1, address, AGAIN + 7), (Reason::Asked, true));
        asked.answered(1, address);
        assert_eq!(asked.ask(1, address, AGAIN + 8), (Reason::NoRoute, false));
        assert_eq!(asked.ask(1, address, 2 * AGAIN + 7), (Reason::Asked, true));
        for n in 0..2 * MOST as u32 {
            asked.ask(3, IpAddr::from(n.to_be_bytes()), 0);
        }
        assert!(asked.0.len() <= MOST);
    }
}
