//! Shards that lie elsewhere and come window by window.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use etude_learning::worker::Say;

use super::clips::Clips;
use super::order::Order;
use crate::error::Error;
use crate::{hear, say};

/// A window by its epoch and its number there; before all of them what is read to begin with.
type Place = Option<(u64, usize)>;

/// Windows that are here at once, where a batch is in no more than two: the first that a thread is in, and those behind it.
const WINDOWS: usize = 3;

/// Which shards are here for the threads that make batches.
pub struct Nearby<'a> {
    clips: &'a Clips,
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Default)]
struct State {
    /// The window that each thread is in; it is gone once it has ended.
    threads: BTreeMap<usize, (u64, usize)>,
    /// The shards of each window that was asked for.
    asked: BTreeMap<Place, Vec<usize>>,
    /// How many windows an epoch has.
    windows: BTreeMap<u64, usize>,
}

impl State {
    /// How many windows a place is behind that of the last thread.
    fn ahead(&self, (epoch, window): (u64, usize)) -> usize {
        let Some((first, from)) = self.threads.values().min().copied() else { return 0 };
        let between = (first..epoch).map(|epoch| self.windows.get(&epoch).copied().unwrap_or(WINDOWS));
        (between.sum::<usize>() + window).saturating_sub(from)
    }

    /// Asks for the shards of a window that have not been asked for; which those are.
    fn ask(&mut self, place: Place, shards: Vec<usize>) -> Vec<usize> {
        if self.asked.contains_key(&place) {
            return Vec::new();
        }
        let there: BTreeSet<usize> = self.asked.values().flatten().copied().collect();
        let new = shards.iter().copied().filter(|shard| !there.contains(shard)).collect();
        self.asked.insert(place, shards);
        new
    }

    /// Lets go what lies behind all threads; which shards that are.
    fn leave(&mut self) -> Vec<usize> {
        let first = self.threads.values().min().copied();
        let behind = |place: &Place| first.is_none_or(|first| *place < Some(first));
        let left: Vec<usize> =
            self.asked.extract_if(.., |place, _| behind(place)).flat_map(|(_, shards)| shards).collect();
        let there: BTreeSet<usize> = self.asked.values().flatten().copied().collect();
        left.into_iter().collect::<BTreeSet<_>>().difference(&there).copied().collect()
    }
}

impl<'a> Nearby<'a> {
    /// The shard of the first clip is brought at once.
    pub fn new(clips: &'a Clips) -> Result<Self, Error> {
        let nearby = Self { clips, state: Mutex::default(), left: Condvar::new() };
        if clips.elsewhere {
            let first = clips.home(0).into_iter().collect::<Vec<_>>();
            nearby.bring(nearby.state().ask(None, first.clone()));
            nearby.wait(first)?;
        }
        Ok(nearby)
    }

    /// A thread begins at a window.
    pub fn begin(&self, thread: usize, place: (u64, usize)) {
        self.state().threads.insert(thread, place);
    }

    /// Waits until the shards of some windows of an epoch are here. Those of the `next` window that is read come meanwhile.
    pub fn enter(
        &self,
        thread: usize,
        (epoch, order): (u64, &Order),
        windows: RangeInclusive<usize>,
        next: Option<(u64, usize, &Order)>,
    ) -> Result<(), Error> {
        if !self.clips.elsewhere {
            return Ok(());
        }
        let first = (epoch, *windows.start());
        let mut state = self.state();
        state.windows.insert(epoch, order.windows().len());
        state.threads.insert(thread, first);
        self.release(&mut state);
        // Whoever is behind makes batches that are taken before, and so comes on.
        let far = |state: &mut State| state.ahead(first) + 2 > WINDOWS;
        state = self.left.wait_while(state, far).unwrap_or_else(PoisonError::into_inner);
        let shards = |order: &Order, at: usize| {
            order.windows().get(at).map_or(Vec::new(), |window| window.shards.clone())
        };
        let mut here = Vec::new();
        for at in windows {
            here.extend(shards(order, at));
            self.bring(state.ask(Some((epoch, at)), shards(order, at)));
        }
        if let Some((epoch, at, order)) = next.filter(|(epoch, at, _)| state.ahead((*epoch, *at)) < WINDOWS) {
            self.bring(state.ask(Some((epoch, at)), shards(order, at)));
        }
        drop(state);
        self.wait(here)
    }

    /// A thread makes no more batches.
    pub fn end(&self, thread: usize) {
        let mut state = self.state();
        state.threads.remove(&thread);
        self.release(&mut state);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn paths(&self, shards: Vec<usize>) -> Vec<PathBuf> {
        shards.into_iter().filter_map(|shard| self.clips.shard(shard).cloned()).collect()
    }

    fn bring(&self, shards: Vec<usize>) {
        let shards = self.paths(shards);
        if !shards.is_empty() {
            shards.iter().for_each(|shard| hear::expect(shard));
            say::say(&Say::Bring { shards });
        }
    }

    /// Lets go what lies behind all threads.
    fn release(&self, state: &mut State) {
        let shards = self.paths(state.leave());
        if self.clips.elsewhere && !shards.is_empty() {
            shards.iter().for_each(|shard| hear::forget(shard));
            say::say(&Say::Release { shards });
        }
        self.left.notify_all();
    }

    /// What could not be had once may be there by now: it is asked for once more.
    fn wait(&self, shards: Vec<usize>) -> Result<(), Error> {
        for shard in self.paths(shards) {
            if hear::wait(&shard).is_err() && hear::again(&shard) {
                say::say(&Say::Bring { shards: vec![shard.clone()] });
            }
            hear::wait(&shard).map_err(Error::Input)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(threads: &[(u64, usize)]) -> State {
        let threads = threads.iter().copied().enumerate().collect();
        State { threads, windows: [(0, 4)].into_iter().collect(), ..State::default() }
    }

    #[test]
    fn no_thread_runs_away_from_the_others() {
        let mut state = state(&[(0, 2), (1, 0)]);
        assert_eq!([(0, 2), (0, 3), (1, 0), (1, 1)].map(|place| state.ahead(place)), [0, 1, 2, 3]);
        state.threads.remove(&0);
        assert_eq!(state.ahead((1, 1)), 1);
    }

    #[test]
    fn what_all_threads_have_left_is_let_go() {
        let mut state = state(&[(0, 0), (0, 0)]);
        assert_eq!(state.ask(None, vec![7]), [7]);
        assert_eq!(state.ask(Some((0, 0)), vec![1, 2]), [1, 2]);
        assert!(state.ask(Some((0, 0)), vec![1, 2]).is_empty());
        // In the next epoch another window has one of them.
        assert_eq!(state.ask(Some((1, 0)), vec![2, 3]), [3]);
        assert_eq!(state.leave(), [7]);
        state.threads.insert(0, (1, 0));
        assert!(state.leave().is_empty(), "the other thread is there");
        state.threads.insert(1, (1, 0));
        assert_eq!(state.leave(), [1]);
        state.threads.clear();
        assert_eq!(state.leave(), [2, 3]);
    }
}
