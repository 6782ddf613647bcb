//! What stands between the encoder and the objective while it is trained.

use etude_pipeline::operator::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::range::{above_zero, within};

/// What is done between two layers of a head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// ReLU alone.
    #[default]
    None,
    /// Batch norm and ReLU.
    Batch,
}

/// Layers of a perceptron between the encoder and the objective: linear layers with ReLU between them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Projector {
    /// Linear layers, 1 to 8.
    #[serde(default = "default_layers")]
    #[schemars(range(min = 1, max = 8))]
    pub layers: usize,
    /// Values between two layers, 1 to 65536; 128 by default.
    #[serde(default)]
    #[schemars(range(min = 1, max = 65536))]
    pub hidden: Option<usize>,
    /// Values of the result, 1 to 65536.
    #[serde(default = "default_outputs")]
    #[schemars(range(min = 1, max = 65536))]
    pub outputs: usize,
    /// What is done between two layers.
    #[serde(default)]
    pub norm: Norm,
    /// Whether the linear layers have a bias.
    #[serde(default = "yes")]
    pub bias: bool,
}

/// A perceptron from a projection to a guess at another one; it gives as many values as it gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Predictor {
    /// Linear layers, 1 to 8.
    #[serde(default = "default_layers")]
    #[schemars(range(min = 1, max = 8))]
    pub layers: usize,
    /// Values between two layers, 1 to 65536; 128 by default.
    #[serde(default)]
    #[schemars(range(min = 1, max = 65536))]
    pub hidden: Option<usize>,
    /// What is done between two layers.
    #[serde(default)]
    pub norm: Norm,
    /// Whether the linear layers have a bias.
    #[serde(default = "yes")]
    pub bias: bool,
}

/// A copy of encoder and projector that follows them: after each step its weights are `decay` times themselves and
/// 1 − `decay` times theirs. It is trained by nothing else; its norms look at their own batches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Teacher {
    /// The decay at the begin, 0 to 1.
    #[serde(default = "default_decay")]
    #[schemars(range(min = 0, max = 1))]
    pub decay: f64,
    /// The decay at the end, which half a cosine leads to, 0 to 1 (BYOL, section 3.2).
    #[serde(default = "default_end")]
    #[schemars(range(min = 0, max = 1))]
    pub end: f64,
}

/// A product quantiser whose entries are chosen by a Gumbel softmax (wav2vec 2.0, section 2).
///
/// In training one entry of each group is drawn by its logits, the gradient being the softmax's; elsewhere the
/// likeliest is taken. The temperature is `temperature` · `decay`^step, at least `end`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quantizer {
    /// Groups, 1 to 16.
    #[serde(default = "default_groups")]
    #[schemars(range(min = 1, max = 16))]
    pub groups: usize,
    /// Entries of a group, 2 to 8192.
    #[serde(default = "default_entries")]
    #[schemars(range(min = 2, max = 8192))]
    pub entries: usize,
    /// Values of a quantised frame, a multiple of `groups` from 1 to 8192.
    #[serde(default = "default_dim")]
    #[schemars(range(min = 1, max = 8192))]
    pub dim: usize,
    /// Values in which frames are compared, 1 to 8192.
    #[serde(default = "default_dim")]
    #[schemars(range(min = 1, max = 8192))]
    pub projection: usize,
    /// The temperature at the begin, above 0 and at most 100.
    #[serde(default = "default_temperature")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 100))]
    pub temperature: f64,
    /// The least temperature, above 0 and at most 100.
    #[serde(default = "default_end_temperature")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 100))]
    pub end: f64,
    /// What the temperature is multiplied by at each step, above 0 and at most 1.
    #[serde(default = "default_temperature_decay")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    pub decay: f64,
}

fn yes() -> bool {
    true
}

fn default_layers() -> usize {
    2
}

/// Values between two layers where it is not said.
pub const HIDDEN: usize = 128;

fn default_outputs() -> usize {
    64
}

fn default_decay() -> f64 {
    0.996
}

fn default_end() -> f64 {
    1.0
}

fn default_groups() -> usize {
    2
}

fn default_entries() -> usize {
    320
}

fn default_dim() -> usize {
    256
}

fn default_temperature() -> f64 {
    2.0
}

fn default_end_temperature() -> f64 {
    0.5
}

fn default_temperature_decay() -> f64 {
    0.999995
}

impl Default for Projector {
    fn default() -> Self {
        let (layers, outputs) = (default_layers(), default_outputs());
        Self { layers, hidden: None, outputs, norm: Norm::None, bias: true }
    }
}

impl Default for Predictor {
    fn default() -> Self {
        Self { layers: default_layers(), hidden: None, norm: Norm::None, bias: true }
    }
}

impl Default for Teacher {
    fn default() -> Self {
        Self { decay: default_decay(), end: default_end() }
    }
}

impl Default for Quantizer {
    fn default() -> Self {
        Self {
            groups: default_groups(),
            entries: default_entries(),
            dim: default_dim(),
            projection: default_dim(),
            temperature: default_temperature(),
            end: default_end_temperature(),
            decay: default_temperature_decay(),
        }
    }
}

/// Checks the layers of a perceptron: a single one has nothing between.
fn check_layers(head: &str, layers: usize, hidden: Option<usize>, norm: Norm) -> Result<(), Invalid> {
    within(&format!("{head}.layers"), &layers, 1..=8)?;
    hidden.map_or(Ok(()), |hidden| within(&format!("{head}.hidden"), &hidden, 1..=65536))?;
    let message = "is not used: a single layer has nothing between";
    Invalid::unless(layers > 1 || hidden.is_none(), &format!("{head}.hidden"), message)?;
    Invalid::unless(layers > 1 || norm == Norm::None, &format!("{head}.norm"), message)
}

impl Projector {
    /// Checks the ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        check_layers("projector", self.layers, self.hidden, self.norm)?;
        within("projector.outputs", &self.outputs, 1..=65536)
    }
}

impl Predictor {
    /// Checks the ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        check_layers("predictor", self.layers, self.hidden, self.norm)
    }
}

impl Teacher {
    /// Checks the ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        within("teacher.decay", &self.decay, 0.0..=1.0)?;
        within("teacher.end", &self.end, 0.0..=1.0)
    }
}

impl Quantizer {
    /// Checks the ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        within("quantizer.groups", &self.groups, 1..=16)?;
        within("quantizer.entries", &self.entries, 2..=8192)?;
        within("quantizer.dim", &self.dim, 1..=8192)?;
        let right = self.dim.is_multiple_of(self.groups);
        Invalid::unless(right, "quantizer.dim", format!("must be a multiple of `groups`, {}", self.groups))?;
        within("quantizer.projection", &self.projection, 1..=8192)?;
        above_zero("quantizer.temperature", self.temperature, 100.0)?;
        above_zero("quantizer.end", self.end, 100.0)?;
        above_zero("quantizer.decay", self.decay, 1.0)
    }
}
