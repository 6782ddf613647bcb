//! Log-mel spectrograms in the data path.

use std::sync::Arc;

use etude_pipeline::flow::{Block, Flow, Header, SignalType};
use etude_pipeline::operator::{
    self, Body, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step, Stop,
};
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::mel::{LOG_OFFSET, Mel, filterbank, window};

/// Turns mono audio into log-mel spectrograms: ln(mel power + 10⁻⁶).
///
/// The output has `n_mels` channels, and a frame every `hop` samples. A signal shorter than
/// `n_fft` has no frame.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct LogMel {
    mel: Mel,
}

impl Declare for LogMel {
    const NAME: &'static str = "log_mel";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for LogMel {
    fn check(&self) -> Result<(), Invalid> {
        self.mel.check("")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, String> {
        let signal = crate::audio(inputs)?;
        if signal.channels != Some(1) {
            return Err("expects mono audio: decode with `channels: mono`".into());
        }
        let rate = signal.rate.ok_or("expects one rate: put `op: resample` above it")?;
        self.mel.check_rate(rate)?;
        let channels = Some(u16::try_from(self.mel.n_mels).map_err(|error| error.to_string())?);
        let hop = u32::try_from(self.mel.hop).map_err(|error| error.to_string())?;
        let frames = signal.frames.map(|frames| self.mel.frames(frames));
        let most_frames = signal.most_frames.map(|frames| self.mel.frames(frames));
        Ok(Flow::Signal(SignalType { hop, channels, frames, most_frames, ..signal }))
    }

    fn body(&self) -> Body {
        let mel = self.mel.clone();
        Body::Map(Box::new(move |_| Box::new(Work::new(mel.clone()))))
    }
}

struct Work {
    mel: Mel,
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// Of each band: the first bin and the weights from there on, for `rate`.
    bands: Vec<(usize, Vec<f32>)>,
    rate: u32,
    input: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    /// Samples that no frame has used up, and how many more are to be left out first.
    waiting: Vec<f32>,
    skip: usize,
}

impl Work {
    fn new(mel: Mel) -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(mel.n_fft);
        Self {
            window: window(&mel),
            bands: Vec::new(),
            rate: 0,
            input: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            waiting: Vec::new(),
            skip: 0,
            fft,
            mel,
        }
    }

    fn frame(&mut self, at: usize, column: &mut [f32]) -> Step {
        let samples = &self.waiting[at..at + self.mel.n_fft];
        for ((input, sample), weight) in self.input.iter_mut().zip(samples).zip(&self.window) {
            *input = sample * weight;
        }
        let done = self.fft.process_with_scratch(&mut self.input, &mut self.spectrum, &mut self.scratch);
        done.map_err(|error| Stop::Rejected {
            class: "fft",
            offset: String::new(),
            message: error.to_string(),
        })?;
        for (value, (first, weights)) in column.iter_mut().zip(&self.bands) {
            let bins = self.spectrum[*first..].iter().zip(weights);
            let power: f32 = bins.map(|(bin, weight)| bin.norm_sqr() * weight).sum();
            *value = (power + LOG_OFFSET).ln();
        }
        Ok(())
    }
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        if header.rate != self.rate {
            self.rate = header.rate;
            let weights = filterbank(&self.mel, header.rate);
            let trim = |row: &[f32]| {
                let first = row.iter().position(|weight| *weight > 0.0).unwrap_or(0);
                let last = row.iter().rposition(|weight| *weight > 0.0).map_or(first, |last| last + 1);
                (first, row[first..last].to_vec())
            };
            self.bands = weights.chunks(self.mel.n_fft / 2 + 1).map(trim).collect();
        }
        self.waiting.clear();
        self.skip = 0;
        output.begin(&Header {
            hop: self.mel.hop as u32,
            channels: self.mel.n_mels as u16,
            frames: header.frames.map(|frames| self.mel.frames(frames)),
            ..header.clone()
        })
    }

    fn block(&mut self, block: Block, output: &mut dyn Output) -> Step {
        let samples = block.channel(0);
        let skip = self.skip.min(samples.len());
        self.skip -= skip;
        self.waiting.extend_from_slice(&samples[skip..]);
        let frames = self.mel.frames(self.waiting.len() as u64) as usize;
        if frames == 0 {
            return Ok(());
        }
        let mut column = vec![0.0; self.mel.n_mels];
        let mut features = Block::zeros(self.mel.n_mels, frames);
        for frame in 0..frames {
            self.frame(frame * self.mel.hop, &mut column)?;
            for (channel, value) in column.iter().enumerate() {
                features.channel_mut(channel)[frame] = *value;
            }
        }
        let used = frames * self.mel.hop;
        self.skip = used.saturating_sub(self.waiting.len());
        self.waiting.drain(..used.min(self.waiting.len()));
        output.block(features)
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        output.end()
    }
}
