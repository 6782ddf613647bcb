//! The memory budget: work is admitted by bytes before it starts.

use std::sync::Arc;

use datafusion_execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes a permit of the semaphore stands for.
const UNIT: u64 = 64 << 10;

/// A byte semaphore whose holdings DataFusion's memory pool accounts for.
#[derive(Clone)]
pub struct Budget {
    semaphore: Arc<Semaphore>,
    reservation: Arc<MemoryReservation>,
    units: u32,
}

/// Bytes that are held; given back when dropped.
pub struct Permit {
    permit: OwnedSemaphorePermit,
    reservation: Arc<MemoryReservation>,
}

impl Budget {
    /// A budget of that many bytes, accounted for in `pool`. `fixed` bytes of it, at most a quarter, are
    /// held from the begin to the end.
    pub fn new(bytes: u64, fixed: u64, pool: &Arc<dyn MemoryPool>) -> Self {
        let fixed = fixed.min(bytes / 4);
        let units = u32::try_from((bytes - fixed) / UNIT).unwrap_or(u32::MAX >> 4).max(1);
        let reservation = MemoryConsumer::new("items").register(pool);
        reservation.grow(usize::try_from(fixed).unwrap_or(usize::MAX));
        Self {
            semaphore: Arc::new(Semaphore::new(units as usize)),
            reservation: Arc::new(reservation),
            units,
        }
    }

    /// More than the whole budget is asked for as the whole budget, so that work always goes on.
    fn units(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, self.units)
    }

    fn hold(&self, permit: OwnedSemaphorePermit) -> Permit {
        self.reservation.grow(permit.num_permits() * UNIT as usize);
        Permit { permit, reservation: self.reservation.clone() }
    }

    /// Holds bytes if they are free.
    pub fn try_admit(&self, bytes: u64) -> Option<Permit> {
        self.semaphore.clone().try_acquire_many_owned(self.units(bytes)).ok().map(|permit| self.hold(permit))
    }

    /// Waits until the bytes are free.
    pub async fn admit(&self, bytes: u64) -> Option<Permit> {
        self.semaphore
            .clone()
            .acquire_many_owned(self.units(bytes))
            .await
            .ok()
            .map(|permit| self.hold(permit))
    }
}

impl Permit {
    /// Gives back all but `bytes`.
    pub fn keep(&mut self, bytes: u64) {
        let keep = usize::try_from(bytes.div_ceil(UNIT)).unwrap_or(usize::MAX);
        let excess = self.permit.num_permits().saturating_sub(keep);
        if let Some(freed) = self.permit.split(excess) {
            self.shrink(freed.num_permits());
        }
    }

    fn shrink(&self, units: usize) {
        self.reservation.shrink(units * UNIT as usize);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shrink(self.permit.num_permits());
    }
}
