//! Turns clips into vectors.

use std::sync::Arc;

use etude_audio::{Expect, vectors};
use etude_pipeline::flow::Flow;
use etude_pipeline::operator::{Body, Declare, Inputs, Invalid, Operator, Port, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::train::{CHECKPOINT, in_time};
use crate::worker::Worker;

/// Turns each clip into a vector with the encoder of a checkpoint, and keeps the table.
///
/// A row has the item, the start, the view, and what was drawn for it. The encoder sees the whole clip. A clip that is too short for its front-end gives no row;
/// the run says how many.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Embed {
    /// Which of the checkpoint's weights.
    #[serde(default)]
    pub weights: Weights,
    /// Where it is computed: `auto`, `cpu` or `cuda:N`.
    #[serde(default)]
    #[schemars(extend("x-kind" = "location"))]
    pub device: Device,
    /// Clips at a time, 1 to 4096.
    #[serde(default = "default_batch")]
    #[schemars(range(min = 1, max = 4096))]
    pub batch: usize,
}

fn default_batch() -> usize {
    16
}

/// Which of a checkpoint's weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// Those after the last step.
    #[default]
    Trained,
    /// Those before the first step: the same encoder untrained.
    Initial,
    /// The teacher's, after the last step.
    Teacher,
}

impl Declare for Embed {
    const NAME: &'static str = "embed";
    const VERSION: u32 = 3;
    const SCOPE: Scope = Scope::Dataset;
    const PORTS: &'static [Port] = &[
        Port { name: "from", many: false, optional: false, about: "clips that shards keep" },
        Port { name: "model", many: false, optional: false, about: "the stage that trained the encoder" },
    ];
}

impl Operator for Embed {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless((1..=4096).contains(&self.batch), "batch", "must be from 1 to 4096")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = crate::encoder::clips(inputs)?;
        let model = match inputs.one("model")? {
            Flow::Artifact(artifact) if artifact.format == CHECKPOINT => artifact,
            other => {
                return Err(Invalid::of("model", format!("`model` expects a {CHECKPOINT}, not {other}")));
            }
        };
        if signal.masking.hides() {
            return Err(
                "what is masked with `fill: learned` would be seen: choose another fill, or leave it out"
                    .into(),
            );
        }
        if !model.tokens {
            in_time(&signal, "the model")?;
        }
        match signal.sampled()? {
            sampling if sampling == model.sampling => {}
            sampling => {
                let trained = model.sampling;
                let message = format!("the model was trained on {trained}, the clips are {sampling}");
                return Err(Invalid::of("model", message));
            }
        }
        Ok(Flow::Table(vectors::schema(model.width, &signal.drawn)))
    }

    fn body(&self) -> Body {
        Body::Dataset(Arc::new(Worker { resumes: false, asks: false }))
    }
}
