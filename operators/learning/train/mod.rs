//! Trains an encoder.

use std::sync::Arc;

use etude_pipeline::flow::{ArtifactType, Flow};
use etude_pipeline::operator::{Body, Declare, Inputs, Invalid, Operator, Port, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoder::Encoder;
use crate::objective::Objective;
use crate::optimizer::{Optimizer, Schedule};
use crate::worker::Worker;

/// The name of the format.
pub const CHECKPOINT: &str = "checkpoint";

/// Trains an encoder on clips that shards keep; gives a checkpoint.
///
/// The item operators between the shards and this stage run again every epoch with that epoch's
/// randomness. The checkpoint holds `model.safetensors`, `initial.safetensors` (the weights before
/// the first step), `model.json` (how to rebuild the encoder) and `metrics.parquet` (a row a step).
/// The same seed and number of threads give the same weights.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// The encoder.
    pub encoder: Encoder,
    /// What stands between the encoder and the objective while it is trained.
    #[serde(default)]
    pub projector: Projector,
    /// What training makes small.
    pub objective: Objective,
    /// How gradients become steps.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// How the learning rate changes.
    #[serde(default)]
    pub schedule: Schedule,
    /// Clips of a step, 2 to 65536; a last batch that is not full is left out.
    #[serde(default = "default_batch")]
    #[schemars(range(min = 2, max = 65536))]
    pub batch: usize,
    /// How often each clip is seen, 1 to 1000000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub epochs: usize,
}

/// Linear, ReLU, linear.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Projector {
    /// Values between the two layers, 1 to 65536.
    #[serde(default = "default_hidden")]
    #[schemars(range(min = 1, max = 65536))]
    pub hidden: usize,
    /// Values of the result, 1 to 65536.
    #[serde(default = "default_outputs")]
    #[schemars(range(min = 1, max = 65536))]
    pub outputs: usize,
}

fn default_batch() -> usize {
    64
}

fn default_hidden() -> usize {
    128
}

fn default_outputs() -> usize {
    64
}

impl Default for Projector {
    fn default() -> Self {
        Self { hidden: default_hidden(), outputs: default_outputs() }
    }
}

impl Declare for Train {
    const NAME: &'static str = "train";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Dataset;
    const PORTS: &'static [Port] =
        &[Port { name: "from", many: false, about: "views of clips that shards keep" }];
}

impl Operator for Train {
    fn check(&self) -> Result<(), Invalid> {
        self.encoder.check()?;
        self.objective.check()?;
        self.optimizer.check()?;
        self.schedule.check()?;
        let width = 1..=65536;
        Invalid::unless(
            width.contains(&self.projector.hidden),
            "projector.hidden",
            "must be from 1 to 65536",
        )?;
        Invalid::unless(
            width.contains(&self.projector.outputs),
            "projector.outputs",
            "must be from 1 to 65536",
        )?;
        Invalid::unless((2..=65536).contains(&self.batch), "batch", "must be from 2 to 65536")?;
        Invalid::unless((1..=1_000_000).contains(&self.epochs), "epochs", "must be from 1 to 1000000")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, String> {
        let signal = etude_audio::clips(inputs)?;
        if signal.channels != Some(1) {
            return Err("expects mono clips: decode with `channels: mono`".into());
        }
        let rate = signal.rate.ok_or("expects one rate: put `op: resample` above it")?;
        let frames =
            signal.frames.ok_or("expects clips of equal length: segment with `tail: drop` or `pad`")?;
        self.encoder.check_signal(rate, frames)?;
        let views = self.objective.views();
        if signal.views != views {
            return Err(format!(
                "the objective compares {views} views of each clip, not {}: put `op: crop` with `views: {views}` above it",
                signal.views
            ));
        }
        Ok(Flow::Artifact(ArtifactType { format: CHECKPOINT, rate, width: self.encoder.width() }))
    }

    fn random(&self) -> bool {
        true
    }

    fn body(&self) -> Body {
        Body::Dataset(Arc::new(Worker))
    }
}
