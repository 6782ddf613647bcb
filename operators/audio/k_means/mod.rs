//! Mini-batch k-means over frames.

mod centroids;
mod fit;
mod initial;
mod learn;
mod sample;
mod state;
#[cfg(test)]
mod tests;
mod threads;

use std::sync::Arc;
use std::time::Duration;

use etude_pipeline::Error;
use etude_pipeline::event::Reporter;
use etude_pipeline::flow::{ArtifactType, Flow};
use etude_pipeline::operator::{
    Body, ChainReport, Dataset, DatasetJob, Declare, Inputs, Invalid, Operator, Port, Scope,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::Expect;

pub use centroids::{Centroids, FORMAT, read};
use learn::{Learn, Pace};

/// Finds the centroids of frames by mini-batch k-means (Sculley 2010, "Web-scale k-means clustering"), for `assign`.
///
/// A step reads clips that are drawn at random, with replacement, and takes up to `frames_per_clip` frames of each (of
/// each view), about `batch_size` in all. Each centroid moves to the mean of all frames that were ever nearest to it,
/// those of before counting with their number. It begins with k-means++ (Arthur and Vassilvitskii 2007, with 2 + ln k
/// candidates a centroid) on three times as many frames as a step has, or as there are centroids. Whenever a centroid
/// has no frame, or ten frames have come for each centroid, those with fewer than `reassignment_ratio` times the frames
/// of the largest are put in the place of frames of the step; all as in scikit-learn's `MiniBatchKMeans`.
///
/// It leaves `centroids.parquet`: `centroid`, its number; `frames`, how many it counts; and `vector`. At its end it
/// tells the inertia a frame: the mean squared distance of a frame from its centroid, as a running mean over steps. A
/// run that is killed goes on from what was kept within the last half minute and comes to the same bytes, and so does
/// any number of threads. What is drawn above it is drawn as in the first epoch.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KMeans {
    /// Centroids, 2 to 65536. HuBERT has 100 of MFCCs, then 500 of its own features.
    #[schemars(range(min = 2, max = 65536))]
    clusters: usize,
    /// Steps, 1 to 1000000.
    #[serde(default = "default_steps")]
    #[schemars(range(min = 1, max = 1_000_000))]
    steps: u64,
    /// Frames of a step, 1 to 1000000. Fewer where clips have fewer than `frames_per_clip`.
    #[serde(default = "default_batch_size")]
    #[schemars(range(min = 1, max = 1_000_000))]
    batch_size: usize,
    /// Frames that are drawn from a clip, without replacement, 1 to 100000; all where it has no more. The fewer, the
    /// more clips a step reads and the less its frames resemble each other.
    #[serde(default = "default_frames_per_clip")]
    #[schemars(range(min = 1, max = 100_000))]
    frames_per_clip: usize,
    /// The share of the largest centroid's frames below which a centroid is put elsewhere, 0 to 1; 0 leaves all where
    /// they are.
    #[serde(default = "default_reassignment_ratio")]
    #[schemars(range(min = 0, max = 1))]
    reassignment_ratio: f64,
}

fn default_steps() -> u64 {
    1000
}

fn default_batch_size() -> usize {
    10_000
}

fn default_frames_per_clip() -> usize {
    100
}

fn default_reassignment_ratio() -> f64 {
    0.01
}

impl Declare for KMeans {
    const NAME: &'static str = "k_means";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Dataset;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for KMeans {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless((2..=65536).contains(&self.clusters), "clusters", "must be from 2 to 65536")?;
        Invalid::unless((1..=1_000_000).contains(&self.steps), "steps", "must be from 1 to 1000000")?;
        let batch_size = (1..=1_000_000).contains(&self.batch_size);
        Invalid::unless(batch_size, "batch_size", "must be from 1 to 1000000")?;
        let frames_per_clip = (1..=100_000).contains(&self.frames_per_clip);
        Invalid::unless(frames_per_clip, "frames_per_clip", "must be from 1 to 100000")?;
        let ratio = (0.0..=1.0).contains(&self.reassignment_ratio);
        Invalid::unless(ratio, "reassignment_ratio", "must be from 0 to 1")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let sampling = crate::signal(inputs)?.sampled()?;
        Ok(Flow::Artifact(ArtifactType {
            format: FORMAT,
            sampling,
            tokens: true,
            width: usize::from(sampling.channels),
        }))
    }

    fn random(&self) -> bool {
        true
    }

    fn body(&self) -> Body {
        Body::Dataset(Arc::new(self.clone()))
    }
}

impl Dataset for KMeans {
    fn run(
        &self,
        job: &DatasetJob,
        reporter: &Reporter,
        cancel: &CancellationToken,
    ) -> Result<ChainReport, Error> {
        let pace = Pace { tell: Duration::from_millis(500), keep: Duration::from_secs(30) };
        Learn::of(self, job, reporter, cancel, pace)?.run()
    }

    fn resumes(&self) -> bool {
        true
    }
}
