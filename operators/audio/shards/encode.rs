//! Samples to the bytes of an audio file.

use super::Codec;
use super::quantise::quantise;
use crate::flac;

/// Bits of the integer codecs.
const BITS: u32 = 16;

impl Codec {
    /// Whether the codec can keep a signal.
    pub fn check(self, rate: u32, channels: u16) -> Result<(), String> {
        if self != Self::Flac {
            return Ok(());
        }
        flac::Format::new(rate, usize::from(channels), BITS).map(drop).map_err(|error| {
            format!("codec flac cannot keep this: {error}; change the signal, or use `codec: i16`")
        })
    }

    /// The file name extension of a clip.
    pub fn extension(self) -> &'static str {
        if self == Self::Flac { "flac" } else { "wav" }
    }
}

/// Takes a clip's samples block by block and makes an audio file of them. Its memory is kept from
/// clip to clip.
pub struct Encoder {
    codec: Codec,
    /// The samples so far, a plane a channel: as integers, or for `f32` as they are.
    whole: Vec<Vec<i16>>,
    float: Vec<Vec<f32>>,
    saturated: u64,
    flac: flac::Encoder,
}

impl Encoder {
    /// An encoder that has no clip yet.
    pub fn new(codec: Codec) -> Self {
        Self { codec, whole: Vec::new(), float: Vec::new(), saturated: 0, flac: flac::Encoder::new() }
    }

    /// A clip begins; what was left of another is forgotten.
    pub fn begin(&mut self, channels: usize) {
        self.saturated = 0;
        self.whole.iter_mut().for_each(Vec::clear);
        self.float.iter_mut().for_each(Vec::clear);
        match self.codec {
            Codec::F32 => self.float.resize_with(channels, Vec::new),
            Codec::Flac | Codec::I16 => self.whole.resize_with(channels, Vec::new),
        }
    }

    /// The next samples of a channel.
    pub fn push(&mut self, channel: usize, samples: &[f32]) {
        match self.codec {
            Codec::F32 => self.float[channel].extend_from_slice(samples),
            Codec::Flac | Codec::I16 => self.saturated += quantise(samples, &mut self.whole[channel]),
        }
    }

    /// Frames so far.
    pub fn frames(&self) -> usize {
        match self.codec {
            Codec::F32 => self.float.first().map_or(0, Vec::len),
            Codec::Flac | Codec::I16 => self.whole.first().map_or(0, Vec::len),
        }
    }

    /// A complete audio file, and how many samples were saturated.
    pub fn finish(&mut self, rate: u32) -> Result<(Vec<u8>, u64), String> {
        let bytes = match self.codec {
            Codec::F32 => wav(&self.float, rate, 3, f32::to_le_bytes)?,
            Codec::I16 => wav(&self.whole, rate, 1, i16::to_le_bytes)?,
            // A copy of its own length: what the encoder holds has room for the next clip.
            Codec::Flac => {
                let encoded = self.flac.encode::<i16, _>(&self.whole, rate, BITS);
                encoded.map_err(|error| error.to_string())?.to_vec()
            }
        };
        Ok((bytes, self.saturated))
    }
}

