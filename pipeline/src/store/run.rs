//! Run records: which snapshots a run ended with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Store;
use crate::error::Error;
use crate::operator::Link;

/// What a run ended with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    pub pipeline: String,
    /// Seconds since 1970.
    pub started: u64,
    pub seconds: f64,
    /// Why it did not finish, if it did not.
    pub error: Option<String>,
    /// The stages that keep something and were complete at the end.
    pub stages: BTreeMap<String, StageRecord>,
}

/// What a stage ended with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    pub fingerprint: String,
    pub inputs: String,
    /// The digest of each input by stage.
    pub reads: BTreeMap<String, String>,
    /// The operators of the chain, the stage itself last.
    pub chain: Vec<Link>,
    pub seed: u64,
}

impl Store {
    /// The numbers of the records, ascending.
    fn run_numbers(&self) -> Result<Vec<u64>, Error> {
        let folder = self.path("runs");
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io(&folder)(error)),
        };
        let mut numbers: Vec<u64> =
            entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Keeps a record under the next free number.
    pub fn keep_run(&self, record: &RunRecord) -> Result<u64, Error> {
        let text = serde_json::to_string(record)?;
        let mut number = self.run_numbers()?.last().map_or(1, |last| last + 1);
        while !self.create(&format!("runs/{number:06}"), &text)? {
            number += 1;
        }
        Ok(number)
    }

    /// What a stage of a pipeline last ended with.
    pub fn last_record(&self, pipeline: &str, stage: &str) -> Result<Option<StageRecord>, Error> {
        for number in self.run_numbers()?.into_iter().rev() {
            let Some(text) = self.read(&format!("runs/{number:06}"))? else { continue };
            let mut record: RunRecord = serde_json::from_str(&text)?;
            if record.pipeline == pipeline
                && let Some(stage) = record.stages.remove(stage)
            {
                return Ok(Some(stage));
            }
        }
        Ok(None)
    }
}
