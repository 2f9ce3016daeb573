//! The order in which links come up: what one stands on first, otherwise as in the file.
//!
//! A bridge or a bond is nothing without its ports, so these come before it: its addresses and commands find them in place. All
//! links have arrived by then, so that a port can join a master that is not configured yet; but one that exists only once its
//! own commands have run comes before its ports. So does a VRF, whose members are links in their own right.

use super::Problem;
use crate::model::{DesiredLink, Kind, Place};
use std::collections::BTreeMap;

/// The links in the order in which they can be brought up, or the cycles that forbid it.
pub(super) fn order(links: &[DesiredLink]) -> Result<Vec<&DesiredLink>, Vec<Problem>> {
    let index: BTreeMap<&Place, usize> = links.iter().enumerate().map(|(i, l)| (&l.place, i)).collect();
    let mut needs: Vec<Vec<usize>> = vec![Vec::new(); links.len()];
    // From the last to the first, as the walk takes from the end.
    for (i, link) in links.iter().enumerate().rev() {
        let master = link.link.master.map(|m| Place::new(link.place.netns.clone(), m));
        if let Some(master) = master.and_then(|m| index.get(&m).copied()) {
            match is_made_of_ports(&links[master]) {
                true => needs[master].push(i),
                false => needs[i].push(master),
            }
        }
        // The ends of a pair are made together and do not count.
        let parent = link.link.kind.as_ref().filter(|k| !matches!(k, Kind::Veth { .. })).and_then(Kind::tied_to);
        needs[i].extend(parent.and_then(|p| index.get(p)));
    }
    let mut walk = Walk { links, needs, marks: vec![Mark::New; links.len()], out: Vec::new(), problems: Vec::new() };
    for i in 0..links.len() {
        walk.visit(i);
    }
    if walk.problems.is_empty() { Ok(walk.out) } else { Err(walk.problems) }
}

fn is_made_of_ports(link: &DesiredLink) -> bool {
    link.link.kind.as_ref().and_then(Kind::as_virtual).is_some_and(|v| v.kind.is_made_of_ports())
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    Open,
    Done,
}

struct Walk<'a> {
    links: &'a [DesiredLink],
    needs: Vec<Vec<usize>>,
    marks: Vec<Mark>,
    out: Vec<&'a DesiredLink>,
    problems: Vec<Problem>,
}

impl Walk<'_> {
    /// Depth first with a stack of its own: a file may name a chain of thousands.
    fn visit(&mut self, start: usize) {
        if self.marks[start] != Mark::New {
            return;
        }
        let mut stack = vec![start];
        self.marks[start] = Mark::Open;
        while let Some(i) = stack.last().copied() {
            match self.needs[i].pop() {
                Some(need) if self.marks[need] == Mark::New => {
                    self.marks[need] = Mark::Open;
                    stack.push(need);
                }
                Some(need) if self.marks[need] == Mark::Open => {
                    let (a, b) = (&self.links[i].place, &self.links[need].place);
                    self.problems.push(Problem::new(a, format!("{a} and {b} stand on one another")));
                }
                Some(_) => {}
                None => {
                    self.marks[i] = Mark::Done;
                    self.out.push(&self.links[i]);
                    stack.pop();
                }
            }
        }
    }
}
