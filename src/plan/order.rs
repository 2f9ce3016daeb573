//! The order in which links come up: what one stands on first, otherwise as in the file.

use super::Problem;
use crate::model::{DesiredLink, Kind, Place};
use std::collections::BTreeMap;

/// The links in the order in which they can be brought up, or the cycles that forbid it.
pub(super) fn order(links: &[DesiredLink]) -> Result<Vec<&DesiredLink>, Vec<Problem>> {
    let index: BTreeMap<&Place, usize> = links.iter().enumerate().map(|(i, l)| (&l.place, i)).collect();
    let mut walk = Walk { links, index, marks: vec![Mark::New; links.len()], out: Vec::new(), problems: Vec::new() };
    for i in 0..links.len() {
        walk.visit(i);
    }
    if walk.problems.is_empty() { Ok(walk.out) } else { Err(walk.problems) }
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    Open,
    Done,
}

struct Walk<'a> {
    links: &'a [DesiredLink],
    index: BTreeMap<&'a Place, usize>,
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
        let mut stack = vec![(start, self.needs(start))];
        self.marks[start] = Mark::Open;
        while let Some((i, needs)) = stack.last_mut() {
            let i = *i;
            match needs.pop() {
                Some(need) if self.marks[need] == Mark::New => {
                    self.marks[need] = Mark::Open;
                    let next = self.needs(need);
                    stack.push((need, next));
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

    /// What a link stands on: a VLAN's parent, a port's master. The ends of a pair are made together and do not count.
    fn needs(&self, i: usize) -> Vec<usize> {
        let link = &self.links[i];
        let parent = link.link.kind.as_ref().filter(|k| !matches!(k, Kind::Veth { .. })).and_then(Kind::tied_to);
        let master = link.link.master.map(|m| Place::new(link.place.netns.clone(), m));
        parent.into_iter().chain(&master).filter_map(|p| self.index.get(p).copied()).collect()
    }
}
