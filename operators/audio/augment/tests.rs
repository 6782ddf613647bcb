use super::*;

const RATE: u32 = 16_000;

fn tone(hz: f64) -> Block {
    let sample = |i: usize| (0.5 * (std::f64::consts::TAU * hz * i as f64 / f64::from(RATE)).sin()) as f32;
    Block::planar(1, (0..RATE as usize).map(sample).collect())
}

fn rms(block: &Block) -> f64 {
    let power: f64 = block.samples().iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (power / block.samples().len() as f64).sqrt()
}

fn db(ratio: f64) -> f64 {
    20.0 * ratio.log10()
}

fn apply(change: &Change, block: &Block, key: &str) -> Block {
    let mut clip = block.clone();
    change.apply(&mut clip, RATE, &mut Random::keyed(&[key.as_bytes()]));
    clip
}

#[test]
fn gain_and_polarity() {
    let gain = Change::Gain(Gain { p: 1.0, db: [-6.0, -6.0] });
    assert!((db(rms(&apply(&gain, &tone(440.0), "a")) / rms(&tone(440.0))) + 6.0).abs() < 1e-4);
    let polarity = Change::Polarity(Polarity { p: 1.0 });
    let turned = apply(&polarity, &tone(440.0), "a");
    assert!(turned.samples().iter().zip(tone(440.0).samples()).all(|(a, b)| *a == -*b));
}

#[test]
fn noise_has_the_ratio_that_was_asked_for() {
    for snr in [0.0, 20.0] {
        let noise = Change::Noise(Noise { p: 1.0, snr_db: [snr, snr] });
        let clip = tone(440.0);
        let mut difference = apply(&noise, &clip, "a");
        difference.samples_mut().iter_mut().zip(clip.samples()).for_each(|(noisy, clean)| *noisy -= clean);
        assert!((db(rms(&clip) / rms(&difference)) - snr).abs() < 0.2);
    }
    let silent = Block::zeros(1, 100);
    let noise = Change::Noise(Noise { p: 1.0, snr_db: [0.0, 0.0] });
    assert_eq!(apply(&noise, &silent, "a"), silent);
}

#[test]
fn filters_have_their_cutoff_and_slope() {
    // |H|² = 1 / (1 + (tan πf/rate / tan πf₀/rate)^±4): a Butterworth filter of second order after the bilinear transform.
    let warp = |hz: f64| (std::f64::consts::PI * hz / f64::from(RATE)).tan();
    let expected = |hz: f64, order: i32| -10.0 * (1.0 + (warp(hz) / warp(1000.0)).powi(order)).log10();
    let low = Change::LowPass(LowPass { p: 1.0, cutoff: [1000.0, 1000.0] });
    let high = Change::HighPass(HighPass { p: 1.0, cutoff: [1000.0, 1000.0] });
    for (change, order) in [(low, 4), (high, -4)] {
        for hz in [250.0, 500.0, 1000.0, 2000.0, 4000.0] {
            let found = db(rms(&apply(&change, &tone(hz), "a")) / rms(&tone(hz)));
            let expected = expected(hz, order);
            assert!(
                (found - expected).abs() < 0.1,
                "{} at {hz} Hz: {found:.2} dB, expected {expected:.2}",
                change.name()
            );
        }
    }
}

#[test]
fn a_step_applies_with_its_probability() {
    for p in [0.0, 0.3, 1.0] {
        let polarity = Change::Polarity(Polarity { p });
        let clip = Block::planar(1, vec![1.0]);
        let turned = (0..2000).filter(|i| apply(&polarity, &clip, &i.to_string()).samples()[0] < 0.0).count();
        assert!((turned as f64 / 2000.0 - p).abs() < 0.04, "p {p}: {turned} of 2000");
    }
}

#[test]
fn ranges_are_enforced_by_name() {
    let check = |json: serde_json::Value| {
        let augment: Augment = serde_json::from_value(serde_json::json!({"chain": [json]})).unwrap();
        augment.check().map_err(|invalid| invalid.parameter)
    };
    assert_eq!(check(serde_json::json!({"gain": {}})), Ok(()));
    assert_eq!(check(serde_json::json!({"gain": {"p": 1.5}})), Err("chain.0.gain.p".into()));
    assert_eq!(check(serde_json::json!({"gain": {"db": [3, -3]}})), Err("chain.0.gain.db".into()));
    assert_eq!(check(serde_json::json!({"noise": {"snr_db": [0, 200]}})), Err("chain.0.noise.snr_db".into()));
    assert_eq!(
        check(serde_json::json!({"low_pass": {"cutoff": [0, 100]}})),
        Err("chain.0.low_pass.cutoff".into())
    );
}
