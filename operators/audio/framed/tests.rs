use etude_pipeline::flow::{Mask, SignalType, Unit};
use serde_json::{Value, json};

use super::golden::{RATE, features, signal, sound};
use super::*;
use crate::harness::{at, operator, output, recording, run};
use crate::stft::Stft;

/// A spectrum that shows each sample of a frame.
fn stft(n_fft: usize, hop: usize, padding: &str) -> Stft {
    let window = if n_fft.is_multiple_of(2) { "rectangular" } else { "hamming" };
    operator(json!({"n_fft": n_fft, "hop": hop, "padding": padding, "window": window, "values": "complex"}))
}

/// The signal with what a frame sees on both sides of it.
fn padded(samples: &[f32], side: usize, padding: &str) -> Vec<f32> {
    let last = samples.len() as i64 - 1;
    let sample = |place: i64| match (0..=last).contains(&place) {
        true => samples[place as usize],
        false if padding == "zero" => 0.0,
        false => samples[if place < 0 { -place } else { 2 * last - place } as usize],
    };
    (-(side as i64)..=last + side as i64).map(sample).collect()
}

#[test]
fn padding_is_as_if_the_signal_had_it() {
    for n_fft in [16, 64, 65] {
        for (hop, samples) in [(2, 40), (16, 33), (33, 100), (200, 1000), (64, 1000), (7, 64)] {
            for padding in ["zero", "reflect"] {
                let (_, samples) = sound(samples);
                let samples = samples.channel(0);
                let whole = at(RATE, crate::harness::clip(0, &padded(samples, n_fft / 2, padding)));
                let expected = features(&stft(n_fft, hop, "none"), &whole);
                let clip = at(RATE, crate::harness::clip(0, samples));
                let found = features(&stft(n_fft, hop, padding), &clip);
                assert!(found == expected, "{n_fft} {hop} {} {padding}", samples.len());
                // Of a recording, whose length is not known.
                let recording = at(RATE, recording(&[samples.to_vec()]));
                assert!(features(&stft(n_fft, hop, padding), &recording) == expected);
                let frames = 1 + (samples.len() - n_fft % 2) / hop;
                assert_eq!(expected[0].len(), frames);
            }
        }
    }
}

#[test]
fn what_is_too_short_has_no_frame() {
    for (padding, fewest) in [("none", 64), ("zero", 1), ("reflect", 33)] {
        for (samples, frames) in [(fewest, true), (fewest - 1, false)] {
            let outcome = run(&stft(64, 100, padding), &[sound(samples)]);
            assert_eq!(outcome.signals[0].1[0].len(), usize::from(frames), "{padding} {samples}");
            assert_eq!(outcome.counts.get("too_short").copied(), (!frames).then_some(1));
        }
    }
}

#[test]
fn a_masked_centre_masks_a_frame() {
    let none = Framing { n_fft: 64, hop: 10, padding: Padding::None };
    let zero = Framing { padding: Padding::Zero, ..none };
    // Centres are at 32, 42, 52, … or at 0, 10, 20, …
    let masked = |framing: &Framing, spans: &[(u64, u64)], frames: Option<u64>| {
        let mut header = Header { frames, mask: Some(Mask::filled(spans.into())), ..Header::default() };
        framing.mask(&mut header);
        header.mask.unwrap().covered
    };
    let spans = [(0, 32), (33, 42), (42, 53), (60, 62), (62, 63), (95, 110)];
    assert_eq!(masked(&none, &spans, None), [(1, 4), (7, 8)]);
    assert_eq!(masked(&zero, &[(0, 1), (5, 10), (10, 11), (25, 31)], None), [(0, 2), (3, 4)]);
    assert_eq!(masked(&zero, &[(0, 1000)], Some(7)), [(0, 7)]);
    let (header, block) = sound(1000);
    let header = Header { mask: Some(Mask::marked([(100, 200)].into())), ..header };
    let outcome = run(&stft(64, 50, "zero"), &[(header, block)]);
    assert_eq!(outcome.signals[0].0.mask, Some(Mask::marked([(2, 4)].into())));
}

#[test]
fn a_long_recording_is_not_kept() {
    struct Nothing;
    impl Output for Nothing {
        fn begin(&mut self, _: &Header) -> Step {
            Ok(())
        }
        fn block(&mut self, block: &mut Block) -> Step {
            assert!(block.frames() <= 100);
            Ok(())
        }
        fn end(&mut self) -> Step {
            Ok(())
        }
        fn count(&mut self, _: &'static str, _: u64) {}
    }
    struct Means;
    impl Columns for Means {
        fn width(&self) -> usize {
            1
        }
        fn columns(&mut self, samples: &[f32], hop: usize, frames: usize, rows: &mut [Row]) -> Step {
            (0..frames).for_each(|lane| rows[0][lane] = samples[lane * hop..][..1000].iter().sum());
            Ok(())
        }
    }
    let samples = signal(1000);
    for (hop, padding) in [(10, Padding::None), (700, Padding::Reflect), (5000, Padding::Reflect)] {
        let framing = Framing { n_fft: 1000, hop, padding };
        let context = Context {
            seed: 0,
            stage: "test".into(),
            epoch: 0,
            block: 100,
            cancel: Default::default(),
            sides: Default::default(),
        };
        let mut framed = Framed::new(Means, framing, context);
        framed.begin(&recording(&[Vec::new()]).0, &mut Nothing).unwrap();
        for _ in 0..200 {
            framed.block(&mut Block::planar(1, samples.clone()), &mut Nothing).unwrap();
            assert!(framed.waiting.len() <= 2 * (1000 + LANES * hop) + 1000);
        }
    }
}

#[test]
fn ranges_and_inputs_are_checked() {
    let wrong = |parameters: Value| crate::harness::wrong(&operator::<Stft>(parameters));
    assert_eq!(wrong(json!({"n_fft": 15})).as_deref(), Some("n_fft"));
    assert_eq!(wrong(json!({"n_fft": 65537})).as_deref(), Some("n_fft"));
    assert_eq!(wrong(json!({"hop": 1})).as_deref(), Some("hop"));
    assert_eq!(wrong(json!({"hop": 65537})).as_deref(), Some("hop"));
    let signal = output(&stft(64, 10, "zero"), Unit::Recording, None).unwrap();
    assert_eq!((signal.hop, signal.channels, signal.planes), (10, Some(66), 2));
    let stereo = SignalType::audio(Some(RATE), Some(2), Unit::Clip);
    let refused = Framing { n_fft: 64, hop: 10, padding: Padding::None }.output(stereo, 33).unwrap_err();
    assert!(refused.contains("mono"));
}
