//! What a run reports while it goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

/// Whom a run reports to.
pub type Reporter = Arc<dyn Fn(Event) + Send + Sync>;

/// What a run reports.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A stage begins to compute.
    Started { stage: String, items: u64 },
    /// How far it has come. `seconds` are seconds of signal.
    Progress { stage: String, items: u64, total: u64, seconds: f64 },
    /// An item was rejected.
    Rejected { stage: String, item: String, class: String, offset: String, message: String },
    /// A line of a stage's own, such as the loss.
    Message { stage: String, text: String, values: BTreeMap<String, f64> },
    /// A stage has ended.
    Stage {
        stage: String,
        #[serde(flatten)]
        summary: Summary,
    },
    /// A table that is a result.
    Result { stage: String, columns: Vec<String>, rows: Vec<Map<String, Value>> },
    /// The run has ended well. Always the last event.
    Finished { stages: BTreeMap<String, Summary> },
    /// The run has ended with an error. Always the last event.
    Failed { message: String },
}

/// Whether a stage was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Computed,
    Partial,
    Reused,
}

/// What a stage did. `items_in` = `items` + `filtered` + `rejected`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    pub status: Status,
    /// Items that were computed; the others were there.
    pub computed: u64,
    /// Items that came in.
    pub items_in: u64,
    /// Items that went out.
    pub items: u64,
    /// Rows or signals that went out.
    pub rows: u64,
    /// Items left out on purpose.
    pub filtered: u64,
    /// Items that could not be used.
    pub rejected: u64,
    /// Seconds that the stage itself took, over all threads.
    pub seconds: f64,
    /// What else was counted, such as saturated samples.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, u64>,
}
