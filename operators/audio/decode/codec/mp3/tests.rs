//! The steps of a decoder beside the formulas of the standard.

use std::f64::consts::PI;

use etude_pipeline::random::Random;

use super::bands::Table;
use super::hybrid::{Hybrid, SLOTS};
use super::side::Block;
use super::synthesis::Synthesis;
use super::window::window;
use super::*;

fn random(of: u64) -> Random {
    Random::keyed(&[&of.to_le_bytes()])
}

#[test]
fn bands_are_all_lines_once() {
    for index in 0..9 {
        let table = Table::new(index);
        for block in [Block::Long, Block::Short { mixed: false }, Block::Short { mixed: true }] {
            let bands = table.bands(block);
            let mut order = bands.order.clone();
            order.sort_unstable();
            assert_eq!(order, (0..576).collect::<Vec<u16>>(), "{index} {block:?}");
            assert_eq!(*bands.edges.last().unwrap(), 576);
            assert!(bands.edges.len() <= 40);
        }
    }
}

/// ISO/IEC 11172-3, figure A.2.
#[test]
fn synthesis_is_that_of_the_standard() {
    let (mut vector, mut random) = (vec![0.0; 1024], random(1));
    let mut synthesis = Synthesis::new();
    for slots in [2 * SLOTS, SLOTS, SLOTS, 2 * SLOTS, 2 * SLOTS] {
        let mut subbands = [[0.0; 2 * SLOTS]; 32];
        subbands.iter_mut().for_each(|row| row[..slots].fill_with(|| random.range(-1.0, 1.0) as f32));
        let mut expected = Vec::new();
        for slot in 0..slots {
            vector.rotate_right(64);
            for (at, value) in vector[..64].iter_mut().enumerate() {
                let term = |(subband, row): (usize, &[f32; 2 * SLOTS])| {
                    f64::from(row[slot]) * (((16 + at) * (2 * subband + 1)) as f64 * PI / 64.0).cos()
                };
                *value = subbands.iter().enumerate().map(term).sum::<f64>();
            }
            for sample in 0..32 {
                let term = |back: usize| {
                    let at = 128 * (back / 2) + if back.is_multiple_of(2) { 0 } else { 96 } + sample;
                    vector[at] * f64::from(window(32 * back + sample))
                };
                expected.push((0..16).map(term).sum::<f64>());
            }
        }
        let mut found = vec![0.0; 32 * slots];
        synthesis.synthesise(&mut subbands, slots, &mut found);
        for (expected, found) in expected.iter().zip(&found) {
            assert!((expected - f64::from(*found)).abs() < 2e-5, "{expected} {found}");
        }
    }
}

/// ISO/IEC 11172-3, 2.4.3.4.8 and 2.4.3.4.10, step by step.
#[test]
fn the_hybrid_filterbank_is_that_of_the_standard() {
    let (table, mut random) = (Table::new(0), random(2));
    let (short, mixed) = (Block::Short { mixed: false }, Block::Short { mixed: true });
    let mut hybrid = Hybrid::new();
    let mut overlap = [[0.0; SLOTS]; 32];
    let blocks =
        [Block::Long, Block::Start, short, short, Block::Stop, Block::Long, mixed, mixed, Block::Stop];
    for (granule, block) in blocks.into_iter().enumerate() {
        let bands = table.bands(block);
        // Some have lines in the lower subbands only.
        let end = [576, 100, 200, 31][granule % 4];
        let mut coded = [0.0; 576];
        coded[..end].fill_with(|| random.range(-1.0, 1.0) as f32);
        let mut lines: Vec<f64> = bands.order.iter().map(|at| f64::from(coded[usize::from(*at)])).collect();
        let edges = if block == short {
            0
        } else if block == mixed {
            1
        } else {
            31
        };
        for edge in 1..=edges {
            for (at, c) in
                [-0.6, -0.535, -0.33, -0.185, -0.095, -0.041, -0.0142, -0.0037f64].iter().enumerate()
            {
                let (stays, goes) = (1.0 / (1.0 + c * c).sqrt(), c / (1.0 + c * c).sqrt());
                let (below, above) = (18 * edge - 1 - at, 18 * edge + at);
                (lines[below], lines[above]) =
                    (lines[below] * stays - lines[above] * goes, lines[above] * stays + lines[below] * goes);
            }
        }
        let mut slots = [[0.0; 32]; SLOTS];
        hybrid.transform(&coded, end, block, bands, &mut slots);
        for (subband, lines) in lines.chunks_exact(18).enumerate() {
            let kind = if block == mixed && subband < 2 { Block::Long } else { block };
            let mut samples = [0.0; 36];
            if matches!(kind, Block::Short { .. }) {
                for window in 0..3 {
                    for at in 0..12 {
                        let term = |line: usize| {
                            let angle = PI / 24.0 * ((2 * at + 7) * (2 * line + 1)) as f64;
                            lines[3 * line + window] * angle.cos()
                        };
                        let sum: f64 = (0..6).map(term).sum();
                        samples[6 + 6 * window + at] += sum * (PI / 12.0 * (at as f64 + 0.5)).sin();
                    }
                }
            } else {
                for (at, sample) in samples.iter_mut().enumerate() {
                    let term = |line: usize| {
                        lines[line] * (PI / 72.0 * ((2 * at + 19) * (2 * line + 1)) as f64).cos()
                    };
                    let place = if kind == Block::Stop { 35 - at } else { at };
                    let weight = match (kind, place) {
                        (Block::Long, _) | (_, 0..18) => (PI / 36.0 * (place as f64 + 0.5)).sin(),
                        (_, 18..24) => 1.0,
                        (_, 24..30) => (PI / 12.0 * (place as f64 - 18.0 + 0.5)).sin(),
                        _ => 0.0,
                    };
                    *sample = (0..18).map(term).sum::<f64>() * weight;
                }
            }
            for slot in 0..SLOTS {
                let sign = if slot % 2 == 1 && subband % 2 == 1 { -1.0 } else { 1.0 };
                let expected = sign * (samples[slot] + overlap[subband][slot]);
                let found = f64::from(slots[slot][subband]);
                assert!((expected - found).abs() < 1e-5, "{block:?} {subband} {slot}: {expected} {found}");
                overlap[subband][slot] = samples[18 + slot];
            }
        }
    }
}

