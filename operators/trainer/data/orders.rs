//! The orders of epochs, each made once for all threads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::clips::Clips;
use super::loader::Plan;
use super::order::{Layout, Order, Shuffle};

/// The orders of the epochs that threads are in.
pub struct Orders<'a> {
    plan: &'a Plan,
    layout: Layout,
    made: Mutex<BTreeMap<u64, Arc<Order>>>,
}

impl<'a> Orders<'a> {
    pub fn new(plan: &'a Plan, clips: &Clips) -> Self {
        Self { plan, layout: clips.layout(), made: Mutex::default() }
    }

    /// The order of an epoch. Of one long gone it is forgotten, and made again where a thread is as far behind.
    pub fn of(&self, epoch: u64) -> Arc<Order> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.retain(|other, _| other + 2 >= epoch);
        let Plan { unit, window, seed, stage, .. } = self.plan;
        let shuffle = Shuffle { unit: *unit, window: *window, seed: *seed, stage, epoch };
        made.entry(epoch).or_insert_with(|| Arc::new(shuffle.order(&self.layout))).clone()
    }
}
