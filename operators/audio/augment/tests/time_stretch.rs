use super::pitch_shift::{HARMONICS, amplitude, middle, note, peak};
use super::*;

fn stretched(rate: f64, clip: &Block, sampled: u32) -> Block {
    apply_at(sampled, json!({"time_stretch": {"p": 1, "rate": [rate, rate]}}), clip, "a")
}

#[test]
fn a_note_keeps_its_pitch_and_its_level() {
    for (sampled, hz) in [(16_000, 110.0), (16_000, 440.0), (22_050, 196.0), (44_100, 131.0), (44_100, 523.0)]
    {
        let clip = note(hz, sampled);
        for rate in [0.5, 0.8, 0.97, 1.1, 1.25, 1.9] {
            let found = stretched(rate, &clip, sampled);
            assert_eq!(found.frames(), clip.frames());
            // What is there of it.
            let there = found.frames().min((found.frames() as f64 / rate) as usize);
            let found = middle(&found.slice(0, there));
            for harmonic in 1..=HARMONICS {
                let (cents, strength) = peak(found.samples(), harmonic as f64 * hz / f64::from(sampled));
                let level = db(strength / amplitude(harmonic));
                assert!(
                    cents.abs() < 0.5 && level.abs() < 0.2,
                    "{hz} Hz, harmonic {harmonic}, rate {rate} at {sampled}: {cents} cents, {level} dB"
                );
            }
        }
    }
}

#[test]
fn what_happens_happens_sooner_or_later() {
    // Bursts of 5 ms: the middle of the power of each.
    let sampled = 44_100;
    let burst = noise("burst", 1, 220);
    let mut clip = Block::zeros(1, 2 * sampled as usize);
    let places = [0.2, 0.5, 0.9, 1.3];
    for place in places {
        let from = (place * f64::from(sampled)) as usize;
        clip.samples_mut()[from..from + burst.frames()].copy_from_slice(burst.samples());
    }
    for rate in [0.5, 0.8, 0.95, 1.05, 1.25, 2.0] {
        let found = stretched(rate, &clip, sampled);
        for place in places.into_iter().filter(|place| place / rate < 1.9) {
            let due = (place + 0.0025) / rate * f64::from(sampled);
            let near = 4000.min(due as usize);
            let from = due as usize - near;
            let part = found.slice(from, (due as usize + near).min(found.frames()));
            let power = |(at, sample): (usize, &f32)| (at as f64, f64::from(*sample).powi(2));
            let (moment, total) = part
                .samples()
                .iter()
                .enumerate()
                .map(power)
                .fold((0.0, 0.0), |sum, (at, power)| (sum.0 + at * power, sum.1 + power));
            let off = (from as f64 + moment / total - due) / f64::from(sampled);
            assert!(off.abs() < 0.004, "rate {rate}: the burst at {place} s is {off:.4} s late");
        }
    }
}

#[test]
fn what_is_missing_is_silence_and_what_is_too_long_is_cut_off() {
    let clip = note(220.0, RATE);
    let fast = stretched(1.25, &clip, RATE);
    let end = (clip.frames() as f64 / 1.25).ceil() as usize;
    assert!(fast.samples()[end..].iter().all(|sample| *sample == 0.0));
    assert!(rms(&fast.slice(end - 500, end)) > 0.5 * rms(&clip));
    let slow = stretched(0.8, &clip, RATE);
    assert!(rms(&slow.slice(clip.frames() - 500, clip.frames())) > 0.9 * rms(&clip));
}

#[test]
fn short_clips_silence_and_no_stretch() {
    for sampled in [1000, 16_000, 192_000] {
        for frames in [1, 2, 3, 100, 3001] {
            let ones = Block::planar(1, vec![0.5; frames]);
            for rate in [0.1, 0.8, 1.01, 1.25, 10.0] {
                let found = stretched(rate, &ones, sampled);
                assert_eq!(found.frames(), frames);
                assert!(found.samples().iter().all(|sample| sample.abs() < 1.0), "{sampled} {frames} {rate}");
                let silent = Block::zeros(2, frames);
                assert_eq!(stretched(rate, &silent, sampled), silent);
            }
        }
    }
    assert_eq!(stretched(1.0, &tone(440.0), RATE), tone(440.0));
}

#[test]
fn a_clip_before_leaves_nothing() {
    let clip = note(220.0, RATE);
    let first = stretched(1.2, &clip, RATE);
    let _ = stretched(0.7, &note(999.0, 44_100), 44_100);
    assert_eq!(stretched(1.2, &clip, RATE), first);
}
