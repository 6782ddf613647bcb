//! Places that are worked on in any order and taken in theirs.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Whose turn it is: nobody gets far ahead of what is taken.
pub struct Turns {
    /// What was begun, and what was taken.
    state: Mutex<(u64, u64)>,
    changed: Condvar,
    ahead: u64,
    count: u64,
}

impl Turns {
    pub fn new(ahead: u64, count: u64) -> Self {
        Self { state: Mutex::new((0, 0)), changed: Condvar::new(), ahead, count }
    }

    fn lock(&self) -> MutexGuard<'_, (u64, u64)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next place, when it may be begun; none at the end.
    pub fn next(&self) -> Option<u64> {
        let far =
            |state: &mut (u64, u64)| state.0 < self.count && state.0 >= state.1.saturating_add(self.ahead);
        let mut state = self.changed.wait_while(self.lock(), far).unwrap_or_else(PoisonError::into_inner);
        let turn = state.0;
        (turn < self.count).then(|| {
            state.0 += 1;
            turn
        })
    }

    /// All places below this one were taken.
    pub fn taken(&self, count: u64) {
        self.lock().1 = count;
        self.changed.notify_all();
    }
}

/// Ends all turns when dropped.
pub struct End<'a>(pub &'a Turns);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.lock().0 = self.0.count;
        self.0.changed.notify_all();
    }
}
