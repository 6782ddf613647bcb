//! What our encoder makes, and what encoders could make, beside symphonia's decoder and plain formulas.

use std::io::Cursor;

use etude_pipeline::random::Random;
use proptest::prelude::*;
use symphonia::core::codecs::audio::AudioDecoder;
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::codecs::audio::well_known::CODEC_ID_FLAC;
use symphonia::core::formats::FormatOptions;
use symphonia::core::formats::probe::Hint;
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use super::*;
use crate::flac::Encoder;

/// The packets of a file, and what it says of them.
fn packets(bytes: &[u8]) -> (AudioCodecParameters, Vec<Packet>) {
    let source = MediaSourceStream::new(Box::new(Cursor::new(bytes.to_vec())), Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(&Hint::new(), source, FormatOptions::default(), MetadataOptions::default())
        .unwrap();
    let parameters = format.tracks()[0].codec_params.clone().unwrap().audio().unwrap().clone();
    let packets = std::iter::from_fn(|| format.next_packet().unwrap()).collect();
    (parameters, packets)
}

fn all(decoder: &mut dyn AudioDecoder, packets: &[Packet]) -> Vec<Vec<f32>> {
    let (mut planes, mut block) = (Vec::new(), Vec::<Vec<f32>>::new());
    for packet in packets {
        decoder.decode(packet).unwrap().copy_to_vecs_planar(&mut block);
        planes.resize(block.len(), Vec::new());
        planes.iter_mut().zip(&block).for_each(|(plane, block)| plane.extend(block));
    }
    planes
}

/// Signals that take different ways through a decoder.
fn signals(bits: u32, length: usize) -> Vec<Vec<i32>> {
    let most = (1i32 << (bits - 1)) - 1;
    let mut random = Random::keyed(&[b"flac"]);
    let sine = |at: usize, step: f64| (0.9 * f64::from(most) * (step * at as f64).sin()) as i32;
    let mut of = |value: &dyn Fn(usize, &mut Random) -> i32| -> Vec<i32> {
        (0..length).map(|at| value(at, &mut random)).collect()
    };
    vec![
        of(&|_, _| 0),
        of(&|_, _| -most - 1),
        of(&|at, _| if at % 2 == 0 { most } else { -most - 1 }),
        of(&|_, random| random.range(f64::from(-most), f64::from(most)) as i32),
        of(&|at, _| sine(at, 0.03)),
        of(&|at, random| sine(at, 0.3) / 3 + random.range(-9.0, 9.0) as i32),
        of(&|at, _| sine(at, 0.05) & !15),
        of(&|at, _| if at == length / 2 { most } else { 0 }),
    ]
}

#[test]
fn what_is_encoded_is_decoded_in_every_pair_of_signals() {
    let wanted = |mono| Wanted { mono, checked: false };
    for bits in [8, 16, 20, 24] {
        let signals = signals(bits, 5000);
        for (first, left) in signals.iter().enumerate() {
            // The opposite of the first makes the largest difference.
            let opposite: Vec<i32> = left.iter().map(|sample| !sample).collect();
            for right in signals.iter().skip(first).chain([&opposite]) {
                let mut encoder = Encoder::new();
                let bytes = encoder.encode::<i32, _>(&[&left[..], &right[..]], 44_100, bits).unwrap();
                let (parameters, packets) = packets(bytes);
                let scale = (1i64 << (bits - 1)) as f32;
                let planes = all(&mut Flac::decoder(&parameters, wanted(false)).unwrap(), &packets);
                for (plane, samples) in planes.iter().zip([left, right]) {
                    assert!(
                        plane.iter().zip(samples).all(|(found, sample)| *found == *sample as f32 / scale)
                    );
                }
                let mean = &all(&mut Flac::decoder(&parameters, wanted(true)).unwrap(), &packets)[0];
                let expected =
                    left.iter().zip(right).map(|(left, right)| (left + right) as f32 / (2.0 * scale));
                assert!(mean.iter().zip(expected).all(|(found, expected)| *found == expected));
            }
        }
    }
}

#[test]
fn more_channels_and_blocks_of_any_length_are_as_symphonia_decodes_them() {
    let signals = signals(16, 9001);
    for channels in 1..=8 {
        let bytes = Encoder::new().encode::<i32, _>(&signals[..channels], 8000, 16).unwrap().to_vec();
        let (parameters, packets) = packets(&bytes);
        let codecs = symphonia::default::get_codecs();
        let mut other = codecs.make_audio_decoder(&parameters, &AudioDecoderOptions::default()).unwrap();
        let wanted = Wanted { mono: false, checked: false };
        let mut decoder = Flac::decoder(&parameters, wanted).unwrap();
        assert_eq!(all(&mut decoder, &packets), all(other.as_mut(), &packets));
    }
}

#[test]
fn a_frame_that_is_damaged_is_an_error() {
    let signals = signals(16, 4096);
    let bytes = Encoder::new().encode::<i32, _>(&signals[4..6], 44_100, 16).unwrap().to_vec();
    let (parameters, packets) = packets(&bytes);
    let frame = packets[0].data.to_vec();
    let mut random = Random::keyed(&[b"damage"]);
    let packet = |bytes: &[u8]| Packet::new(0, Timestamp::ZERO, Duration::ZERO, bytes);
    for checked in [false, true] {
        let mut decoder = Flac::decoder(&parameters, Wanted { mono: false, checked }).unwrap();
        for _ in 0..2000 {
            let mut other = frame.clone();
            other[random.below(frame.len() as u64) as usize] ^= 1 << random.below(8);
            // Without the checksum it may give anything, but it ends.
            let decoded = decoder.decode(&packet(&other));
            assert!(checked || decoded.is_err());
        }
        for length in 0..frame.len() {
            assert!(decoder.decode(&packet(&frame[..length])).is_err() || checked, "{length}");
        }
        decoder.decode(&packet(&frame)).unwrap();
    }
}

/// Writes bits, the most significant first.
#[derive(Default)]
struct Written(Vec<bool>);

impl Written {
    fn bits(&mut self, value: u32, count: u32) {
        self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
    }

    fn bytes(&self) -> Vec<u8> {
        let byte =
            |bits: &[bool]| (0..8).fold(0, |byte, at| byte << 1 | u8::from(bits.get(at) == Some(&true)));
        self.0.chunks(8).map(byte).collect()
    }

    /// Of up to 33 bits.
    fn signed(&mut self, value: i64, count: u32) {
        self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
    }
}

/// A channel as it is, after so many bits that are 0 in all of it.
fn verbatim(written: &mut Written, samples: &[i64], width: u32, wasted: u32) {
    written.bits(1 << 1 | u32::from(wasted > 0), 8);
    if wasted > 0 {
        written.bits(1, wasted);
    }
    samples.iter().for_each(|sample| written.signed(sample >> wasted, width - wasted));
}

/// A channel predicted from its last sample, of which three quarters count.
fn predicted(written: &mut Written, samples: &[i64], width: u32) {
    written.bits(32 << 1, 8);
    written.signed(samples[0], width);
    // A precision of 4 bits, a shift of 2, a weight of 3; then one part of numbers of 31 bits.
    written.bits(3, 4);
    written.bits(2, 5);
    written.bits(3, 4);
    written.bits(15, 2 + 4 + 4);
    written.bits(31, 5);
    samples.windows(2).for_each(|pair| written.signed(pair[1] - ((3 * pair[0]) >> 2), 31));
}

/// The difference of two channels of 32 bits has 33.
#[test]
fn samples_of_32_bits_come_back_from_their_difference() {
    let (most, least) = (i64::from(i32::MAX), i64::from(i32::MIN));
    let extremes = [(most, least), (least, most), (most, most), (least, least), (0, -1), (1, 0), (5, -6)];
    let slow: Vec<(i64, i64)> = (0..9).map(|at| (most - 7001 * at, least + 900 * at)).collect();
    let padded: Vec<(i64, i64)> = extremes.iter().map(|(left, right)| (left & !255, right & !255)).collect();
    // 44.1 kHz, two channels, 32 bits.
    let mut info = vec![0; 34];
    info[2..4].copy_from_slice(&16u16.to_be_bytes());
    info[10..14].copy_from_slice(&(44_100u32 << 12 | 1 << 9 | 31 << 4).to_be_bytes());
    let mut parameters = AudioCodecParameters::new();
    parameters.for_codec(CODEC_ID_FLAC).with_extra_data(info.into());
    for (samples, wasted, by_prediction) in [(&extremes[..], 0, false), (&padded, 8, false), (&slow, 0, true)]
    {
        for kind in [1, 8, 9, 10] {
            let coded = samples.iter().map(|(left, right)| match kind {
                1 => (*left, *right),
                8 => (*left, left - right),
                9 => (left - right, *right),
                _ => ((left + right) >> 1, left - right),
            });
            let (first, second): (Vec<i64>, Vec<i64>) = coded.unzip();
            let widths = match kind {
                1 => (32, 32),
                9 => (33, 32),
                _ => (32, 33),
            };
            // A block whose length stands in a byte, of the stream's rate.
            let mut written = Written::default();
            written.bits(0xfff8_6000 | kind << 4 | 7 << 1, 32);
            written.bits(samples.len() as u32 - 1, 8 + 8);
            written.bits(0, 8);
            for (samples, width) in [(&first, widths.0), (&second, widths.1)] {
                // Of the middle the wasted bits are others.
                let wasted =
                    if samples.iter().all(|sample| sample % (1 << wasted) == 0) { wasted } else { 0 };
                if by_prediction {
                    predicted(&mut written, samples, width);
                } else {
                    verbatim(&mut written, samples, width, wasted);
                }
            }
            let mut frame = written.bytes();
            frame.extend(crc::crc16(&frame).to_be_bytes());
            let packets = [Packet::new(0, Timestamp::ZERO, Duration::ZERO, frame)];
            let wanted = |mono| Wanted { mono, checked: false };
            let planes = all(&mut Flac::decoder(&parameters, wanted(false)).unwrap(), &packets);
            let scale = (1u64 << 31) as f32;
            for (at, (left, right)) in samples.iter().enumerate() {
                assert_eq!(
                    [planes[0][at], planes[1][at]],
                    [*left as f32 / scale, *right as f32 / scale],
                    "{kind}"
                );
            }
            let mean = all(&mut Flac::decoder(&parameters, wanted(true)).unwrap(), &packets);
            let expected = samples.iter().map(|(left, right)| (left + right) as f32 / (2.0 * scale));
            assert_eq!(mean, [expected.collect::<Vec<_>>()], "{kind}");
        }
    }
}

proptest! {
    /// Codes of any length, at any place of a byte, up to the last bit.
    #[test]
    fn residuals_are_read_as_rice_coded_them(
        values in prop::collection::vec((0u32..30, -40_000i32..40_000), 1..200),
        parameter in 0u32..15,
        before in 0u32..8,
    ) {
        let mut written = Written::default();
        written.bits(0, before);
        // One part, parameters of four bits.
        written.bits(0, 6);
        written.bits(parameter, 4);
        // Most codes are short, a few are long.
        let values: Vec<i32> = values.iter().map(|(small, value)| {
            if *small < 28 { (value >> 6) * (1 << parameter) / 256 } else { *value }
        }).collect();
        for value in &values {
            let code = ((value << 1) ^ (value >> 31)) as u32;
            written.0.extend(std::iter::repeat_n(false, (code >> parameter) as usize));
            written.bits(1, 1);
            written.bits(code & ((1 << parameter) - 1), parameter);
        }
        let bytes = written.bytes();
        let mut bits = Padded::new(&bytes);
        bits.at = before as usize;
        let mut found = vec![0; values.len()];
        residual::read(&mut bits, &mut found, values.len(), written.0.len()).unwrap();
        prop_assert_eq!(found, values);
        prop_assert_eq!(bits.at, written.0.len());
    }

    /// Any weights and samples of 16 bits, of 17 in one channel, side by side and by the formula.
    #[test]
    fn predictors_give_the_samples_back(
        orders in [1usize..=17, 1usize..=32],
        weights in prop::collection::vec(-16_384i32..16_384, 32),
        shift in 0u32..15,
        seed in any::<u64>(),
        loud in prop::bool::weighted(0.3),
        wasted in 0u32..3,
    ) {
        let mut random = Random::keyed(&[&seed.to_le_bytes()]);
        let channels = orders.map(|order| {
            let level = if loud { 65_535.0 } else { 32_767.0 };
            let samples: Vec<i32> = (0..300).map(|_| random.range(-level, level) as i32).collect();
            let mut subframe = Subframe { order, shift, wasted, ..Subframe::NONE };
            subframe.weights[..order].copy_from_slice(&weights[..order]);
            let mut coded = samples.clone();
            let mut largest = 0i64;
            for at in order..samples.len() {
                let term = |back: usize| i64::from(samples[at - 1 - back]) * i64::from(weights[back]);
                let residual = i64::from(samples[at]) - ((0..order).map(term).sum::<i64>() >> shift);
                largest = largest.max(residual.abs());
                coded[at] = residual as i32;
            }
            // As it is told when a subframe is read.
            subframe.wide = (largest + 65_537) << shift >= 1 << 31;
            (samples, coded, subframe)
        });
        let [(left, mut one, of_one), (right, mut two, of_two)] = channels;
        predict::both(&mut one, &of_one, &mut two, &of_two);
        prop_assert!(one.iter().zip(&left).all(|(found, sample)| *found == sample << wasted));
        prop_assert!(two.iter().zip(&right).all(|(found, sample)| *found == sample << wasted));
    }
}
