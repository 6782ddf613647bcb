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
    /// The scans that found its items.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Link>,
    pub seed: u64,
    /// Why it was computed; nothing where it was reused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
    /// Items that it accounts for, and how many of them were computed.
    #[serde(default)]
    pub items: u64,
    #[serde(default)]
    pub computed: u64,
    /// Items that were rejected.
    #[serde(default)]
    pub rejected: u64,
    /// Seconds that the whole stage took.
    #[serde(default)]
    pub seconds: f64,
    /// Bytes of its files.
    #[serde(default)]
    pub bytes: u64,
}

impl Store {
    /// The numbers of the records, ascending.
    pub fn run_numbers(&self) -> Result<Vec<u64>, Error> {
        let mut numbers: Vec<u64> = self.names("runs")?.iter().filter_map(|name| name.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Keeps a record: under the number that it has already, else under the next free one, which it gives.
    pub fn keep_run(&self, record: &RunRecord, number: Option<u64>) -> Result<u64, Error> {
        let text = serde_json::to_string(record)?;
        if let Some(number) = number {
            self.replace(&format!("runs/{number:06}"), &text)?;
            return Ok(number);
        }
        let mut number = self.run_numbers()?.last().map_or(1, |last| last + 1);
        while !self.create(&format!("runs/{number:06}"), &text)? {
            number += 1;
        }
        Ok(number)
    }

    /// A record by its number; none where it is gone, damaged, or of a format that is not known.
    pub fn run(&self, number: u64) -> Result<Option<RunRecord>, Error> {
        match self.read(&format!("runs/{number:06}")) {
            Err(Error::Store { .. }) => Ok(None),
            text => Ok(text?.and_then(|text| serde_json::from_str(&text).ok())),
        }
    }

    /// What a stage of a pipeline last ended with.
    pub fn last_record(&self, pipeline: &str, stage: &str) -> Result<Option<StageRecord>, Error> {
        self.last_record_where(pipeline, stage, |_| true)
    }

    /// What it ended with in the last so many runs, the last first.
    pub fn last_records(&self, pipeline: &str, stage: &str, count: usize) -> Result<Vec<StageRecord>, Error> {
        let mut records = Vec::new();
        for number in self.run_numbers()?.into_iter().rev().take(count) {
            let record = self.run(number)?.filter(|record| record.pipeline == pipeline);
            records.extend(record.and_then(|mut record| record.stages.remove(stage)));
        }
        Ok(records)
    }

    /// The same, of the last run for whose record something holds.
    pub fn last_record_where(
        &self,
        pipeline: &str,
        stage: &str,
        holds: impl Fn(&StageRecord) -> bool,
    ) -> Result<Option<StageRecord>, Error> {
        for number in self.run_numbers()?.into_iter().rev() {
            let Some(mut record) = self.run(number)? else { continue };
            if record.pipeline == pipeline
                && let Some(stage) = record.stages.remove(stage).filter(&holds)
            {
                return Ok(Some(stage));
            }
        }
        Ok(None)
    }
}
