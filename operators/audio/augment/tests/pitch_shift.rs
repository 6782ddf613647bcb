use std::f64::consts::TAU;

use super::*;

pub const HARMONICS: usize = 6;

/// The amplitude of a harmonic.
pub fn amplitude(harmonic: usize) -> f64 {
    0.3 / harmonic as f64
}

/// A second and a half of a note.
pub fn note(hz: f64, rate: u32) -> Block {
    let angle = |at: usize| TAU * hz * at as f64 / f64::from(rate);
    let part = |at: usize, harmonic: usize| {
        amplitude(harmonic) * (harmonic as f64 * angle(at) + harmonic as f64).sin()
    };
    let sample = |at: usize| (1..=HARMONICS).map(|harmonic| part(at, harmonic)).sum::<f64>() as f32;
    Block::planar(1, (0..rate as usize * 3 / 2).map(sample).collect())
}

/// What is not near an end.
pub fn middle(clip: &Block) -> Block {
    clip.slice(clip.frames() / 5, clip.frames() * 4 / 5)
}

fn shifted(semitones: f64, clip: &Block, rate: u32) -> Block {
    apply_at(rate, json!({"pitch_shift": {"p": 1, "semitones": [semitones, semitones]}}), clip, "a")
}

/// The amplitude of a sinusoid of a frequency in cycles a sample, under a Hann window.
fn strength(samples: &[f32], frequency: f64) -> f64 {
    let (turn, begin) = ((TAU * frequency).sin_cos(), (0.0, 0.0));
    let (mut sin, mut cos) = (0.0, 1.0);
    let (re, im) = samples.iter().enumerate().fold(begin, |(re, im), (at, sample)| {
        let window = 1.0 - (TAU * at as f64 / samples.len() as f64).cos();
        let value = window * f64::from(*sample);
        let sum = (re + value * cos, im + value * sin);
        (sin, cos) = (sin * turn.1 + cos * turn.0, cos * turn.1 - sin * turn.0);
        sum
    });
    2.0 * re.hypot(im) / samples.len() as f64
}

/// By how many cents a sinusoid lies beside where it should be, and its amplitude: the place of the peak of its
/// spectrum, between the cents by a parabola.
pub fn peak(samples: &[f32], frequency: f64) -> (f64, f64) {
    let at = |cents: f64| strength(samples, frequency * 2f64.powf(cents / 1200.0));
    let grid: Vec<f64> = (-10..=10).map(|step| at(f64::from(step))).collect();
    let best = (1..grid.len() - 1).max_by(|a, b| grid[*a].total_cmp(&grid[*b])).unwrap();
    let [before, there, behind] = [grid[best - 1], grid[best], grid[best + 1]];
    (best as f64 - 10.0 + 0.5 * (before - behind) / (before - 2.0 * there + behind), there)
}

#[test]
fn a_note_has_the_pitch_and_the_level_that_were_asked_for() {
    for (rate, hz) in [(16_000, 110.0), (16_000, 440.0), (22_050, 196.0), (44_100, 131.0), (44_100, 523.0)] {
        let clip = note(hz, rate);
        for semitones in [-7.0, -3.3, -0.25, 0.5, 4.0, 7.0] {
            let found = shifted(semitones, &clip, rate);
            assert_eq!(found.frames(), clip.frames());
            let found = middle(&found);
            let level = db(rms(&found) / rms(&middle(&clip)));
            assert!(level.abs() < 0.2, "{hz} Hz, {semitones} semitones, rate {rate}: {level} dB");
            for harmonic in 1..=HARMONICS {
                let frequency = harmonic as f64 * hz * 2f64.powf(semitones / 12.0) / f64::from(rate);
                let (cents, strength) = peak(found.samples(), frequency);
                let level = db(strength / amplitude(harmonic));
                assert!(
                    cents.abs() < 0.5 && level.abs() < 0.2,
                    "{hz} Hz, harmonic {harmonic}, {semitones} semitones, rate {rate}: {cents} cents, {level} dB"
                );
            }
        }
    }
}

#[test]
fn nothing_is_mirrored_at_half_the_rate() {
    // What is above half the rate afterwards must be gone.
    let tone = |hz: f64| {
        let sample = |at: usize| 0.5 * (TAU * hz * at as f64 / 44_100.0).sin();
        Block::planar(1, (0..44_100).map(|at| sample(at) as f32).collect())
    };
    let gone = middle(&shifted(7.0, &tone(16_000.0), 44_100));
    assert!(db(rms(&gone) / 0.5) < -75.0, "{}", db(rms(&gone) / 0.5));
    let kept = middle(&shifted(-7.0, &tone(16_000.0), 44_100));
    assert!(db(rms(&kept) / rms(&tone(16_000.0))).abs() < 0.1);
}

#[test]
fn what_happens_happens_when_it_did() {
    // A note that begins in the middle does so after any shift.
    let rate = 16_000;
    let mut clip = note(330.0, rate);
    let half = clip.frames() / 2;
    clip.samples_mut()[..half].fill(0.0);
    for semitones in [-7.0, 7.0] {
        let found = shifted(semitones, &clip, rate);
        let power =
            |from: usize, to: usize| rms(&found.slice(from, to)) / rms(&clip.slice(half, clip.frames()));
        let near = 1024;
        assert!(power(0, half - near) < 1e-3 && (power(half + near, clip.frames()) - 1.0).abs() < 0.05);
    }
}

#[test]
fn short_clips_silence_and_no_shift() {
    for rate in [1000, 16_000, 44_100, 192_000] {
        for frames in [1, 2, 3, 100, 3001] {
            let ones = Block::planar(1, vec![0.5; frames]);
            for semitones in [-24.0, -7.0, 0.01, 7.0, 24.0] {
                let found = shifted(semitones, &ones, rate);
                assert_eq!(found.frames(), frames);
                assert!(
                    found.samples().iter().all(|sample| sample.abs() < 1.0),
                    "{rate} {frames} {semitones}"
                );
                let silent = Block::zeros(2, frames);
                assert_eq!(shifted(semitones, &silent, rate), silent);
            }
        }
    }
    assert_eq!(shifted(0.0, &tone(440.0), RATE), tone(440.0));
}

#[test]
fn a_clip_before_leaves_nothing() {
    let clip = note(220.0, RATE);
    let first = shifted(3.0, &clip, RATE);
    let _ = shifted(-5.0, &note(999.0, 44_100), 44_100);
    assert_eq!(shifted(3.0, &clip, RATE), first);
    // Channels are each what they are alone.
    let other = note(300.0, RATE);
    let both = Block::planar(2, [clip.samples(), other.samples()].concat());
    let both = shifted(3.0, &both, RATE);
    assert!(both.channel(0) == first.samples() && both.channel(1) == shifted(3.0, &other, RATE).samples());
}
