use std::io::Cursor;
use std::process::Command;

use proptest::prelude::*;
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::formats::FormatOptions;
use symphonia::core::formats::probe::Hint;
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

use super::{Encoder, Error, MAX_RATE};

/// Rate and samples as symphonia decodes them; every frame's checksum is verified.
fn decode(bytes: &[u8], bits: u32) -> (u32, Vec<Vec<i32>>) {
    let source = MediaSourceStream::new(Box::new(Cursor::new(bytes.to_vec())), Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(&Hint::new(), source, FormatOptions::default(), MetadataOptions::default())
        .unwrap();
    let parameters = format.tracks()[0].codec_params.clone().unwrap();
    let parameters = parameters.audio().unwrap();
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .unwrap();
    let mut planes = vec![Vec::new(); parameters.channels.as_ref().unwrap().count()];
    let (mut rate, mut block) = (0, Vec::<Vec<f32>>::new());
    while let Some(packet) = format.next_packet().unwrap() {
        let decoded = decoder.decode(&packet).unwrap();
        rate = decoded.spec().rate();
        decoded.copy_to_vecs_planar(&mut block);
        for (plane, block) in planes.iter_mut().zip(&block) {
            plane.extend(block.iter().map(|sample| (sample * (1u32 << (bits - 1)) as f32) as i32));
        }
    }
    (rate, planes)
}

/// Uniform numbers, the same each time.
fn random(seed: u64) -> impl FnMut() -> i64 {
    let mut state = seed | 1;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as i64
    }
}

/// Kinds of signals that take different ways through the encoder.
fn signal(kind: usize, frames: usize, bits: u32, seed: u64) -> Vec<i32> {
    let (least, most) = (-(1i32 << (bits - 1)), (1i32 << (bits - 1)) - 1);
    let mut next = random(seed);
    let mut noise = |amplitude: i32| (next() % (2 * i64::from(amplitude) + 1)) as i32 - amplitude;
    let sine = |at: usize, frequency: f64| (f64::from(most) * 0.9 * (at as f64 * frequency).sin()) as i32;
    (0..frames)
        .map(|at| match kind {
            0 => 0,
            1 => least,
            2 => noise(most),
            3 => sine(at, 0.05),
            4 => sine(at, 0.7) / 2 + noise(3),
            5 => [least, most][at % 2],
            // A click in silence, at the very end of the range.
            6 if at % 1000 == 700 => most,
            6 => 0,
            // Bits that are always zero.
            7 => noise(most >> 4) << 4,
            // Uniform noise in one partition, silence in the next: numbers without a code.
            8 if at / 128 % 2 == 0 => noise(100),
            8 => noise(1),
            // Loud steps: large residuals, large parameters.
            9 => [least, most, most, least, 0][(at / 3 + at / 7) % 5],
            10 if at < frames / 2 => 0,
            _ => sine(at, 0.011).saturating_add(sine(at, 1.3) / 5).clamp(least, most) / 3,
        })
        .collect()
}

const KINDS: usize = 12;

#[test]
fn every_kind_of_signal_comes_back() {
    let mut encoder = Encoder::new();
    for bits in [8, 12, 16, 20, 24] {
        for kind in 0..KINDS {
            let plane = signal(kind, 9001, bits, 7);
            let bytes = encoder.encode(&[&plane[..]], 16_000, bits).unwrap();
            assert!(decode(bytes, bits) == (16_000, vec![plane]), "{bits} bits, kind {kind}");
        }
    }
}

