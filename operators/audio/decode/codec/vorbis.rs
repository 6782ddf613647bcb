//! Vorbis whose residues are not interleaved, as of more than two channels. symphonia overwrites the
//! classes of one channel with those of another there, so lewton decodes it.

use lewton::audio::{PreviousWindowRight, read_audio_packet_generic};
use lewton::header::{IdentHeader, SetupHeader, read_header_ident, read_header_setup};
use symphonia::core::audio::{AudioBuffer, AudioMut, AudioSpec, Channels};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::errors::{Result, decode_error};

use super::bits::Low;
use super::ours::{Codec, Ours};
use crate::decode::failure::{Failure, bad};

/// The length of the first header. The third follows it; the second, of comments, is left out.
const FIRST: usize = 30;

/// The most dimensions and entries of a codebook. Encoders stay far below.
const DIMENSIONS: u32 = 32;
const ENTRIES: u32 = 128 * 1024;

/// The longest block.
const FRAMES: usize = 8192;

const INFO: CodecInfo = CodecInfo { short_name: "vorbis", long_name: "Vorbis", profiles: &[] };

/// Whether symphonia decodes it right: one channel, or all residues interleaved. None when the headers
/// are damaged.
pub(super) fn interleaved(headers: &[u8]) -> Option<bool> {
    if *headers.get(11)? < 2 {
        return Some(true);
    }
    let mut bits = Low { bytes: headers.get(FIRST..)?, at: 8 * 7 };
    for _ in 0..=bits.read(8)? {
        codebook(&mut bits)?;
    }
    for _ in 0..=bits.read(6)? {
        bits.skip(16)?;
    }
    for _ in 0..=bits.read(6)? {
        floor(&mut bits)?;
    }
    let mut all = true;
    for _ in 0..=bits.read(6)? {
        all &= bits.read(16)? == 2;
        residue(&mut bits)?;
    }
    Some(all)
}

/// The number of bits that a number takes.
fn length(number: u32) -> usize {
    (u32::BITS - number.leading_zeros()) as usize
}

fn codebook(bits: &mut Low<'_>) -> Option<()> {
    if bits.read(24)? != 0x56_4342 {
        return None;
    }
    let (dimensions, entries) = (bits.read(16)?, bits.read(24)?);
    // What decodes it takes memory for what these say.
    if !(1..=DIMENSIONS).contains(&dimensions) || !(1..=ENTRIES).contains(&entries) {
        return None;
    }
    if bits.read(1)? == 1 {
        bits.skip(5)?;
        let mut entry = 0;
        while entry < entries {
            entry += bits.read(length(entries - entry))?;
        }
    } else {
        let sparse = bits.read(1)? == 1;
        for _ in 0..entries {
            if !sparse || bits.read(1)? == 1 {
                bits.skip(5)?;
            }
        }
    }
    let values = match bits.read(4)? {
        0 => return Some(()),
        // As many values as, to the power of the dimensions, make at most the entries.
        1 => {
            let fits = |count: u64| {
                let power = (0..dimensions).try_fold(1u64, |power, _| {
                    power.checked_mul(count).filter(|power| *power <= u64::from(entries))
                });
                power.is_some()
            };
            (1..=u64::from(entries)).take_while(|count| fits(*count)).last().unwrap_or(0)
        }
        2 => u64::from(entries) * u64::from(dimensions),
        _ => return None,
    };
    bits.skip(64)?;
    let size = u64::from(bits.read(4)?) + 1;
    bits.skip(1)?;
    bits.skip(usize::try_from(values.checked_mul(size)?).ok()?)
}

fn floor(bits: &mut Low<'_>) -> Option<()> {
    if bits.read(16)? == 0 {
        bits.skip(8 + 16 + 16 + 6 + 8)?;
        let books = bits.read(4)? as usize + 1;
        return bits.skip(8 * books);
    }
    let mut partitions = Vec::new();
    for _ in 0..bits.read(5)? {
        partitions.push(bits.read(4)? as usize);
    }
    let classes = partitions.iter().max().map_or(0, |most| most + 1);
    let mut dimensions = Vec::new();
    for _ in 0..classes {
        dimensions.push(bits.read(3)? as usize + 1);
        let subclasses = bits.read(2)?;
        if subclasses > 0 {
            bits.skip(8)?;
        }
        bits.skip(8 << subclasses)?;
    }
    bits.skip(2)?;
    let range = bits.read(4)? as usize;
    let points: usize = partitions.iter().filter_map(|class| dimensions.get(*class)).sum();
    bits.skip(range * points)
}

