//! The file of statistics.

use std::fs;
use std::path::Path;

use etude_pipeline::Error;
use serde::{Deserialize, Serialize};

use super::moments::Moments;

/// The name of the file.
const FILE: &str = "statistics.json";

/// What was learnt of each channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Learnt {
    pub channels: u16,
    /// Frames that it was learnt from.
    pub frames: u64,
    /// For each channel.
    pub mean: Vec<f64>,
    /// Likewise the standard deviation of the population; 0 where a channel is constant.
    pub std: Vec<f64>,
}

impl Learnt {
    /// What moments come to; none without a frame.
    pub(super) fn of(channels: &[Moments]) -> Option<Self> {
        let frames = channels.first()?.count;
        (frames > 0).then_some(())?;
        Some(Self {
            channels: u16::try_from(channels.len()).ok()?,
            frames,
            mean: channels.iter().map(|moments| moments.mean).collect(),
            std: channels.iter().map(Moments::deviation).collect(),
        })
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(FILE);
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        fs::write(&path, text).map_err(Error::io(&path))
    }
}

/// What a stage of `statistics` has learnt, from its folder.
///
/// Errors: no such file, or one that is not as it was written.
pub fn read(folder: &Path) -> Result<Learnt, Error> {
    let path = folder.join(FILE);
    let text = fs::read(&path).map_err(Error::io(&path))?;
    let wrong = |message: String| Error::Store { path: path.clone(), message };
    let learnt: Learnt = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    let channels = usize::from(learnt.channels);
    if learnt.mean.len() != channels || learnt.std.len() != channels {
        return Err(wrong(format!("does not have a mean and a deviation for each of {channels} channels")));
    }
    Ok(learnt)
}