#[test]
fn every_length_of_a_short_clip_comes_back() {
    let mut encoder = Encoder::new();
    for frames in (1..=64).chain([4095, 4096, 4097, 8192, 8193, 8192 + 15, 8192 + 255, 8192 + 257]) {
        for kind in 0..KINDS {
            let plane: Vec<i16> = signal(kind, frames, 16, frames as u64).iter().map(|&i| i as i16).collect();
            let bytes = encoder.encode(&[&plane[..]], 16_000, 16).unwrap();
            let expected = plane.iter().copied().map(i32::from).collect();
            assert!(decode(bytes, 16) == (16_000, vec![expected]), "{frames} frames, kind {kind}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn samples_come_back_exactly(
        frames in prop_oneof![1usize..200, 4000usize..9000],
        channels in 1usize..=8,
        rate in prop_oneof![1u32..=MAX_RATE, Just(8000u32), Just(44_100), Just(96_000), Just(22_255)],
        bits in prop_oneof![Just(8u32), Just(12), Just(16), Just(20), Just(24)],
        kind in 0..KINDS,
        seed in any::<u64>(),
        alike in any::<bool>(),
    ) {
        let planes: Vec<Vec<i32>> = (0..channels)
            .map(|channel| if alike { signal(kind, frames, bits, seed) } else { signal((kind + channel) % KINDS, frames, bits, seed ^ channel as u64) })
            .collect();
        let mut encoder = Encoder::new();
        let bytes = encoder.encode::<i32, _>(&planes, rate, bits).unwrap().to_vec();
        prop_assert!(decode(&bytes, bits) == (rate, planes.clone()));
        // What was encoded before leaves no trace.
        encoder.encode::<i32, _>(&[signal(2, 5000, bits, seed)], 8000, bits).unwrap();
        prop_assert!(encoder.encode::<i32, _>(&planes, rate, bits).unwrap() == bytes);
    }
}

#[test]
fn what_the_format_does_not_hold_is_refused() {
    let mut encoder = Encoder::new();
    let none: [&[i32]; 0] = [];
    assert_eq!(encoder.encode(&none, 8000, 16), Err(Error::Channels(0)));
    assert_eq!(encoder.encode(&[&[0i32; 4][..]; 9], 8000, 16), Err(Error::Channels(9)));
    assert_eq!(encoder.encode(&[&[0i32; 4][..]], 0, 16), Err(Error::Rate(0)));
    assert_eq!(encoder.encode(&[&[0i32; 4][..]], MAX_RATE + 1, 16), Err(Error::Rate(MAX_RATE + 1)));
    assert_eq!(encoder.encode(&[&[0i32; 4][..]], 8000, 32), Err(Error::Bits(32)));
    assert_eq!(
        encoder.encode(&[&[0i32; 4][..], &[0; 3]], 8000, 16),
        Err(Error::Lengths { first: 4, other: 3 })
    );
    assert_eq!(encoder.encode(&[&[0, 128, 0][..]], 8000, 8), Err(Error::Range { bits: 8 }));
    assert_eq!(encoder.encode(&[&[i32::MIN][..]], 8000, 24), Err(Error::Range { bits: 24 }));
    assert!(encoder.encode(&[&[127, -128][..]], 8000, 8).is_ok());
}

#[test]
fn music_like_signals_become_small() {
    let mut encoder = Encoder::new();
    let mut size = |kind, channels| {
        let plane = signal(kind, 40_960, 16, 3);
        encoder.encode(&vec![&plane[..]; channels], 16_000, 16).unwrap().len() as f64 / 81_920.0
    };
    assert!(size(0, 1) < 0.002, "silence");
    assert!(size(4, 1) < 0.35, "a sine in faint noise");
    assert!((1.0..1.01).contains(&size(2, 1)), "white noise");
    // Two equal channels are one and silence.
    assert!(size(4, 2) < 1.01 * size(4, 1));
    assert!(size(7, 1) < 0.8, "noise of 12 bits in 16");
}

/// Decodes a file with a program; none where it is not installed.
fn other(program: &str, arguments: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.flac");
    std::fs::write(&path, bytes).unwrap();
    let mut command = Command::new(program);
    for argument in arguments {
        if *argument == "FILE" {
            command.arg(&path)
        } else {
            command.arg(argument)
        };
    }
    let output = command.output().ok()?;
    // All that may be said is that there is no MD5.
    let errors = String::from_utf8_lossy(&output.stderr);
    let silent = errors.lines().all(|line| line.is_empty() || line.contains("MD5"));
    assert!(output.status.success() && silent, "{program}: {errors}");
    Some(output.stdout)
}

#[test]
fn other_decoders_give_the_same() {
    let programs: [(&str, &[&str]); 2] = [
        (
            "ffmpeg",
            &["-v", "error", "-xerror", "-err_detect", "crccheck+explode", "-i", "FILE", "-f", "s16le", "-"],
        ),
        ("flac", &["-s", "-d", "-c", "--force-raw-format", "--endian=little", "--sign=signed", "FILE"]),
    ];
    for (program, arguments) in programs {
        if Command::new(program).arg("-version").output().is_err() {
            println!("{program} is not installed: nothing is compared with it");
            continue;
        }
        let mut encoder = Encoder::new();
        for (kind, (channels, frames)) in
            [(1, 160_000), (2, 20_000), (6, 5000), (1, 1), (1, 15), (2, 16), (1, 4097), (8, 300)]
                .into_iter()
                .cycle()
                .take(3 * KINDS)
                .enumerate()
        {
            let planes: Vec<Vec<i32>> =
                (0..channels).map(|channel| signal(kind % KINDS, frames, 16, 11 + channel)).collect();
            let bytes = encoder.encode::<i32, _>(&planes, 16_000, 16).unwrap();
            let expected: Vec<u8> = (0..frames)
                .flat_map(|frame| planes.iter().flat_map(move |plane| (plane[frame] as i16).to_le_bytes()))
                .collect();
            let decoded = other(program, arguments, bytes).unwrap();
            assert!(decoded == expected, "{program}: kind {kind}, {channels} channels, {frames} frames");
        }
    }
}
