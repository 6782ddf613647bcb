//! Behind the transform: the filters of RFC 6716, sections 4.3.7.1 and 4.3.7.2.

use multiversion::multiversion;

use super::tables::{LONGEST, SHORT};

/// The longest period of the postfilter, with its taps.
const REACH: usize = 1024 + 2;

/// The shortest period of the postfilter.
const SHORTEST: usize = 15;

/// By how much of the last sample is added to each.
const DEEMPHASIS: f32 = 0.850_006_1;

/// Samples that are filtered at once.
const LANES: usize = 8;

/// A filter that brings harmonics out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Postfilter {
    pub(super) period: usize,
    pub(super) gain: f32,
    pub(super) taps: usize,
}

impl Postfilter {
    pub(super) const NONE: Self = Self { period: 0, gain: 0.0, taps: 0 };

    /// The gain of the sample a period before, and of its neighbours, from near to far.
    fn gains(self) -> [f32; 3] {
        const GAINS: [[f32; 3]; 3] = [
            [0.306_640_63, 0.217_041_02, 0.129_638_67],
            [0.463_867_2, 0.268_066_4, 0.0],
            [0.799_804_7, 0.100_097_656, 0.0],
        ];
        GAINS[self.taps].map(|gain| self.gain * gain)
    }

    fn period(self) -> usize {
        self.period.max(SHORTEST)
    }
}

/// The samples of a channel.
pub(super) struct Output {
    /// What came before, a frame, and half of what the next block overlaps.
    samples: Vec<f32>,
    /// Where the frame begins.
    at: usize,
    /// The last samples that were given.
    last: [f32; LANES],
}

/// Samples that are kept: many frames, so that they are seldom moved.
const ROOM: usize = 8 * LONGEST;

impl Output {
    pub(super) fn new() -> Self {
        Self { samples: vec![0.0; ROOM], at: REACH, last: [0.0; LANES] }
    }

    /// Room for a frame and what overlaps.
    pub(super) fn frame(&mut self, length: usize) -> &mut [f32] {
        &mut self.samples[self.at..self.at + length + SHORT / 2]
    }

    /// Filters a frame: its first block as those before, then from one filter to the next.
    pub(super) fn postfilter(&mut self, length: usize, filters: [Postfilter; 3], window: &[f32; SHORT]) {
        let [before, last, next] = filters;
        let frame = self.at..self.at + length;
        comb(&mut self.samples, frame.start..frame.start + SHORT, before, last, window);
        if length > SHORT {
            comb(&mut self.samples, frame.start + SHORT..frame.end, last, next, window);
        }
    }

    /// Gives a frame and makes room for the next.
    pub(super) fn give(&mut self, length: usize, out: &mut [f32]) {
        deemphasise(&self.samples[self.at + 1 - LANES..self.at + length], &mut self.last, out);
        self.at += length;
        if self.at + LONGEST + SHORT > ROOM {
            self.samples.copy_within(self.at - REACH..self.at + SHORT / 2, 0);
            self.at = REACH;
        }
    }
}

/// Adds the samples of a period before; where filters change, over what blocks overlap.
fn comb(
    samples: &mut [f32],
    range: std::ops::Range<usize>,
    from: Postfilter,
    to: Postfilter,
    window: &[f32; SHORT],
) {
    if from.gain == 0.0 && to.gain == 0.0 {
        return;
    }
    let mut begin = range.start;
    if from != to {
        let (old, new) = (from.gains(), to.gains());
        let tap = |samples: &[f32], at: usize, gains: [f32; 3], part: f32| {
            part * (gains[0] * samples[at]
                + gains[1] * (samples[at - 1] + samples[at + 1])
                + gains[2] * (samples[at - 2] + samples[at + 2]))
        };
        for (at, window) in (begin..).zip(window) {
            let part = window * window;
            samples[at] +=
                tap(samples, at - from.period(), old, 1.0 - part) + tap(samples, at - to.period(), new, part);
        }
        begin += SHORT;
    }
    if to.gain != 0.0 && begin < range.end {
        steady(&mut samples[..range.end], begin, to.period(), to.gains());
    }
}

/// Adds the samples of a period before, where it is at least 15.
#[multiversion(targets("x86_64+avx2"))]
fn steady(samples: &mut [f32], begin: usize, period: usize, gains: [f32; 3]) {
    let mut at = begin;
    // No sample of a group depends on another of it.
    while let Some(group) = samples.get(at - period - 2..at - period + LANES + 2) {
        let mut add = [0.0; LANES];
        for lane in 0..LANES {
            add[lane] = gains[0] * group[lane + 2]
                + gains[1] * (group[lane + 1] + group[lane + 3])
                + gains[2] * (group[lane] + group[lane + 4]);
        }
        let Some(to) = samples.get_mut(at..at + LANES) else { break };
        to.iter_mut().zip(add).for_each(|(to, add)| *to += add);
        at += LANES;
    }
}

/// Low frequencies were made quieter: brings them back. In front of the samples are those before, one fewer than
/// lanes.
#[multiversion(targets("x86_64+avx2"))]
fn deemphasise(samples: &[f32], last: &mut [f32; LANES], out: &mut [f32]) {
    /// What a sample adds to those behind it, scaled to full scale at 1.
    const POWERS: [f32; LANES + 1] = {
        let (mut powers, mut lane) = ([1.0; LANES + 1], 1);
        while lane <= LANES {
            powers[lane] = powers[lane - 1] * DEEMPHASIS;
            lane += 1;
        }
        powers
    };
    /// Keeps silence from becoming numbers that are slow.
    const LITTLE: f32 = 1e-30;
    for (at, out) in out.chunks_exact_mut(LANES).enumerate() {
        let samples = &samples[at * LANES..at * LANES + 2 * LANES - 1];
        let mut sums = [LITTLE; LANES];
        for (power, gain) in POWERS[..LANES].iter().enumerate() {
            let from = &samples[LANES - 1 - power..2 * LANES - 1 - power];
            sums.iter_mut().zip(from).for_each(|(sum, sample)| *sum += gain * sample);
        }
        for (last, sum) in last.iter_mut().zip(sums) {
            *last = sum + POWERS[LANES] * *last;
        }
        out.iter_mut().zip(&*last).for_each(|(out, sample)| *out = sample / 32768.0);
    }
}
