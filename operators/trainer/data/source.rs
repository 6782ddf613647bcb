//! What batches are made of: the clips of each, in the order of its epoch, from shards that are here.

use std::ops::RangeInclusive;

use super::clips::{Clips, Reader};
use super::loader::{Loaded, Plan};
use super::nearby::Nearby;
use super::order::Order;
use super::orders::Orders;
use crate::error::Error;

/// What batches are made of.
pub struct Source<'a> {
    clips: &'a Clips,
    sides: &'a [Clips],
    plan: &'a Plan,
    nearby: &'a Nearby<'a>,
    /// The number behind the last batch.
    last: u64,
    orders: Orders<'a>,
}

/// The epoch that a thread is in.
pub struct Epoch {
    number: u64,
    /// The window of its last batch.
    window: usize,
    pub reader: Reader,
    pub sides: Vec<Reader>,
}

impl<'a> Source<'a> {
    pub fn new(
        (clips, sides): (&'a Clips, &'a [Clips]),
        plan: &'a Plan,
        nearby: &'a Nearby<'a>,
        last: u64,
    ) -> Self {
        Self { clips, sides, plan, nearby, last, orders: Orders::new(plan, clips) }
    }

    /// A thread begins at a batch.
    pub fn begin(&self, thread: usize, number: u64) {
        let (epoch, place) = self.plan.place(number);
        self.nearby.begin(thread, (epoch, self.orders.of(epoch).window(place)));
    }

    /// The window behind one that some batch reads.
    fn next(&self, epoch: u64, window: usize, order: &Order) -> Option<(u64, usize)> {
        let batches = self.plan.per_epoch.min(self.last - epoch * self.plan.per_epoch);
        let read = order
            .windows()
            .get(window + 1)
            .is_some_and(|window| window.before < batches * self.plan.clips as u64);
        match read {
            true => Some((epoch, window + 1)),
            false => ((epoch + 1) * self.plan.per_epoch < self.last).then_some((epoch + 1, 0)),
        }
    }

    /// What reads some places of an epoch, once what is read is here.
    fn enter<'b>(
        &self,
        thread: usize,
        (epoch, order): (u64, &Order),
        places: RangeInclusive<u64>,
        at: &'b mut Option<Epoch>,
    ) -> Result<&'b mut Epoch, Error> {
        let (first, last) = (order.window(*places.start()), order.window(*places.end()));
        // What was open of shards that are let go would keep their room on the disk.
        let stays = |at: &Epoch| at.number == epoch && (!self.clips.elsewhere || at.window == first);
        let entered = at.take().filter(stays);
        let next =
            self.next(epoch, last, order).map(|(epoch, window)| (epoch, window, self.orders.of(epoch)));
        let next = next.as_ref().map(|(epoch, window, order)| (*epoch, *window, order.as_ref()));
        self.nearby.enter(thread, (epoch, order), first..=last, next)?;
        Ok(match entered {
            Some(entered) => at.insert(entered),
            None => {
                let sides = self.sides.iter().map(|side| side.reader(epoch)).collect::<Result<_, _>>()?;
                at.insert(Epoch { number: epoch, window: first, reader: self.clips.reader(epoch)?, sides })
            }
        })
    }

    /// Makes a batch, once what is read is here.
    pub fn load(&self, thread: usize, number: u64, at: &mut Option<Epoch>) -> Result<Loaded, Error> {
        let (epoch, place) = self.plan.place(number);
        let order = self.orders.of(epoch);
        let places = place..=place + self.plan.clips as u64 - 1;
        let chosen: Vec<u64> = places.clone().map(|place| order.at(place)).collect();
        let entered = self.enter(thread, (epoch, &order), places, at)?;
        self.plan.load((self.clips, self.sides), &chosen, entered)
    }
}
