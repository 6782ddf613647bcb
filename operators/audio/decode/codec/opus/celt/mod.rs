//! CELT, the part of Opus that music is coded with: RFC 6716, section 4.3.
//!
//! It is written for what most pipelines want, the mean of two channels, and for processors of today. What is
//! left out: that of hybrid frames, and of packets that are lost.

mod allocation;
mod bands;
mod energy;
mod imdct;
mod output;
mod pulses;
mod range;
mod tables;

use bands::{Bands, Folds};
use energy::Energies;
use imdct::Imdct;
use output::{Output, Postfilter};
use pulses::Spread;
use range::Range;
use tables::{BANDS, CHANGES_OF_RESOLUTION, EDGES, LONGEST, MEANS, SHORT, width};

/// A bit in eighths.
const BIT: i32 = 8;

/// Bits that a band's amplitude has at most besides the coarse ones.
const MAX_FINE: i32 = 8;

/// log2 of the amplitude in a band that is silent.
const SILENT: f32 = -28.0;

/// What is known of a frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// Channels that are coded.
    channels: usize,
    /// Short blocks that it is as long as, log2.
    size: usize,
    /// Its bands.
    end: usize,
    /// Whether it is coded in short blocks.
    short: bool,
}

impl Frame {
    /// Of a packet's first byte, where it is all CELT's.
    pub(super) fn of(head: u8) -> Option<Self> {
        let kind = (head >> 3).checked_sub(16)?;
        let end = [13, 17, 19, 21][usize::from(kind >> 2)];
        let channels = 1 + usize::from(head >> 2 & 1);
        Some(Self { channels, size: usize::from(kind & 3), end, short: false })
    }

    /// Blocks of 2.5 ms that it is as long as, log2.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Samples of a channel.
    pub(super) fn length(&self) -> usize {
        SHORT << self.size
    }

    /// Lines of a band.
    fn lines(&self, band: usize) -> usize {
        width(band) << self.size
    }
}

/// Decodes frames.
pub(super) struct Celt {
    /// What came before.
    energies: Energies,
    last: Energies,
    last_but_one: Energies,
    seed: u32,
    postfilters: [Postfilter; 2],
    /// One for each channel that is given.
    outputs: Vec<Output>,
    /// Room.
    imdct: Imdct,
    shapes: Box<[[f32; LONGEST]; 2]>,
    folds: Box<Folds>,
    lines: Box<[f32; LONGEST]>,
}

impl Celt {
    /// A decoder that gives one channel or two.
    pub(super) fn new(channels: usize) -> Self {
        Self {
            energies: [[0.0; BANDS]; 2],
            last: [[SILENT; BANDS]; 2],
            last_but_one: [[SILENT; BANDS]; 2],
            seed: 0,
            postfilters: [Postfilter::NONE; 2],
            outputs: (0..channels).map(|_| Output::new()).collect(),
            imdct: Imdct::new(),
            shapes: Box::new([[0.0; LONGEST]; 2]),
            folds: Box::new(Folds::new()),
            lines: Box::new([0.0; LONGEST]),
        }
    }

    /// Forgets what came before.
    pub(super) fn reset(&mut self) {
        self.energies = [[0.0; BANDS]; 2];
        self.last = [[SILENT; BANDS]; 2];
        self.last_but_one = [[SILENT; BANDS]; 2];
        self.seed = 0;
        self.postfilters = [Postfilter::NONE; 2];
        self.outputs.iter_mut().for_each(|output| *output = Output::new());
    }

