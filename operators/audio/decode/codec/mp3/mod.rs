//! Layer III of MPEG-1, 2 and 2.5 (ISO/IEC 11172-3 and 13818-3).
//!
//! It is written for what most pipelines want, the mean of two channels, which every decoder otherwise makes of
//! two that it has transformed. All steps behind the codes are linear, so channels are mixed before them and
//! transformed once; where they are coded as sum and difference, the difference is not even read.

mod bands;
mod codes;
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

use symphonia::core::audio::{
    AsGenericAudioBufferRef, AudioBuffer, AudioMut, AudioSpec, GenericAudioBufferRef, layouts,
};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, FinalizeResult};
use symphonia::core::errors::{Error, Result};
use symphonia::core::packet::PacketRef;

use super::bits::Padded;
use bands::Table;
use header::Header;
use hybrid::{Hybrid, SLOTS};
use reservoir::Reservoir;
use scale::Factors;
use side::Side;
use synthesis::Synthesis;

const INFO: CodecInfo = CodecInfo { short_name: "mp3", long_name: "MPEG Audio Layer 3", profiles: &[] };

/// Quarters of powers of two that halve.
const HALF: i32 = -4;

/// Decodes layer III.
pub(super) struct Mp3 {
    parameters: AudioCodecParameters,
    /// Whether the mean of two channels is given.
    mono: bool,
    /// Of the first frame; others have to be like it.
    like: Option<(Header, Table)>,
    reservoir: Reservoir,
    channels: Box<[Channel; 2]>,
    buffer: AudioBuffer<f32>,
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
}

impl Mp3 {
    /// A decoder for a track. Where `mono`, it gives the mean of two channels.
    pub(super) fn new(parameters: &AudioCodecParameters, mono: bool) -> Self {
        Self {
            parameters: parameters.clone(),
            mono,
            like: None,
            reservoir: Reservoir::default(),
            channels: Box::new([Channel::new(), Channel::new()]),
            buffer: AudioBuffer::default(),
        }
    }