/// A WAV file of interleaved samples of `WIDTH` bytes; `format` 1 is integers, 3 floats.
fn wav<const WIDTH: usize, S: Copy>(
    planes: &[Vec<S>],
    rate: u32,
    format: u16,
    to_bytes: impl Fn(S) -> [u8; WIDTH],
) -> Result<Vec<u8>, String> {
    let channels = planes.len();
    let frames = planes.first().map_or(0, Vec::len);
    // Other formats than integers carry an extension size and the number of frames.
    let extra: u32 = if format == 1 { 0 } else { 2 + 12 };
    let size = frames * channels * WIDTH;
    let data = u32::try_from(size).ok().filter(|data| data.checked_add(36 + extra).is_some());
    let data =
        data.ok_or_else(|| format!("a clip of {size} bytes is too long for a WAV file, which has 4 GiB"))?;
    let width = WIDTH as u16;
    let mut bytes = Vec::with_capacity(58 + size);
    bytes.extend(b"RIFF");
    bytes.extend((36 + extra + data).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend((if format == 1 { 16u32 } else { 18 }).to_le_bytes());
    bytes.extend(format.to_le_bytes());
    bytes.extend((channels as u16).to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend(rate.saturating_mul(channels as u32 * u32::from(width)).to_le_bytes());
    bytes.extend((channels as u16 * width).to_le_bytes());
    bytes.extend((width * 8).to_le_bytes());
    if format != 1 {
        bytes.extend(0u16.to_le_bytes());
        bytes.extend(b"fact");
        bytes.extend(4u32.to_le_bytes());
        bytes.extend((frames as u32).to_le_bytes());
    }
    bytes.extend(b"data");
    bytes.extend(data.to_le_bytes());
    let header = bytes.len();
    bytes.resize(header + size, 0);
    let places = bytes[header..].as_chunks_mut::<WIDTH>().0;
    if let [plane] = planes {
        places.iter_mut().zip(plane).for_each(|(place, &sample)| *place = to_bytes(sample));
    } else {
        for (channel, plane) in planes.iter().enumerate() {
            let places = places.iter_mut().skip(channel).step_by(channels);
            places.zip(plane).for_each(|(place, &sample)| *place = to_bytes(sample));
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use crate::decode::Stream;

    fn decode(bytes: Vec<u8>) -> (u32, Vec<Vec<f32>>) {
        let mut stream = Stream::open(Box::new(Cursor::new(bytes)), None).unwrap();
        let mut planes = vec![Vec::new(); stream.channels()];
        while let Some(packet) = stream.packet().unwrap() {
            planes.iter_mut().zip(packet).for_each(|(plane, samples)| plane.extend_from_slice(samples));
        }
        (stream.rate(), planes)
    }

    fn encode(encoder: &mut Encoder, planes: &[Vec<f32>], rate: u32, block: usize) -> (Vec<u8>, u64) {
        encoder.begin(planes.len());
        for from in (0..planes[0].len()).step_by(block) {
            for (channel, plane) in planes.iter().enumerate() {
                encoder.push(channel, &plane[from..plane.len().min(from + block)]);
            }
        }
        assert_eq!(encoder.frames(), planes[0].len());
        encoder.finish(rate).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn sixteen_bit_samples_come_back_exactly(
            frames in prop_oneof![1usize..200, 4000usize..9000],
            channels in 1usize..=3,
            rate in prop_oneof![Just(8000u32), Just(16_000), Just(44_100), Just(96_000), Just(22_255)],
            noise in any::<u64>(),
            amplitude in 0i64..32768,
            block in 1usize..5000,
        ) {
            let mut state = noise | 1;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let integer = ((state >> 33) as i64 % (amplitude + 1)) * if state & 1024 == 0 { 1 } else { -1 };
                integer as f32 / 32768.0
            };
            let planes: Vec<Vec<f32>> = (0..channels).map(|_| (0..frames).map(|_| next()).collect()).collect();
            for codec in [Codec::Flac, Codec::I16, Codec::F32] {
                let mut encoder = Encoder::new(codec);
                let (bytes, saturated) = encode(&mut encoder, &planes, rate, block);
                prop_assert_eq!(saturated, 0);
                // Neither a clip before, nor one that was broken off, nor the blocks leave a trace.
                encode(&mut encoder, &[vec![0.25; 5000], vec![2.0; 5000]], 8000, 5000);
                encoder.begin(4);
                encoder.push(3, &[9.0; 10]);
                prop_assert_eq!(encode(&mut encoder, &planes, rate, 777), (bytes.clone(), 0));
                prop_assert_eq!(&decode(bytes), &(rate, planes.clone()));
            }
        }
    }

    #[test]
    fn beyond_full_scale_is_saturated_and_counted() {
        let plane: Vec<f32> = (0..64).map(|i| [0.5, 1.5, -1.0, -1.2][i % 4]).collect();
        for codec in [Codec::Flac, Codec::I16] {
            let (bytes, saturated) =
                encode(&mut Encoder::new(codec), std::slice::from_ref(&plane), 16_000, 64);
            assert_eq!(saturated, 32);
            let (_, planes) = decode(bytes);
            assert_eq!(planes[0][..4], [0.5, 32767.0 / 32768.0, -1.0, -1.0]);
        }
        let (bytes, saturated) =
            encode(&mut Encoder::new(Codec::F32), std::slice::from_ref(&plane), 16_000, 64);
        assert_eq!((saturated, decode(bytes).1), (0, vec![plane]));
    }

    #[test]
    fn flac_says_what_it_cannot_keep() {
        assert!(Codec::Flac.check(655_350, 8).is_ok());
        assert!(Codec::Flac.check(700_000, 1).unwrap_err().contains("700000"));
        assert!(Codec::Flac.check(16_000, 9).unwrap_err().contains("channels"));
        assert!(Codec::I16.check(700_000, 64).is_ok());
    }
}
