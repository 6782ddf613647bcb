//! Which part each group goes to.
//!
//! Every group is reluctant to go to each part, as a number that its name alone decides, and is at first where it is
//! least so (weighted rendezvous hashing: Thaler and Ravishankar 1998, "Using name-based mappings to increase hit
//! rates"). What is added or taken away then moves nothing else. But chance makes parts too large or too small by
//! about the root of their size, so the least reluctant groups give way to where they bring parts and strata nearer to
//! their shares; and large groups, which are hard to place, change places with each other. What remains is a balance
//! that no such step betters.

use super::balance::Balance;

/// Items that stay together.
#[derive(Debug, Clone)]
pub struct Group {
    /// How many items of each stratum it has, as (stratum, items).
    pub strata: Vec<(usize, u64)>,
    /// How little it wants to go to each part.
    pub reluctance: Vec<f64>,
}

impl Group {
    pub fn items(&self) -> u64 {
        self.strata.iter().map(|(_, items)| items).sum()
    }

    /// The part that it wants to go to.
    fn home(&self) -> usize {
        let less = |best, part| if self.reluctance[part] < self.reluctance[best] { part } else { best };
        (1..self.reluctance.len()).fold(0, less)
    }
}

/// How reluctant a group is to go to a part of that share, by a number uniform in [0, 1): distributed exponentially,
/// so that it is the least with the probability of the share.
pub fn reluctance(uniform: f64, share: f64) -> f64 {
    -(1.0 - uniform).ln() / share
}

/// What a step has to better the balance by, to be no effect of rounding.
const BETTER: f64 = 1e-9;

/// The largest groups, which may change places: all pairs are tried.
const LARGEST: usize = 1000;

/// The part of each group.
pub fn assign(groups: &[Group], shares: &[f64]) -> Vec<usize> {
    let mut parts: Vec<usize> = groups.iter().map(Group::home).collect();
    let mut balance = Balance::new(groups, &parts, shares);
    let moves = moves(groups, &parts);
    // Single items find a place anyway.
    let mut largest: Vec<usize> = (0..groups.len()).filter(|at| groups[*at].items() > 1).collect();
    largest.sort_by_key(|at| std::cmp::Reverse(groups[*at].items()));
    largest.truncate(LARGEST);
    loop {
        while give_way(groups, &moves, &mut balance, &mut parts) {}
        if !change_places(groups, &largest, &mut balance, &mut parts) {
            return parts;
        }
    }
}

/// All groups with all parts, those first that lose least. A way home costs nothing.
fn moves(groups: &[Group], homes: &[usize]) -> Vec<(usize, usize)> {
    let mut moves = Vec::with_capacity(groups.iter().map(|group| group.reluctance.len()).sum());
    for (at, (group, home)) in groups.iter().zip(homes).enumerate() {
        let loss = |part: usize| group.reluctance[part] - group.reluctance[*home];
        moves.extend((0..group.reluctance.len()).map(|part| (loss(part), at, part)));
    }
    moves.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
    moves.into_iter().map(|(_, at, part)| (at, part)).collect()
}

/// Makes every move that betters the balance; whether there was one.
fn give_way(groups: &[Group], moves: &[(usize, usize)], balance: &mut Balance, parts: &mut [usize]) -> bool {
    let mut moved = false;
    for &(at, to) in moves {
        let (group, from) = (&groups[at], parts[at]);
        if from != to && balance.change(group, from, to) < -BETTER {
            balance.shift(group, from, to);
            parts[at] = to;
            moved = true;
        }
    }
    moved
}

/// Lets pairs change places where that betters the balance; whether there was one.
fn change_places(groups: &[Group], which: &[usize], balance: &mut Balance, parts: &mut [usize]) -> bool {
    let mut moved = false;
    for (index, &one) in which.iter().enumerate() {
        for &other in &which[index + 1..] {
            let (from, to) = (parts[one], parts[other]);
            if from == to || groups[one].strata == groups[other].strata {
                continue;
            }
            let first = balance.change(&groups[one], from, to);
            balance.shift(&groups[one], from, to);
            if first + balance.change(&groups[other], to, from) < -BETTER {
                balance.shift(&groups[other], to, from);
                (parts[one], parts[other]) = (to, from);
                moved = true;
            } else {
                balance.shift(&groups[one], to, from);
            }
        }
    }
    moved
}
