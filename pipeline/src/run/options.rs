//! What must not change results.

use std::collections::BTreeMap;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::reuse::Again;

/// A number, or a share.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Text {
    Number(u64),
    Share(String),
}

impl TryFrom<Text> for MaxRejects {
    type Error = String;

    fn try_from(text: Text) -> Result<Self, String> {
        match text {
            Text::Number(number) => Ok(Self::Count(number)),
            Text::Share(text) => text.parse(),
        }
    }
}

/// What must not change results.
#[derive(Debug, Clone)]
pub struct Options {
    pub threads: usize,
    /// Bytes.
    pub memory: u64,
    pub max_rejects: MaxRejects,
    /// Frames of a block.
    pub block: usize,
    /// What is computed again although it is there, by stage.
    pub again: BTreeMap<String, Again>,
    /// The stage that the run ends with, if not with the last.
    pub until: Option<String>,
}

/// How many items of a stage may be rejected.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "Text")]
#[schemars(with = "Text")]
pub enum MaxRejects {
    Percent(f64),
    Count(u64),
}

impl Default for MaxRejects {
    fn default() -> Self {
        Self::Percent(10.0)
    }
}

impl FromStr for MaxRejects {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected a share such as 10% or a number of items, found `{text}`");
        match text.strip_suffix('%') {
            Some(percent) => match percent.trim().parse::<f64>() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self::Percent(percent)),
                _ => Err(wrong()),
            },
            None => text.parse().map(Self::Count).map_err(|_| wrong()),
        }
    }
}

impl std::fmt::Display for MaxRejects {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Percent(percent) => write!(formatter, "{percent}%"),
            Self::Count(count) => write!(formatter, "{count}"),
        }
    }
}

impl MaxRejects {
    /// Whether that many are too many.
    pub fn exceeded(self, rejected: u64, items: u64) -> bool {
        match self {
            Self::Percent(percent) => rejected as f64 * 100.0 > percent * items as f64,
            Self::Count(count) => rejected > count,
        }
    }
}