#[test]
fn a_frame_that_reaches_too_far_back_says_what_is_missing() {
    let mut reservoir = Reservoir::default();
    assert_eq!(reservoir.fill(&[1, 2, 3], 2), 2);
    assert_eq!(reservoir.length(), 24);
    assert_eq!(reservoir.fill(&[4], 2), 0);
    assert_eq!(&reservoir.bytes()[..3], [2, 3, 4]);
    assert_eq!(reservoir.fill(&[5; 1000], 9), 6);
    assert_eq!(reservoir.fill(&[], 511), 0);
    assert_eq!(reservoir.length(), 511 * 8);
}

#[test]
fn headers_of_other_layers_are_none() {
    let header = Header::read(&[0xff, 0xfb, 0x90, 0x64]).unwrap();
    assert_eq!((header.rate, header.channels, header.mid_side, header.intensity), (44_100, 2, true, false));
    assert_eq!(header.side(), (4, 32));
    let header = Header::read(&[0xff, 0xe2, 0x40, 0xc0]).unwrap();
    assert_eq!((header.rate, header.channels, header.side()), (11_025, 1, (6, 9)));
    for other in
        [[0xff, 0xfd, 0x90, 0x64], [0xff, 0xeb, 0x90, 0x64], [0xff, 0xfb, 0x9c, 0x64], [0xfe, 0xfb, 0, 0]]
    {
        assert!(Header::read(&other).is_none(), "{other:x?}");
    }
}

#[test]
fn what_is_no_frame_is_an_error() {
    let mut decoder = Mp3::new(false);
    for bytes in [&[][..], &[0xff, 0xfb], &[0xff, 0xfb, 0x90, 0x64, 0], &[0; 100]] {
        assert!(decoder.decode_frame(bytes).is_err(), "{bytes:x?}");
    }
    let mut random = random(3);
    for _ in 0..2000 {
        let mut frame = vec![0; 417];
        frame.fill_with(|| random.below(256) as u8);
        frame[..4].copy_from_slice(&[0xff, 0xfb, 0x90, 0x64]);
        // Whatever it gives, it ends.
        let _ = decoder.decode_frame(&frame);
    }
}

/// A frame of silence: at 44.1 kHz and 128 kbit/s, of two channels or one.
fn silence(mode: u8) -> Vec<u8> {
    let mut frame = vec![0; 417];
    frame[..4].copy_from_slice(&[0xff, 0xfb, 0x90, mode]);
    frame
}

#[test]
fn a_frame_that_cannot_be_decoded_says_nothing_of_the_others() {
    let (stereo, mono) = (silence(0x00), silence(0xc0));
    let mut decoder = Mp3::new(false);
    // One channel, and more lines than there are.
    let mut broken = mono.clone();
    broken[4..21].fill(0xff);
    assert!(decoder.decode_frame(&broken).is_err());
    decoder.decode_frame(&stereo).unwrap();
    assert!(decoder.reservoir.length() > 0);
    // A frame of another kind is refused, and none of what came before it can be taken for its data.
    assert!(decoder.decode_frame(&mono).is_err());
    assert_eq!(decoder.reservoir.length(), 0);
    decoder.decode_frame(&stereo).unwrap();
}

#[test]
fn a_part_without_bits_is_silence() {
    // Pairs in a book that there is not, but no bit for them; the factors would have had some.
    let mut frame = silence(0xc0);
    let mut bits = [false; 17 * 8];
    let mut put = |at: usize, value: u32, count: usize| {
        (0..count).for_each(|bit| bits[at + bit] = value >> (count - 1 - bit) & 1 == 1);
    };
    // Behind what belongs to the frame: the length, pairs, gain, compression, no window, the books.
    for granule in 0..2 {
        let at = 9 + 5 + 4 + 59 * granule;
        put(at + 12, 100, 9);
        put(at + 29, 15, 4);
        put(at + 34, 4, 5);
    }
    for (byte, bits) in frame[4..21].iter_mut().zip(bits.chunks(8)) {
        *byte = bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    }
    let mut decoder = Mp3::new(false);
    decoder.decode_frame(&frame).unwrap();
    assert!(decoder.channels[0].subbands.iter().flatten().all(|sample| *sample == 0.0));
}
