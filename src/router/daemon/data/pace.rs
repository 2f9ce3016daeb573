//! Rates and the timers that they need: who sent too much is not read for a while, and what is for who is sent too much waits.

use super::{Data, token};
use crate::kernel::tun::Event;
use crate::router::Nanos;
use crate::router::switch::PortId;
use std::cmp::Reverse;
use std::time::Duration;

impl Data {
    /// How long until the next timer.
    pub(super) fn due(&self) -> Option<Duration> {
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        let at = timer.into_iter().chain(self.held.due()).min()?;
        Some(Duration::from_nanos(at.saturating_sub(self.now())))
    }

    /// The device of a peer with a rate is read step by step: what was read cannot be left where it was.
    pub(super) fn pace(&mut self, port: PortId) {
        if self.way(port).is_some_and(|way| way.framed.is_none()) {
            let limited = self.switch.peer(port).is_some_and(|peer| peer.limits.rate_out.is_some());
            self.engine.step(token(port), limited);
        }
    }

    /// The same for all, whose rates may be others now: nobody waits for a time that an old one set.
    pub(super) fn pace_anew(&mut self, now: Nanos, later: &mut Vec<Event>) {
        self.timers.clear();
        for port in (1..self.ways.len() as u32).map(PortId) {
            self.pace(port);
            self.resume(port, now);
            self.drain(port, now, later);
        }
    }

    /// What a peer sent counts against its rate: it is not read until there is room again.
    pub(super) fn charge(&mut self, from: PortId, length: usize, now: Nanos) {
        let Some(at) = self.switch.came(from, length, now) else { return };
        let Some(Some(way)) = self.ways.get_mut(from.0 as usize) else { return };
        if std::mem::replace(&mut way.paused, true) {
            return;
        }
        match way.framed {
            Some(_) => self.engine.watch(token(from), false, way.blocked),
            None => self.engine.read(token(from), false),
        }
        self.timers.push(Reverse((at, from.0)));
    }

    /// What was waiting for the time that it is now.
    pub(super) fn tick(&mut self, now: Nanos, later: &mut Vec<Event>) {
        while let Some(Reverse((at, index))) = self.timers.peek().copied()
            && at <= now
        {
            self.timers.pop();
            self.resume(PortId(index), now);
            self.drain(PortId(index), now, later);
        }
    }

    pub(super) fn resume(&mut self, port: PortId, now: Nanos) {
        let wait = self.switch.may_come(port, now);
        let Some(Some(way)) = self.ways.get_mut(port.0 as usize) else { return };
        if !way.paused {
            return;
        }
        if let Some(at) = wait {
            return self.timers.push(Reverse((at, port.0)));
        }
        way.paused = false;
        match way.framed {
            Some(_) => self.engine.watch(token(port), true, way.blocked),
            None => self.engine.read(token(port), true),
        }
    }

    pub(super) fn drain(&mut self, port: PortId, now: Nanos, later: &mut Vec<Event>) {
        if let Some(way) = self.way(port) {
            way.timed = false;
        }
        loop {
            let wait = self.switch.may_pass(port, now);
            let Some(Some(way)) = self.ways.get_mut(port.0 as usize) else { return };
            if let Some(at) = wait {
                if !way.queue.is_empty() && !std::mem::replace(&mut way.timed, true) {
                    self.timers.push(Reverse((at, port.0)));
                }
                return;
            }
            let Some((header, packet)) = way.queue.pop() else { return };
            self.switch.passed(port, packet.len(), now);
            self.put(port, &header, &packet, now, later);
        }
    }
}
