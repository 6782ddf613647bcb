//! The cosine transform of bands.

use std::f64::consts::PI;

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Map, Output, Step};

use super::{Mfcc, Norm};
use crate::framed::{LANES, Matrix, Row};

/// Turns the bands of each frame into coefficients.
pub struct Cepstrum {
    weights: Matrix,
    bands: Vec<Row>,
    coefficients: Vec<Row>,
    header: Header,
    cepstrum: Block,
}

impl Cepstrum {
    pub fn new(mfcc: &Mfcc) -> Self {
        let n_mels = mfcc.mel.n_mels;
        Self {
            weights: Matrix::new(&weights(mfcc), n_mels),
            bands: vec![[0.0; LANES]; n_mels],
            coefficients: vec![[0.0; LANES]; mfcc.n_mfcc],
            header: Header::default(),
            cepstrum: Block::default(),
        }
    }
}

/// The weights of the coefficients: [n_mfcc, n_mels], row after row.
fn weights(mfcc: &Mfcc) -> Vec<f32> {
    let n_mels = mfcc.mel.n_mels as f64;
    let row = |index: usize| {
        let norm = match (mfcc.norm, index) {
            (Norm::Ortho, 0) => (1.0 / n_mels).sqrt(),
            (Norm::Ortho, _) => (2.0 / n_mels).sqrt(),
            (Norm::None, _) => 2.0,
        };
        let lifter = match mfcc.lifter {
            0.0 => 1.0,
            lifter => 1.0 + lifter / 2.0 * (PI * (index + 1) as f64 / lifter).sin(),
        };
        let weight = move |band: usize| {
            let angle = PI * index as f64 * (band as f64 + 0.5) / n_mels;
            (norm * lifter * angle.cos()) as f32
        };
        (0..mfcc.mel.n_mels).map(weight)
    };
    (0..mfcc.n_mfcc).flat_map(row).collect()
}

impl Map for Cepstrum {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        self.header.clone_from(header);
        self.header.channels = self.coefficients.len() as u16;
        output.begin(&self.header)
    }

    fn block(&mut self, block: &mut Block, output: &mut dyn Output) -> Step {
        let frames = block.frames();
        self.cepstrum.resize(self.coefficients.len(), frames);
        for at in (0..frames).step_by(LANES) {
            let lanes = LANES.min(frames - at);
            for (band, row) in self.bands.iter_mut().enumerate() {
                row[..lanes].copy_from_slice(&block.channel(band)[at..at + lanes]);
            }
            self.weights.product(&self.bands, &mut self.coefficients);
            for (index, row) in self.coefficients.iter().enumerate() {
                self.cepstrum.channel_mut(index)[at..at + lanes].copy_from_slice(&row[..lanes]);
            }
        }
        output.block(&mut self.cepstrum)
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        output.end()
    }
}
