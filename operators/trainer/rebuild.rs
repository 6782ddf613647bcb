//! What a checkpoint says of its model, and the model from it.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use etude_learning::encoder::Encoder;
use etude_learning::train::{Projector, Train};
use serde::{Deserialize, Serialize};

use crate::checkpoint;
use crate::encoder::Cnn;
use crate::error::Error;
use crate::head;
use crate::model::Model;
use crate::parameters;

/// The weights after the last step, and before the first.
pub const TRAINED: &str = "model.safetensors";
pub const INITIAL: &str = "initial.safetensors";
const DESCRIPTION: &str = "model.json";

/// How to rebuild a model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Description {
    /// The version of this description.
    pub format: u32,
    /// Samples a second that the encoder is for.
    pub rate: u32,
    /// Encoder and projector, and how they were trained.
    pub train: Train,
    pub seed: u64,
    pub steps: usize,
}

impl Description {
    /// The model with weights drawn from the seed.
    pub fn model(&self, device: &Device) -> Model {
        let Encoder::Cnn(cnn) = &self.train.encoder;
        let encoder = Cnn::new(cnn, self.rate, self.seed, device);
        let Projector { hidden, outputs } = self.train.projector;
        let projector = head::Projector::new(encoder.width(), hidden, outputs, self.seed, device);
        Model { encoder, projector }
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
        if description.format != 1 {
            return Err(Error::Checkpoint(format!("format {} is not known", description.format)));
        }
        Ok(description)
    }
}

/// Keeps a model's weights under that name.
pub fn save(model: &Model, folder: &Path, name: &str) -> Result<(), Error> {
    checkpoint::write(&folder.join(name), &parameters::export(model)?)
}

/// The model of a checkpoint.
pub fn load(folder: &Path, name: &str, device: &Device) -> Result<Model, Error> {
    let model = Description::read(folder)?.model(device);
    parameters::import(model, &checkpoint::read(&folder.join(name))?)
}
