//! Clips to spectrograms.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{self, Body, Context, Output, Step, Stop};
use realfft::num_complex::Complex;

use super::bank::Bank;
use super::bins::Bin;
use super::transform::Transform;
use super::{Cqt, Values, plan};

/// The kernels by rate, group of bins and frames of a block, the same for all threads.
type Banks = Arc<Mutex<HashMap<(u32, usize, usize), Arc<Bank>>>>;

pub fn body(cqt: &Cqt) -> Body {
    let (cqt, banks) = (cqt.clone(), Banks::default());
    Body::Map(Box::new(move |context| {
        Box::new(Work {
            cqt: cqt.clone(),
            context,
            banks: Arc::clone(&banks),
            groups: Vec::new(),
            rate: 0,
            header: Header::default(),
            clip: Vec::new(),
            spectrogram: Block::default(),
            part: Block::default(),
        })
    }))
}

/// Bytes of the buffers of a thread, for clips of 48,000 samples a second.
pub fn memory(cqt: &Cqt) -> u64 {
    // Samples and their spectrum, and up to one and a half times the whole spectrum, twice, in parts.
    const BYTES: usize = 4 + 4 + 8 + 2 * 12;
    let samples = |group: Vec<Bin>| plan::samples(group[0].kernel.reach());
    cqt.groups(48_000).into_iter().map(|group| (samples(group) * BYTES) as u64).sum()
}

struct Work {
    cqt: Cqt,
    context: Context,
    banks: Banks,
    /// The bins at `rate`, the lowest first.
    groups: Vec<Group>,
    rate: u32,
    header: Header,
    clip: Vec<f32>,
    spectrogram: Block,
    part: Block,
}

/// Bins that are computed together.
struct Group {
    bins: Vec<Bin>,
    transform: Transform,
}

impl Work {
    /// Computes the frames of the clip that has been collected.
    fn transform(&mut self, frames: usize) -> Step {
        let spectrogram = &mut self.spectrogram;
        spectrogram.resize(self.cqt.channels(), frames);
        let hop = self.cqt.hop as usize;
        for (index, Group { bins, transform }) in self.groups.iter_mut().enumerate() {
            let reach = bins[0].kernel.reach();
            let blocks = plan::blocks(frames, hop, reach);
            let bank = {
                let mut banks = self.banks.lock().unwrap_or_else(PoisonError::into_inner);
                let bank = || Arc::new(Bank::new(bins, blocks.size, hop));
                Arc::clone(banks.entry((self.rate, index, blocks.size)).or_insert_with(bank))
            };
            for first in (0..frames).step_by(blocks.frames) {
                self.context.check()?;
                let last = frames.min(first + blocks.frames);
                let samples = transform.samples(&bank);
                let (after, before) = samples.split_at_mut(samples.len() - reach);
                let middle = (first * hop) as isize;
                self.cqt.padding.copy(&self.clip, middle, after);
                self.cqt.padding.copy(&self.clip, middle - reach as isize, before);
                let done = transform.run(&bank, |places, values| {
                    for place in places {
                        self.cqt.put(*place, &values[..last - first], first, spectrogram);
                    }
                });
                done.map_err(|error| Stop::Rejected {
                    class: "fft",
                    offset: String::new(),
                    message: error.to_string(),
                })?;
            }
        }
        Ok(())
    }
}

impl Cqt {
    /// Writes frames of a bin, from `first` on.
    fn put(&self, place: usize, frames: &[Complex<f32>], first: usize, spectrogram: &mut Block) {
        let n_bins = usize::from(self.n_bins);
        let (harmonic, bin) = (place / n_bins, place % n_bins);
        let mut write = |channel: usize, value: fn(&Complex<f32>) -> f32| {
            let row = &mut spectrogram.channel_mut(channel)[first..];
            row.iter_mut().zip(frames).for_each(|(cell, frame)| *cell = value(frame));
        };
        match self.values {
            Values::Magnitude => write(place, |frame| frame.norm_sqr().sqrt()),
            Values::Power => write(place, Complex::norm_sqr),
            Values::Complex => {
                write(2 * harmonic * n_bins + bin, |frame| frame.re);
                write((2 * harmonic + 1) * n_bins + bin, |frame| frame.im);
            }
        }
    }
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, _: &mut dyn Output) -> Step {
        if header.rate != self.rate {
            self.rate = header.rate;
            let group = |bins| Group { bins, transform: Transform::default() };
            self.groups = self.cqt.groups(header.rate).into_iter().map(group).collect();
        }
        self.clip.clear();
        self.header.clone_from(header);
        Ok(())
    }

    fn block(&mut self, block: &mut Block, _: &mut dyn Output) -> Step {
        self.clip.extend_from_slice(block.channel(0));
        Ok(())
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        let framing = self.cqt.framing();
        let frames = framing.frames(self.clip.len() as u64);
        if frames == 0 {
            output.count("too_short", 1);
        }
        self.header.frames = Some(frames);
        framing.mask(&mut self.header);
        self.header.hop = self.cqt.hop;
        self.header.channels = self.cqt.channels() as u16;
        self.header.planes = self.cqt.planes() as u16;
        output.begin(&self.header)?;
        self.transform(frames as usize)?;
        let all = (0, self.spectrogram.frames());
        crate::give(&self.spectrogram, all, self.context.block, &mut self.part, output)?;
        output.end()
    }
}
