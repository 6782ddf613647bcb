//! What the range of values is compressed by.

use etude_pipeline::flow::{Block, Unit};
use etude_pipeline::operator::{Invalid, Map};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decibels::Db;
use super::logarithm::{ln, ln_1p};
use crate::whole::{Each, Whole};

/// What the range of values is compressed by. Values below 0 count as 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compress {
    /// Nothing.
    None,
    /// ln(x + offset).
    Log(Log),
    /// ln(1 + scale · x).
    Log1p(Log1p),
    /// log10(1 + scale · x).
    Log10(Log10),
    /// Decibels: librosa's `power_to_db` and `amplitude_to_db`, torchaudio's `AmplitudeToDB`.
    Db(Db),
}

/// ln(x + offset).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// What is added before the logarithm, 1e-30 to 1.
    #[serde(default = "default_offset")]
    #[schemars(range(min = 1e-30, max = 1))]
    pub offset: f64,
}

/// ln(1 + scale · x).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Log1p {
    /// What values are multiplied by first, 1e-6 to 1e12.
    #[serde(default = "default_scale")]
    #[schemars(range(min = 1e-6, max = 1e12))]
    pub scale: f64,
}

/// log10(1 + scale · x).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Log10 {
    /// What values are multiplied by first, 1e-6 to 1e12. The default is MULE's (McCallum et al. 2022,
    /// arXiv 2210.03799).
    #[serde(default = "mules_scale")]
    #[schemars(range(min = 1e-6, max = 1e12))]
    pub scale: f64,
}

fn default_offset() -> f64 {
    1e-6
}

fn default_scale() -> f64 {
    1.0
}

fn mules_scale() -> f64 {
    1e4
}

impl Default for Compress {
    fn default() -> Self {
        Self::Log(Log { offset: default_offset() })
    }
}

/// An error unless a value is in its range.
pub(super) fn within(parameter: &str, value: f64, low: f64, high: f64) -> Result<(), Invalid> {
    Invalid::unless((low..=high).contains(&value), parameter, format!("must be from {low:?} to {high:?}"))
}

impl Compress {
    /// Checks the ranges; `prefix` leads to the function.
    pub fn check(&self, prefix: &str) -> Result<(), Invalid> {
        let range = |name: &str, value: f64, low: f64, high: f64| {
            within(&format!("{prefix}.{name}"), value, low, high)
        };
        match self {
            Self::None => Ok(()),
            Self::Log(Log { offset }) => range("log.offset", *offset, 1e-30, 1.0),
            Self::Log1p(Log1p { scale }) => range("log1p.scale", *scale, 1e-6, 1e12),
            Self::Log10(Log10 { scale }) => range("log10.scale", *scale, 1e-6, 1e12),
            Self::Db(db) => db.check(prefix),
        }
    }

    /// Whether a clip has to be seen as a whole.
    fn whole(&self) -> bool {
        matches!(self, Self::Db(Db { top_db: Some(_), .. }))
    }

    /// An error if it has to see whole clips and there are none.
    pub fn suits(&self, unit: Unit) -> Result<(), String> {
        match unit {
            Unit::Recording if self.whole() => {
                Err("`top_db` looks at a whole clip, and these are recordings: put `op: segment` above"
                    .into())
            }
            _ => Ok(()),
        }
    }

    /// Compresses values that are a whole clip, where that matters.
    pub fn apply(&self, values: &mut [f32]) {
        let positive = |value: f32| if value < 0.0 { 0.0 } else { value };
        match *self {
            Self::None => {}
            Self::Log(Log { offset }) => {
                let offset = offset as f32;
                values.iter_mut().for_each(|value| *value = ln(positive(*value) + offset));
            }
            Self::Log1p(Log1p { scale }) => {
                let scale = scale as f32;
                values.iter_mut().for_each(|value| *value = ln_1p(positive(*value) * scale));
            }
            Self::Log10(Log10 { scale }) => {
                let (scale, factor) = (scale as f32, std::f32::consts::LOG10_E);
                values.iter_mut().for_each(|value| *value = factor * ln_1p(positive(*value) * scale));
            }
            Self::Db(db) => db.apply(values),
        }
    }

    /// What compresses signals; nothing where there is nothing to do. Clips come in blocks of at most `block` frames
    /// where they have to be seen as a whole.
    pub fn map(&self, block: usize) -> Option<Box<dyn Map>> {
        let compress = *self;
        let change = move |block: &mut Block| compress.apply(block.samples_mut());
        match self {
            Self::None => None,
            _ if self.whole() => Some(Box::new(Whole::new(block, change))),
            _ => Some(Box::new(Each(change))),
        }
    }
}
