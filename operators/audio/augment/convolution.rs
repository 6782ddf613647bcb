//! Convolution of clips with impulse responses, in the frequency domain.

use std::cell::RefCell;

use etude_pipeline::flow::Block;
use rustfft::num_complex::Complex;

/// An impulse response, ready for clips of some length.
pub struct Response {
    /// Where it is strongest: that comes to lie where the clip's sample lies.
    peak: usize,
    taps: usize,
    /// Samples of a transform.
    size: usize,
    /// The spectrum of each channel.
    spectra: Vec<Vec<Complex<f32>>>,
}

/// What a thread works in, kept from clip to clip.
#[derive(Default)]
struct Work {
    /// A channel as it was, with silence before it and behind.
    samples: Vec<f32>,
    part: Vec<f32>,
    bins: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
}

thread_local!(static WORK: RefCell<Work> = RefCell::default());

impl Response {
    /// Prepares an impulse response for clips of so many frames; none of one that is silent.
    pub fn of(impulse: &Block, frames: usize) -> Option<Self> {
        let loudness = |at: usize| {
            (0..impulse.channels()).fold(0f32, |most, channel| most.max(impulse.channel(channel)[at].abs()))
        };
        // Of equals the first.
        let peak =
            (0..impulse.frames()).fold(0, |best, at| if loudness(at) > loudness(best) { at } else { best });
        if impulse.frames() == 0 || loudness(peak) == 0.0 {
            return None;
        }
        // What would come behind the clip's end is not needed.
        let taps = impulse.frames().min(peak + frames);
        let size = size(taps, frames);
        let spectrum = |channel: usize| {
            crate::spectrum::real(size, |forward, _| {
                let mut samples = forward.make_input_vec();
                // Transforms there and back scale by their size.
                let scaled = impulse.channel(channel)[..taps].iter().map(|sample| sample / size as f32);
                samples.iter_mut().zip(scaled).for_each(|(sample, tap)| *sample = tap);
                let mut bins = forward.make_output_vec();
                // The lengths are those of the plan: nothing can be wrong.
                let _ = forward.process(&mut samples, &mut bins);
                bins
            })
        };
        Some(Self { peak, taps, size, spectra: (0..impulse.channels()).map(spectrum).collect() })
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.spectra.len() * (self.size / 2 + 1) * size_of::<Complex<f32>>()
    }

    /// Convolves each channel of a clip with its own response, or all with the only one.
    pub fn run(&self, clip: &mut Block) {
        WORK.with_borrow_mut(|work| {
            for channel in 0..clip.channels() {
                let spectrum = &self.spectra[if self.spectra.len() == 1 { 0 } else { channel }];
                self.convolve(clip.channel_mut(channel), spectrum, work);
            }
        });
    }

    /// Overlap-save: of each part that is transformed, what went round is left out.
    fn convolve(&self, samples: &mut [f32], spectrum: &[Complex<f32>], work: &mut Work) {
        let Work { samples: padded, part, bins, scratch } = work;
        let (round, step) = (self.taps - 1, self.size - (self.taps - 1));
        padded.clear();
        padded.resize(round, 0.0);
        padded.extend_from_slice(samples);
        padded.resize(round + samples.len() + self.peak + self.size, 0.0);
        bins.resize(self.size / 2 + 1, Complex::default());
        crate::spectrum::real(self.size, |forward, inverse| {
            scratch.resize(forward.get_scratch_len().max(inverse.get_scratch_len()), Complex::default());
            for (index, given) in samples.chunks_mut(step).enumerate() {
                let begin = index * step + self.peak;
                part.clear();
                part.extend_from_slice(&padded[begin..begin + self.size]);
                // The lengths are those of the plans: nothing can be wrong.
                let _ = forward.process_with_scratch(part, bins, scratch);
                bins.iter_mut().zip(spectrum).for_each(|(bin, factor)| *bin *= factor);
                // Those of a real signal are real.
                bins[0].im = 0.0;
                bins[self.size / 2].im = 0.0;
                let _ = inverse.process_with_scratch(bins, part, scratch);
                given.copy_from_slice(&part[round..round + given.len()]);
            }
        });
    }
}

/// The size of transforms, a power of two, that costs least for so many taps and frames.
fn size(taps: usize, frames: usize) -> usize {
    let cost = |size: usize| frames.div_ceil(size - (taps - 1)) as f64 * size as f64 * (size as f64).log2();
    let smallest = (taps + 1).next_power_of_two();
    let largest = (taps + frames).next_power_of_two();
    let sizes = std::iter::successors(Some(smallest), |size| Some(size * 2).filter(|size| *size <= largest));
    sizes.min_by(|a, b| cost(*a).total_cmp(&cost(*b))).unwrap_or(smallest)
}