    /// Decodes a frame of at least two bytes; one channel is the mean of two. `None` if it is longer than its bytes:
    /// it is damaged.
    pub(super) fn decode(&mut self, mut frame: Frame, bytes: &[u8], out: [&mut [f32]; 2]) -> Option<()> {
        let mut range = Range::new(bytes);
        let range = &mut range;
        if frame.channels == 1 {
            let [first, second] = &mut self.energies;
            first.iter_mut().zip(second).for_each(|(first, second)| *first = first.max(*second));
        }
        let total = range.budget();
        let silence = match range.bits() {
            bits if bits >= total => true,
            1 => range.bit(15),
            _ => false,
        };
        if silence {
            range.exhaust();
        }
        let postfilter = postfilter(range);
        frame.short = frame.size > 0 && range.bits() + 3 <= total && range.bit(3);
        let alone = range.bits() + 3 <= total && range.bit(3);
        energy::coarse(range, &frame, alone, &mut self.energies);
        let resolution = resolution(range, &frame);
        let mut spread = Spread::Normal;
        if range.bits() + 4 <= total {
            let spreads = [Spread::None, Spread::Light, Spread::Normal, Spread::Aggressive];
            spread = spreads[range.table(&[25, 23, 2, 0], 5)];
        }
        let caps = allocation::caps(&frame);
        let (boosts, room) = allocation::boosts(range, &frame, &caps);
        let mut trim = 5;
        if range.eighths() + 6 * BIT <= room {
            trim = range.table(&[126, 124, 119, 109, 87, 41, 19, 9, 4, 2, 0], 7) as i32;
        }
        let mut left = total * BIT - range.eighths() - 1;
        let size = frame.size as i32;
        // A bit may tell that blocks without pulses are filled.
        let reserved = if frame.short && size >= 2 && left >= (size + 2) * BIT { BIT } else { 0 };
        left -= reserved;
        let allocation = allocation::share(range, &frame, &boosts, &caps, trim, left);
        energy::fine(range, &frame, &allocation.fine, &mut self.energies);
        let mut bands = Bands::new(range, &frame, spread, resolution, self.seed);
        let masks = bands.read(&allocation, total * BIT - reserved, &mut self.shapes, &mut self.folds);
        let seed = bands.seed;
        let filled = reserved > 0 && range.plain(1) == 1;
        energy::last(range, &frame, &allocation.fine, &allocation.later, &mut self.energies);
        if filled {
            self.fill(&frame, &masks, &allocation.shape, seed);
        }
        if silence {
            self.energies[..frame.channels].fill([SILENT; BANDS]);
        }
        self.synthesise(&frame, silence);
        self.filter(&frame, postfilter, out);
        self.remember(&frame);
        self.seed = range.state();
        (range.bits() <= total).then_some(())
    }

    /// Fills short blocks that got no pulses with noise: RFC 6716, section 4.3.5.
    fn fill(&mut self, frame: &Frame, masks: &[[u8; 2]; BANDS], bits: &[i32; BANDS], mut seed: u32) {
        for band in 0..frame.end {
            let lines = frame.lines(band);
            let depth = ((1 + bits[band]) / width(band) as i32) >> frame.size;
            let most = 0.5 * (-0.125 * depth as f32).exp2();
            for channel in 0..frame.channels {
                let of = |energies: &Energies| {
                    let before = energies[channel][band];
                    if frame.channels == 1 { before.max(energies[1][band]) } else { before }
                };
                let before = of(&self.last).min(of(&self.last_but_one));
                let rise = (self.energies[channel][band] - before).max(0.0);
                let longest = if frame.size == 3 { std::f32::consts::SQRT_2 } else { 1.0 };
                let noise = (2.0 * (-rise).exp2() * longest).min(most) / (lines as f32).sqrt();
                let shape = &mut self.shapes[channel][EDGES[band] << frame.size..][..lines];
                let mut filled = false;
                for block in (0..1 << frame.size).filter(|block| masks[band][channel] >> block & 1 == 0) {
                    filled = true;
                    for line in shape[block..].iter_mut().step_by(1 << frame.size) {
                        seed = bands::random(seed);
                        *line = if seed & 0x8000 != 0 { noise } else { -noise };
                    }
                }
                if filled {
                    bands::scale(shape, 1.0);
                }
            }
        }
    }

