//! Samples to the bytes of an audio file.

use flacenc::bitsink::ByteSink;
use flacenc::component::BitRepr;
use flacenc::error::Verify;
use flacenc::source::MemSource;

use super::Codec;

/// What FLAC allows, and what the encoder can do.
const FLAC_MAX_RATE: u32 = 96_000;
const FLAC_MAX_CHANNELS: u16 = 8;
const FLAC_BLOCK: usize = 4096;
/// The encoder's shortest block; a clip that is shorter still is kept as WAV.
const FLAC_SHORTEST: usize = 32;

impl Codec {
    /// Whether the codec can keep a signal.
    pub fn check(self, rate: u32, channels: u16) -> Result<(), String> {
        if self == Self::Flac && (rate > FLAC_MAX_RATE || channels > FLAC_MAX_CHANNELS) {
            return Err(format!(
                "codec flac keeps at most {FLAC_MAX_RATE} samples a second and {FLAC_MAX_CHANNELS} channels, \
                 not {rate} and {channels}: resample, or use `codec: i16`"
            ));
        }
        Ok(())
    }

    /// The codec of a clip of that many frames.
    pub fn of(self, frames: usize) -> Self {
        if self == Self::Flac && frames < FLAC_SHORTEST { Self::I16 } else { self }
    }

    /// The file name extension of a clip.
    pub fn extension(self) -> &'static str {
        if self == Self::Flac { "flac" } else { "wav" }
    }

    /// A complete audio file, and how many samples were saturated.
    pub fn encode(self, planes: &[Vec<f32>], rate: u32) -> Result<(Vec<u8>, u64), String> {
        match self {
            Self::F32 => Ok((wav(planes, rate, 3, 4, |sample, bytes| bytes.extend(sample.to_le_bytes())), 0)),
            Self::I16 => {
                let mut saturated = 0;
                let bytes = wav(planes, rate, 1, 2, |sample, bytes| {
                    let (value, clipped) = quantise(sample);
                    saturated += u64::from(clipped);
                    bytes.extend((value as i16).to_le_bytes());
                });
                Ok((bytes, saturated))
            }
            Self::Flac => flac(planes, rate),
        }
    }
}

/// A sample as a 16-bit integer, and whether it was beyond full scale.
fn quantise(sample: f32) -> (i32, bool) {
    let scaled = (sample * 32768.0).round().clamp(-32768.0, 32767.0);
    (scaled as i32, sample.abs() > 1.0)
}

fn flac(planes: &[Vec<f32>], rate: u32) -> Result<(Vec<u8>, u64), String> {
    let channels = planes.len();
    let frames = planes.first().map_or(0, Vec::len);
    let mut saturated = 0;
    let mut samples = Vec::with_capacity(frames * channels);
    for frame in 0..frames {
        for plane in planes {
            let (value, clipped) = quantise(plane[frame]);
            saturated += u64::from(clipped);
            samples.push(value);
        }
    }
    let config =
        flacenc::config::Encoder::default().into_verified().map_err(|(_, error)| error.to_string())?;
    let block = FLAC_BLOCK.min(frames);
    let source = MemSource::from_samples(&samples, channels, 16, rate as usize);
    let mut stream = flacenc::encode_with_fixed_block_size(&config, source, block)
        .map_err(|error| format!("{error:?}"))?;
    // The encoder counts a short last block as the smallest; the format leaves the last one out.
    stream.stream_info_mut().set_block_sizes(block, block).map_err(|error| error.to_string())?;
    let mut sink = ByteSink::new();
    stream.write(&mut sink).map_err(|error| format!("{error:?}"))?;
    Ok((sink.into_inner(), saturated))
}

/// A WAV file of interleaved samples; `format` 1 is integers, 3 floats.
fn wav(
    planes: &[Vec<f32>],
    rate: u32,
    format: u16,
    width: u16,
    mut put: impl FnMut(f32, &mut Vec<u8>),
) -> Vec<u8> {
    let channels = planes.len() as u16;
    let frames = planes.first().map_or(0, Vec::len);
    let data = (frames * planes.len() * usize::from(width)) as u32;
    // Other formats than integers carry an extension size and the number of frames.
    let extra: u32 = if format == 1 { 0 } else { 2 + 12 };
    let mut bytes = Vec::with_capacity(58 + data as usize);
    bytes.extend(b"RIFF");
    bytes.extend((36 + extra + data).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend((if format == 1 { 16u32 } else { 18 }).to_le_bytes());
    bytes.extend(format.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * u32::from(channels) * u32::from(width)).to_le_bytes());
    bytes.extend((channels * width).to_le_bytes());
    bytes.extend((width * 8).to_le_bytes());
    if format != 1 {
        bytes.extend(0u16.to_le_bytes());
        bytes.extend(b"fact");
        bytes.extend(4u32.to_le_bytes());
        bytes.extend((frames as u32).to_le_bytes());
    }
    bytes.extend(b"data");
    bytes.extend(data.to_le_bytes());
    for frame in 0..frames {
        for plane in planes {
            put(plane[frame], &mut bytes);
        }
    }
    bytes
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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn sixteen_bit_samples_come_back_exactly(
            frames in prop_oneof![32usize..200, 4000usize..9000],
            channels in 1usize..=3,
            rate in prop_oneof![Just(8000u32), Just(16_000), Just(44_100), Just(96_000), Just(22_255)],
            noise in any::<u64>(),
            amplitude in 0i64..32768,
        ) {
            let mut state = noise | 1;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let integer = ((state >> 33) as i64 % (amplitude + 1)) * if state & 1024 == 0 { 1 } else { -1 };
                integer as f32 / 32768.0
            };
            let planes: Vec<Vec<f32>> = (0..channels).map(|_| (0..frames).map(|_| next()).collect()).collect();
            for codec in [Codec::Flac, Codec::I16, Codec::F32] {
                let (bytes, saturated) = codec.encode(&planes, rate).unwrap();
                prop_assert_eq!(saturated, 0);
                prop_assert_eq!(&decode(bytes), &(rate, planes.clone()));
            }
        }
    }

    #[test]
    fn beyond_full_scale_is_saturated_and_counted() {
        let plane: Vec<f32> = (0..64).map(|i| [0.5, 1.5, -1.0, -1.2][i % 4]).collect();
        for codec in [Codec::Flac, Codec::I16] {
            let (bytes, saturated) = codec.encode(std::slice::from_ref(&plane), 16_000).unwrap();
            assert_eq!(saturated, 32);
            let (_, planes) = decode(bytes);
            assert_eq!(planes[0][..4], [0.5, 32767.0 / 32768.0, -1.0, -1.0]);
        }
        let (bytes, saturated) = Codec::F32.encode(std::slice::from_ref(&plane), 16_000).unwrap();
        assert_eq!((saturated, decode(bytes).1), (0, vec![plane]));
    }
}
