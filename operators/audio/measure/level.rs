//! RMS, peak and clipping.

use etude_pipeline::flow::Block;

use super::to_db;

/// From here on a sample counts as clipped. A little less than 1, for the highest sample of 16 bits
/// is 32767/32768 and an encoder or a change of gain moves what was cut off.
pub const FULL_SCALE: f32 = 0.999;

/// Sums that are added to at once.
const LANES: usize = 8;

/// RMS, peak and clipping of a signal, over the samples of all channels.
#[derive(Debug, Clone)]
pub struct Level {
    channels: Vec<Channel>,
    frames: u64,
}

/// Every eighth sample of a channel goes to the same lane, wherever a block begins: so the order of
/// additions, and with it the last bit of the sum, is that of the signal alone.
#[derive(Debug, Clone, Copy, Default)]
struct Channel {
    squares: [f64; LANES],
    peaks: [f32; LANES],
    clipped: [u64; LANES],
}

impl Channel {
    fn take(&mut self, lane: usize, sample: f32) {
        let magnitude = sample.abs();
        let wide = f64::from(sample);
        self.squares[lane] += wide * wide;
        self.peaks[lane] = if magnitude > self.peaks[lane] { magnitude } else { self.peaks[lane] };
        self.clipped[lane] += u64::from(magnitude >= FULL_SCALE);
    }

    /// Takes samples, the first of which belongs to `lane`.
    fn add(&mut self, lane: usize, samples: &[f32]) {
        let (head, samples) = samples.split_at(samples.len().min((LANES - lane) % LANES));
        for (lane, sample) in (lane..LANES).zip(head) {
            self.take(lane, *sample);
        }
        let rounds = samples.chunks_exact(LANES);
        let tail = rounds.remainder();
        for round in rounds {
            for (lane, sample) in round.iter().enumerate() {
                self.take(lane, *sample);
            }
        }
        for (lane, sample) in tail.iter().enumerate() {
            self.take(lane, *sample);
        }
    }
}

impl Level {
    /// Of so many channels.
    pub fn new(channels: usize) -> Self {
        Self { channels: vec![Channel::default(); channels], frames: 0 }
    }

    /// Begins anew.
    pub fn reset(&mut self) {
        self.channels.fill(Channel::default());
        self.frames = 0;
    }

    /// Takes the frames `from..to` of a block.
    pub fn add(&mut self, block: &Block, from: usize, to: usize) {
        let lane = (self.frames % LANES as u64) as usize;
        for (index, channel) in self.channels.iter_mut().enumerate().take(block.channels()) {
            channel.add(lane, &block.channel(index)[from..to]);
        }
        self.frames += (to - from) as u64;
    }

    /// Takes so many frames of silence.
    pub fn add_silence(&mut self, frames: u64) {
        self.frames += frames;
    }

    /// Frames so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    fn samples(&self) -> f64 {
        self.frames as f64 * self.channels.len() as f64
    }

    /// The mean square of all samples of all channels; NaN or infinite if a sample is.
    pub fn power(&self) -> f64 {
        let squares: f64 = self.channels.iter().flat_map(|channel| channel.squares).sum();
        if self.frames == 0 { 0.0 } else { squares / self.samples() }
    }

    /// Whether every sample is a number. The square of a finite sample never overflows a sum.
    pub fn is_finite(&self) -> bool {
        self.power().is_finite()
    }

    /// The RMS in dB of full scale: 0 is a square wave at full scale, −3.01 a sine.
    pub fn rms_db(&self) -> f64 {
        to_db(self.power().sqrt())
    }

    /// The highest magnitude of a sample.
    pub fn peak(&self) -> f64 {
        f64::from(self.channels.iter().flat_map(|channel| channel.peaks).fold(0.0, f32::max))
    }

    /// The highest magnitude of a sample in dB of full scale.
    pub fn peak_db(&self) -> f64 {
        to_db(self.peak())
    }

    /// The share of samples at or beyond [`FULL_SCALE`].
    pub fn clipping(&self) -> f64 {
        let clipped: u64 = self.channels.iter().flat_map(|channel| channel.clipped).sum();
        if self.frames == 0 { 0.0 } else { clipped as f64 / self.samples() }
    }
}