    /// Gives shapes their amplitudes and transforms them.
    fn synthesise(&mut self, frame: &Frame, silence: bool) {
        let mixed = frame.channels == 2 && self.outputs.len() == 1;
        let gain = |energies: &Energies, channel: usize, band: usize| {
            let gain = (energies[channel][band] + MEANS[band]).min(32.0).exp2();
            if mixed { 0.5 * gain } else { gain }
        };
        let length = frame.length();
        let lines = &mut self.lines[..length];
        let [first, second] = &*self.shapes;
        let end = if silence { 0 } else { frame.end };
        for (channel, output) in self.outputs.iter_mut().enumerate() {
            let channel = channel.min(frame.channels - 1);
            let shape = if channel == 0 { first } else { second };
            for band in 0..end {
                let range = EDGES[band] << frame.size..EDGES[band + 1] << frame.size;
                let lines = &mut lines[range.clone()];
                let g = gain(&self.energies, channel, band);
                if mixed {
                    let g2 = gain(&self.energies, 1, band);
                    let both = first[range.clone()].iter().zip(&second[range]);
                    lines.iter_mut().zip(both).for_each(|(line, (a, b))| *line = g * a + g2 * b);
                } else {
                    lines.iter_mut().zip(&shape[range]).for_each(|(line, shape)| *line = g * shape);
                }
            }
            lines[EDGES[end] << frame.size..].fill(0.0);
            let blocks = if frame.short { 1 << frame.size } else { 1 };
            let each = length / blocks;
            let out = output.frame(length);
            for block in 0..blocks {
                self.imdct.transform(lines, block, blocks, &mut out[block * each..]);
            }
        }
    }

    /// Filters a frame and gives it.
    fn filter(&mut self, frame: &Frame, next: Postfilter, out: [&mut [f32]; 2]) {
        let [before, last] = self.postfilters;
        let length = frame.length();
        for (output, out) in self.outputs.iter_mut().zip(out) {
            output.postfilter(length, [before, last, next], self.imdct.window());
            output.give(length, &mut out[..length]);
        }
        self.postfilters = if frame.size == 0 { [last, next] } else { [next, next] };
    }

    /// Keeps what the next frame depends on.
    fn remember(&mut self, frame: &Frame) {
        if frame.channels == 1 {
            self.energies[1] = self.energies[0];
        }
        if frame.short {
            for (last, now) in self.last.as_flattened_mut().iter_mut().zip(self.energies.as_flattened()) {
                *last = last.min(*now);
            }
        } else {
            self.last_but_one = std::mem::replace(&mut self.last, self.energies);
        }
        for channel in 0..2 {
            self.energies[channel][frame.end..].fill(0.0);
            self.last[channel][frame.end..].fill(SILENT);
            self.last_but_one[channel][frame.end..].fill(SILENT);
        }
    }
}

/// Reads the postfilter.
fn postfilter(range: &mut Range<'_>) -> Postfilter {
    if range.bits() + 16 > range.budget() || !range.bit(1) {
        return Postfilter::NONE;
    }
    let octave = range.uniform(6);
    let period = (16 << octave) + range.plain(4 + octave) as usize - 1;
    let gain = 0.09375 * (range.plain(3) + 1) as f32;
    let taps = if range.bits() + 2 <= range.budget() { range.table(&[2, 1, 0], 2) } else { 0 };
    Postfilter { period, gain, taps }
}

/// Reads how bands' resolution changes between time and frequency: RFC 6716, section 4.3.4.5.
fn resolution(range: &mut Range<'_>, frame: &Frame) -> [i8; BANDS] {
    let (mut budget, mut log) = (range.budget(), if frame.short { 2 } else { 4 });
    let reserved = frame.size > 0 && range.bits() + log < budget;
    budget -= i32::from(reserved);
    let (mut flags, mut flag, mut any) = ([false; BANDS], false, false);
    for at in &mut flags[..frame.end] {
        if range.bits() + log <= budget {
            flag ^= range.bit(log as u32);
            any |= flag;
        }
        *at = flag;
        log = if frame.short { 4 } else { 5 };
    }
    let tables = &CHANGES_OF_RESOLUTION[frame.size][usize::from(frame.short)];
    let differ = tables[0][usize::from(any)] != tables[1][usize::from(any)];
    let table = &tables[usize::from(reserved && differ && range.bit(1))];
    flags.map(|flag| table[usize::from(flag)])
}
