//! Layer III of MPEG-1, 2 and 2.5 (ISO/IEC 11172-3 and 13818-3).
//!
//! It is written for what most pipelines want, the mean of two channels, which every decoder otherwise makes of
//! two that it has transformed. All steps behind the codes are linear, so channels are mixed before them and
//! transformed once; where they are coded as sum and difference, the difference is not even read.

mod bands;
mod codes;
mod granule;
mod header;
mod huffman;
mod hybrid;
mod reservoir;
mod scale;
mod side;
mod stereo;
mod synthesis;
#[cfg(test)]
mod tests;
mod window;

use symphonia::core::audio::{AudioBuffer, AudioMut, AudioSpec, layouts};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::errors::{Error, Result};

use super::ours::{Codec, Ours};
use bands::Table;
use granule::Reader;
use header::Header;
use hybrid::{Hybrid, SLOTS};
use reservoir::Reservoir;
use scale::Factors;
use side::{Block, Side};
use synthesis::Synthesis;

const INFO: CodecInfo = CodecInfo { short_name: "mp3", long_name: "MPEG Audio Layer 3", profiles: &[] };

/// Decodes layer III.
pub(super) struct Mp3 {
    /// Whether the mean of two channels is given.
    mono: bool,
    /// Of the first frame that could be decoded; others have to be like it.
    like: Option<(Header, Table)>,
    reservoir: Reservoir,
    channels: Box<[Channel; 2]>,
}

/// What is kept of a channel, and room for it.
struct Channel {
    lines: [f32; 576],
    /// The lines from here on are 0.
    end: usize,
    hybrid: Hybrid,
    slots: [[f32; 32]; SLOTS],
    subbands: [[f32; 2 * SLOTS]; 32],
    synthesis: Synthesis,
}

impl Channel {
    fn new() -> Self {
        Self {
            lines: [0.0; 576],
            end: 0,
            hybrid: Hybrid::new(),
            slots: [[0.0; 32]; SLOTS],
            subbands: [[0.0; 2 * SLOTS]; 32],
            synthesis: Synthesis::new(),
        }
    }

    /// Transforms the lines of a granule to samples of subbands.
    fn transform(&mut self, block: Block, table: &Table, granule: usize) {
        self.hybrid.transform(&self.lines, self.end, block, table.bands(block), &mut self.slots);
        for (subband, samples) in self.subbands.iter_mut().enumerate() {
            let samples = &mut samples[granule * SLOTS..][..SLOTS];
            samples.iter_mut().zip(&self.slots).for_each(|(sample, slot)| *sample = slot[subband]);
        }
    }

    /// Adds what another channel, whose transform began with this granule, has of it.
    fn add(&mut self, other: &Self, granule: usize) {
        self.hybrid.add(&other.hybrid);
        for (samples, others) in self.subbands.iter_mut().zip(&other.subbands) {
            let places = granule * SLOTS..(granule + 1) * SLOTS;
            let others = &others[places.clone()];
            samples[places].iter_mut().zip(others).for_each(|(sample, other)| *sample += other);
        }
    }
}

impl Mp3 {
    /// A decoder for a track. Where `mono`, it gives the mean of two channels.
    pub(super) fn decoder(parameters: &AudioCodecParameters, mono: bool) -> Ours<Self> {
        // What a frame gives shows with the first.
        Ours::new(parameters.clone(), Self::new(mono), AudioBuffer::default())
    }

    fn new(mono: bool) -> Self {
        Self {
            mono,
            like: None,
            reservoir: Reservoir::default(),
            channels: Box::new([Channel::new(), Channel::new()]),
        }
    }

    /// Decodes a frame to samples of subbands.
    fn decode_frame(&mut self, frame: &[u8]) -> std::result::Result<Header, &'static str> {
        let parts = self.parts(frame);
        if parts.is_err() {
            // The next frame must not take what came before for what is missing now.
            self.reservoir = Reservoir::default();
        }
        let (header, side, main) = parts?;
        let known = self.like.take();
        let first = known.is_none();
        let (like, table) = known.unwrap_or_else(|| (header, Table::new(header.index)));
        let done = self.decode_main(&header, &table, side, main);
        if done.is_err() {
            // What was heard last has nothing to do with what comes next.
            *self.channels = [Channel::new(), Channel::new()];
        }
        if !first || done.is_ok() {
            self.like = Some((like, table));
        }
        done.map(|()| header)
    }

    /// The header of a frame, its side information and its main data.
    fn parts<'a>(&self, frame: &'a [u8]) -> std::result::Result<(Header, &'a [u8], &'a [u8]), &'static str> {
        let header = Header::read(frame).ok_or("mp3: no frame of layer III")?;
        if self.like.as_ref().is_some_and(|(like, _)| !like.is_like(&header)) {
            return Err("mp3: the frame has another rate or other channels");
        }
        let (begin, length) = header.side();
        match (frame.get(begin..begin + length), frame.get(begin + length..)) {
            (Some(side), Some(main)) => Ok((header, side, main)),
            _ => Err("mp3: the frame ends too early"),
        }
    }

    /// Decodes the main data of a frame to samples of subbands.
    fn decode_main(
        &mut self,
        header: &Header,
        table: &Table,
        side: &[u8],
        main: &[u8],
    ) -> std::result::Result<(), &'static str> {
        let side = Side::read(side, header, table.long());
        let back = side.as_ref().map_or(usize::MAX, |side| side.back);
        let missing = 8 * self.reservoir.fill(main, back);
        let mut reader = Reader { header, table, side: side?, reservoir: &self.reservoir, missing, at: 0 };
        let [left, right] = self.channels.as_mut();
        let mix = self.mono && header.channels == 2;
        let mut first = [Factors::default(); 2];
        for granule in 0..header.granules() {
            let blocks = reader.side.parts[granule].map(|part| part.block);
            let alike = blocks[0] == blocks[1];
            first = reader.read(granule, mix, first, [&mut *left, &mut *right])?;
            left.transform(blocks[0], table, granule);
            if header.channels == 2 && !mix {
                right.transform(blocks[1], table, granule);
            } else if mix && !alike {
                right.hybrid = Hybrid::new();
                right.transform(blocks[1], table, granule);
                left.add(right, granule);
            }
        }
        Ok(())
    }
}

impl Codec for Mp3 {
    fn info(&self) -> &'static CodecInfo {
        &INFO
    }

    fn reset(&mut self) {
        *self = Self::new(self.mono);
    }

    fn decode(&mut self, packet: &[u8], buffer: &mut AudioBuffer<f32>) -> Result<()> {
        let header = self.decode_frame(packet).map_err(Error::DecodeError)?;
        let given = if self.mono { 1 } else { header.channels };
        if buffer.is_unused() {
            let layout =
                if given == 1 { layouts::CHANNEL_LAYOUT_MONO } else { layouts::CHANNEL_LAYOUT_STEREO };
            *buffer = AudioBuffer::new(AudioSpec::new(header.rate, layout), 32 * 2 * SLOTS);
        }
        let slots = SLOTS * header.granules();
        buffer.render_uninit(Some(32 * slots));
        for (at, channel) in self.channels.iter_mut().enumerate().take(given) {
            if let Some(plane) = buffer.plane_mut(at) {
                channel.synthesis.synthesise(&mut channel.subbands, slots, plane);
            }
        }
        Ok(())
    }
}