fn residue(bits: &mut Low<'_>) -> Option<()> {
    bits.skip(24 + 24 + 24)?;
    let classes = bits.read(6)? + 1;
    bits.skip(8)?;
    let mut books = 0;
    for _ in 0..classes {
        let low = bits.read(3)?;
        let high = if bits.read(1)? == 1 { bits.read(5)? } else { 0 };
        books += (low.count_ones() + high.count_ones()) as usize;
    }
    bits.skip(8 * books)
}

/// For each channel in the order of WAV, its place in the order of Vorbis.
pub(super) fn order(channels: usize) -> &'static [usize] {
    match channels {
        3 => &[0, 2, 1],
        5 => &[0, 2, 1, 3, 4],
        6 => &[0, 2, 1, 5, 3, 4],
        7 => &[0, 2, 1, 6, 5, 3, 4],
        8 => &[0, 2, 1, 7, 5, 6, 3, 4],
        _ => &[],
    }
}

/// Decodes Vorbis by lewton.
pub(super) struct Vorbis {
    first: IdentHeader,
    setup: SetupHeader,
    window: PreviousWindowRight,
}

impl Vorbis {
    pub(super) fn decoder(
        parameters: &AudioCodecParameters,
        headers: &[u8],
    ) -> std::result::Result<Ours<Self>, Failure> {
        let damaged = |what: String| bad("codec", format!("the headers of Vorbis are damaged: {what}"));
        let (first, setup) =
            headers.split_at_checked(FIRST).ok_or_else(|| damaged("they are too short".into()))?;
        let first = read_header_ident(first).map_err(|error| damaged(error.to_string()))?;
        let blocks = (first.blocksize_0, first.blocksize_1);
        let setup = read_header_setup(setup, first.audio_channels, blocks)
            .map_err(|error| damaged(error.to_string()))?;
        let channels = Channels::Discrete(u16::from(first.audio_channels));
        let buffer = AudioBuffer::new(AudioSpec::new(first.audio_sample_rate, channels.clone()), FRAMES);
        let mut parameters = parameters.clone();
        parameters.with_channels(channels).with_sample_rate(first.audio_sample_rate);
        let vorbis = Self { first, setup, window: PreviousWindowRight::new() };
        Ok(Ours::new(parameters, vorbis, buffer))
    }
}

impl Codec for Vorbis {
    fn info(&self) -> &'static CodecInfo {
        &INFO
    }

    fn reset(&mut self) {
        self.window = PreviousWindowRight::new();
    }

    fn decode(&mut self, packet: &[u8], buffer: &mut AudioBuffer<f32>) -> Result<()> {
        let decoded: std::result::Result<Vec<Vec<f32>>, _> =
            read_audio_packet_generic(&self.first, &self.setup, packet, &mut self.window);
        let Ok(decoded) = decoded else { return decode_error("vorbis: the packet is damaged") };
        let frames = decoded.first().map_or(0, Vec::len);
        if frames > FRAMES {
            return decode_error("vorbis: the packet is too long");
        }
        buffer.render_silence(Some(frames));
        let order = order(decoded.len());
        for out in 0..decoded.len() {
            let from = order.get(out).copied().unwrap_or(out);
            if let (Some(to), Some(from)) = (buffer.plane_mut(out), decoded.get(from)) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// lewton would take memory for all of what a codebook claims.
    #[test]
    fn a_codebook_that_claims_too_much_is_left_alone() {
        for (dimensions, entries) in [(u16::MAX, 0xff_ffff_u32), (33, 16), (0, 16), (4, 0), (4, 1 << 20)] {
            let mut headers = vec![0; FIRST + 7];
            headers[11] = 3;
            headers.push(0);
            headers.extend(b"BCV");
            headers.extend(dimensions.to_le_bytes());
            headers.extend(&entries.to_le_bytes()[..3]);
            headers.extend([0; 64]);
            assert_eq!(interleaved(&headers), None, "{dimensions}, {entries}");
        }
    }
}
