//! What a stage last ended with.

use super::engine::Engine;
use super::unit::Unit;
use crate::error::Error;
use crate::spec::Pipeline;
use crate::store::{Snapshot, StageRecord};

/// What a stage last ended with.
pub struct Before {
    pub record: StageRecord,
    /// None where it is no longer in the store.
    pub snapshot: Option<Snapshot>,
}

impl Engine {
    /// What a unit's stage last ended with; none where no run of this pipeline has computed it.
    pub(super) fn before(&self, pipeline: &Pipeline, unit: &Unit) -> Result<Option<Before>, Error> {
        let stage = &pipeline.stages[unit.stage].name;
        let Some(record) = self.store.last_record(&pipeline.name, stage)? else { return Ok(None) };
        let snapshot = self.store.snapshot(&record.fingerprint, &record.inputs)?;
        Ok(Some(Before { record, snapshot }))
    }
}
