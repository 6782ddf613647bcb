//! Samples as base64 of 16-bit numbers.

use std::io::{self, Write};

use super::{Bounds, Shown};

/// Steps between the least and the greatest value of features; the three numbers above stand for what is not finite.
const STEPS: f32 = 65532.0;
const NEGATIVE: u16 = 65533;
const POSITIVE: u16 = 65534;
const NO_NUMBER: u16 = 65535;

/// A signal with what it takes to write its samples.
///
/// Audio is signed, in parts of the largest magnitude, so that quiet signals lose nothing and loud ones keep what is
/// beyond full scale; what is not finite becomes silence. Features are steps from `low` to `high`.
pub struct Encoded<'a> {
    pub signal: &'a Shown,
    /// Frames that are written.
    pub held: usize,
    pub low: f32,
    pub high: f32,
    pub not_finite: usize,
}

impl<'a> Encoded<'a> {
    /// At most `share` samples of the signal.
    pub fn new(signal: &'a Shown, bounds: &Bounds, share: usize) -> Self {
        let there = signal.samples.iter().map(Vec::len).min().unwrap_or(0);
        let fit = share / signal.samples.len().max(1);
        let held = there.min(fit).min(bounds.frames(signal.rate, signal.hop));
        let mut encoded = Self { signal, held, low: f32::INFINITY, high: f32::NEG_INFINITY, not_finite: 0 };
        for sample in encoded.samples() {
            if sample.is_finite() {
                encoded.low = encoded.low.min(sample);
                encoded.high = encoded.high.max(sample);
            } else {
                encoded.not_finite += 1;
            }
        }
        if encoded.low > encoded.high {
            (encoded.low, encoded.high) = (0.0, 0.0);
        }
        encoded
    }

    pub fn channels(&self) -> usize {
        self.signal.samples.len()
    }

    /// The planes, where they divide the channels.
    pub fn planes(&self) -> usize {
        let planes = usize::from(self.signal.planes.max(1));
        if self.channels().is_multiple_of(planes) { planes } else { 1 }
    }

    pub fn is_cut(&self) -> bool {
        (self.held as u64) < self.signal.frames
    }

    /// The mask over what is held.
    pub fn mask(&self) -> Vec<(u64, u64)> {
        let held = self.held as u64;
        let spans = self.signal.mask.iter().map(|(from, to)| (*from, held.min(*to)));
        spans.filter(|(from, to)| from < to).collect()
    }

    /// The largest magnitude.
    fn peak(&self) -> f32 {
        self.high.max(-self.low)
    }

    fn samples(&self) -> impl Iterator<Item = f32> + use<'a> {
        let held = self.held;
        self.signal.samples.iter().flat_map(move |channel| &channel[..held]).copied()
    }

    /// Writes the samples, channel after channel.
    pub fn write(&self, output: &mut impl Write) -> io::Result<()> {
        let bytes = |sample: u16| sample.to_le_bytes();
        if self.signal.hop == 1 {
            let peak = f64::from(self.peak());
            let scale = if peak > 0.0 { 32767.0 / peak } else { 0.0 };
            let quantise = |sample: f32| (f64::from(sample) * scale).round() as i16 as u16;
            let finite = |sample: f32| if sample.is_finite() { sample } else { 0.0 };
            base64(self.samples().map(finite).map(quantise).flat_map(bytes), output)
        } else {
            let span = f64::from(self.high) - f64::from(self.low);
            let scale = if span > 0.0 { f64::from(STEPS) / span } else { 0.0 };
            let quantise = |value: f32| match value {
                value if value.is_nan() => NO_NUMBER,
                f32::INFINITY => POSITIVE,
                f32::NEG_INFINITY => NEGATIVE,
                value => ((f64::from(value) - f64::from(self.low)) * scale).round() as u16,
            };
            base64(self.samples().map(quantise).flat_map(bytes), output)
        }
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes bytes as base64.
pub fn base64(bytes: impl Iterator<Item = u8>, output: &mut impl Write) -> io::Result<()> {
    let mut text = Vec::with_capacity(8192);
    let (mut group, mut filled) = (0u32, 0);
    let letters = |group: u32| [18, 12, 6, 0].map(|shift| ALPHABET[(group >> shift) as usize & 63]);
    for byte in bytes {
        group = group << 8 | u32::from(byte);
        filled += 1;
        if filled == 3 {
            text.extend(letters(group));
            (group, filled) = (0, 0);
        }
        if text.len() + 4 > 8192 {
            output.write_all(&text)?;
            text.clear();
        }
    }
    if filled > 0 {
        text.extend(&letters(group << (8 * (3 - filled)))[..=filled]);
        text.extend(&b"=="[filled - 1..]);
    }
    output.write_all(&text)
}
