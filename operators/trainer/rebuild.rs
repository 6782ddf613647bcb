//! What a checkpoint says of its encoder, and the encoder from it.

use std::fs;
use std::path::Path;

use etude_learning::device::Device;
use etude_learning::train::Train;
use etude_pipeline::flow::Sampling;
use serde::{Deserialize, Serialize};

use crate::checkpoint;
use crate::encoder::Encoder;
use crate::error::Error;
use crate::parameters::{self, Tensors};
use crate::scope::Scope;
use crate::torch::{Named, named};

/// The weights after the last step, before the first, and the teacher's after the last.
pub const TRAINED: &str = "model.safetensors";
pub const INITIAL: &str = "initial.safetensors";
pub const TEACHER: &str = "teacher.safetensors";
const DESCRIPTION: &str = "model.json";
const FORMAT: u32 = 3;

/// How to rebuild an encoder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Description {
    /// The version of this description.
    pub format: u32,
    /// The clips that the encoder is for.
    pub sampling: Sampling,
    /// The encoder, and how it was trained.
    pub train: Train,
    pub seed: u64,
    pub steps: u64,
}

impl Description {
    /// Of a training: without where it was done, which is nothing to what it came to.
    pub fn new(train: &Train, sampling: Sampling, seed: u64, steps: u64) -> Self {
        let train = Train { device: Device::default(), tensorboard: None, init_file: None, ..train.clone() };
        let mut train = Train { save: etude_learning::train::default_save(), deterministic: false, ..train };
        // What another version would take by default may be something else.
        train.encoder.settle(sampling);
        Self { format: FORMAT, sampling, train, seed, steps }
    }

    /// Keeps the description.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        Ok(fs::write(folder.join(DESCRIPTION), serde_json::to_string_pretty(self)?)?)
    }

    /// Reads a checkpoint's description.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(DESCRIPTION);
        let file = |source| Error::File { path: path.clone(), source };
        let description: Self = serde_json::from_str(&fs::read_to_string(&path).map_err(file)?)?;
        if description.format != FORMAT {
            return Err(Error::Checkpoint(format!("format {} is not known", description.format)));
        }
        Ok(description)
    }

    /// The encoder with the weights of that name.
    pub fn encoder(&self, folder: &Path, weights: &str, device: tch::Device) -> Result<Encoder, Error> {
        let path = folder.join(weights);
        if weights == TEACHER && !path.exists() {
            return Err(Error::Input("the checkpoint has no teacher: its objective uses none".into()));
        }
        let scope = Scope::root(self.seed, device).at("encoder");
        let encoder = Encoder::new(&self.train.encoder, self.sampling, &scope);
        let tensors: Named =
            named(&encoder).into_iter().map(|(name, tensor)| (format!("encoder.{name}"), tensor)).collect();
        parameters::load(&tensors, &checkpoint::read(&path)?)?;
        Ok(encoder)
    }
}

/// Keeps tensors under that name.
pub fn save(tensors: &Tensors, folder: &Path, name: &str) -> Result<(), Error> {
    checkpoint::write(&folder.join(name), tensors)
}
