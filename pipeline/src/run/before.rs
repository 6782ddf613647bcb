//! What a stage last ended with.

use std::sync::Arc;

use super::engine::Engine;
use super::unit::Unit;
use crate::error::Error;
use crate::spec::Pipeline;
use crate::store::{Snapshot, StageRecord};

/// What a stage last ended with.
pub struct Before {
    pub record: StageRecord,
    /// None where it is no longer in the store.
    pub snapshot: Option<Arc<Snapshot>>,
}

impl Engine {
    /// What a unit's stage last ended with; none where no run of this pipeline has computed it.
    /// One that is at hand, because it is that of now, is not read again.
    pub(super) fn before(
        &self,
        pipeline: &Pipeline,
        unit: &Unit,
        now: Option<&Arc<Snapshot>>,
    ) -> Result<Option<Before>, Error> {
        let stage = &pipeline.stages[unit.stage].name;
        let Some(record) = self.store.last_record(&pipeline.name, stage)? else { return Ok(None) };
        let same = now.filter(|now| now.fingerprint == record.fingerprint && now.inputs == record.inputs);
        let snapshot = match same {
            Some(now) => Some(now.clone()),
            None => self.store.snapshot(&record.fingerprint, &record.inputs)?.map(Arc::new),
        };
        Ok(Some(Before { record, snapshot }))
    }
}