    /// Decodes a frame.
    fn decode_frame(&mut self, frame: &[u8]) -> std::result::Result<(), &'static str> {
        let header = Header::read(frame).ok_or("mp3: no frame of layer III")?;
        let like = self.like.get_or_insert_with(|| (header, Table::new(header.index)));
        if (header.rate, header.channels) != (like.0.rate, like.0.channels) {
            return Err("mp3: the frame has another rate or other channels");
        }
        let (begin, length) = header.side();
        let (Some(side), Some(main)) = (frame.get(begin..begin + length), frame.get(begin + length..)) else {
            return Err("mp3: the frame ends too early");
        };
        let side = match Side::read(side, &header, like.1.long()) {
            Ok(side) => side,
            Err(error) => {
                self.reservoir.fill(main, usize::MAX);
                return Err(error);
            }
        };
        let missing = self.reservoir.fill(main, side.back);
        let given = if self.mono { 1 } else { header.channels };
        self.granules(&header, side, 8 * missing)?;
        if self.buffer.is_unused() {
            let layout =
                if given == 1 { layouts::CHANNEL_LAYOUT_MONO } else { layouts::CHANNEL_LAYOUT_STEREO };
            self.buffer = AudioBuffer::new(AudioSpec::new(header.rate, layout), 32 * 2 * SLOTS);
        }
        let slots = SLOTS * header.granules();
        self.buffer.clear();
        self.buffer.render_uninit(Some(32 * slots));
        for (at, channel) in self.channels.iter_mut().enumerate().take(given) {
            if let Some(plane) = self.buffer.plane_mut(at) {
                channel.synthesis.synthesise(&mut channel.subbands, slots, plane);
            }
        }
        Ok(())
    }

    /// Decodes the granules of a frame to samples of subbands. Bits at the begin may be missing.
    fn granules(
        &mut self,
        header: &Header,
        mut side: Side,
        missing: usize,
    ) -> std::result::Result<(), &'static str> {
        let Some((_, table)) = &self.like else { return Ok(()) };
        let [left, right] = self.channels.as_mut();
        let mut first = [Factors::default(); 2];
        // The place of a part among all bits, those that are missing included.
        let mut at = 0;
        for granule in 0..header.granules() {
            let parts = &mut side.parts[granule];
            let blocks = [parts[0].block, parts[1].block];
            let alike = header.channels == 1 || blocks[0] == blocks[1];
            let mix = self.mono && header.channels == 2;
            let middle_only = mix && alike && header.mid_side && !header.intensity;
            let gain = match (mix, header.mid_side) {
                (true, true) if middle_only => stereo::MID_SIDE_GAIN,
                (true, true) => HALF + stereo::MID_SIDE_GAIN,
                (true, false) => HALF,
                (false, true) => stereo::MID_SIDE_GAIN,
                (false, false) => 0,
            };
            let mut factors = [Factors::default(); 2];
            let there = at >= missing;
            for (number, channel) in [&mut *left, &mut *right].into_iter().enumerate().take(header.channels) {
                let part = &mut parts[number];
                channel.end = 0;
                at += part.length;
                if !there {
                    channel.lines.fill(0.0);
                    continue;
                }
                let end = at - missing;
                if end > self.reservoir.length() {
                    return Err("mp3: the frame has fewer bits than it says");
                }
                let mut bits = Padded::new(self.reservoir.bytes());
                bits.at = end - part.length;
                let places = header.intensity && number == 1;
                factors[number] = if header.is_first() {
                    let first = (granule > 0).then_some((&first[number], side.same[number]));
                    scale::read_first(&mut bits, part, first)
                } else {
                    scale::read_second(&mut bits, part, places)
                };
                if bits.at > end {
                    return Err("mp3: scale factors have more bits than there are");
                }
                if number == 1 && middle_only {
                    continue;
                }
                channel.end = huffman::read(&mut bits, end, part, &mut channel.lines)?;
                let bands = table.bands(part.block);
                scale::scale(&mut channel.lines, channel.end, part, &factors[number], bands, gain);
            }
            first = factors;
            if header.channels == 2 && !middle_only {
                let end = left.end.max(right.end);
                if header.intensity {
                    let of = stereo::Right {
                        bands: table.bands(blocks[1]),
                        factors: &factors[1],
                        compress: parts[1].compress,
                    };
                    stereo::intensity(&mut left.lines, &mut right.lines, header, &of);
                } else if header.mid_side {
                    stereo::mid_side(&mut left.lines[..end], &mut right.lines[..end]);
                }
                (left.end, right.end) = (end, end);
            }
            if mix && !middle_only && alike {
                left.lines.iter_mut().zip(&right.lines).for_each(|(left, right)| *left += right);
            }
            transform(left, blocks[0], table, granule);
            if header.channels == 2 && !mix {
                transform(right, blocks[1], table, granule);
            } else if mix && !alike {
                right.hybrid = Hybrid::new();
                transform(right, blocks[1], table, granule);
                left.hybrid.add(&right.hybrid);
                for (left, right) in left.subbands.iter_mut().zip(&right.subbands) {
                    let places = granule * SLOTS..(granule + 1) * SLOTS;
                    let right = &right[places.clone()];
                    left[places].iter_mut().zip(right).for_each(|(left, right)| *left += right);
                }
            }
        }
        Ok(())
    }
}

/// Transforms the lines of a granule to samples of subbands.
fn transform(channel: &mut Channel, block: side::Block, table: &Table, granule: usize) {
    let bands = table.bands(block);
    channel.hybrid.transform(&channel.lines, channel.end, block, bands, &mut channel.slots);
    for (subband, samples) in channel.subbands.iter_mut().enumerate() {
        let samples = &mut samples[granule * SLOTS..][..SLOTS];
        samples.iter_mut().zip(&channel.slots).for_each(|(sample, slot)| *sample = slot[subband]);
    }
}

impl AudioDecoder for Mp3 {
    fn codec_info(&self) -> &CodecInfo {
        &INFO
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.parameters
    }

    fn reset(&mut self) {
        *self = Self::new(&self.parameters, self.mono);
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        self.buffer.clear();
        if let Err(error) = self.decode_frame(packet.data) {
            return Err(Error::DecodeError(error));
        }
        self.buffer.trim(packet.trim_start.get() as usize, packet.trim_end.get() as usize);
        Ok(self.buffer.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.buffer.as_generic_audio_buffer_ref()
    }
}
