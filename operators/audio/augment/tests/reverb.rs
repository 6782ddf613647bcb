use super::*;

fn click() -> Block {
    let mut click = Block::zeros(1, 2 * RATE as usize);
    click.samples_mut()[0] = 1.0;
    click
}

fn reverb(parameters: &[(&str, f64)]) -> Value {
    let mut step = json!({"p": 1, "reverberance": [50, 50], "damping": [50, 50], "room": [100, 100]});
    parameters.iter().for_each(|(name, value)| step[*name] = json!([value, value]));
    json!({"reverb": step})
}

/// The reverberation alone.
fn wet(parameters: &[(&str, f64)], clip: &Block) -> Block {
    difference(&apply(reverb(parameters), clip, "a"), clip)
}

/// After how many frames the reverberation of a click is 60 dB down: what is still to come, over all that comes.
fn time(parameters: &[(&str, f64)]) -> usize {
    let wet = wet(parameters, &click());
    let powers = wet.samples().iter().map(|sample| f64::from(*sample).powi(2));
    let total: f64 = powers.clone().sum();
    let mut left = total;
    powers
        .take_while(|power| {
            left -= power;
            left > 1e-6 * total
        })
        .count()
}

/// The share of its power that lies in differences of neighbours.
fn brightness(clip: &Block) -> f64 {
    let steps = clip.samples().windows(2).map(|pair| f64::from(pair[1] - pair[0]).powi(2)).sum::<f64>();
    steps / clip.samples().iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>()
}

#[test]
fn it_decays_and_the_clip_stays() {
    let rung = apply(reverb(&[]), &click(), "a");
    assert_eq!(rung.samples()[0], 1.0);
    let quarters: Vec<f64> =
        (0..4).map(|quarter| rms(&rung.slice(1 + quarter * 4000, (quarter + 1) * 4000))).collect();
    assert!(quarters.is_sorted_by(|a, b| *a > 2.0 * b), "{quarters:?}");
    // The first echo is that of the shortest comb, which all allpasses let through at once.
    let first = rung.samples()[1..].iter().position(|sample| *sample != 0.0).unwrap() + 1;
    assert_eq!(first, (1116.0 * f64::from(RATE) / 44_100.0_f64).round() as usize);
}

#[test]
fn each_parameter_does_what_it_says() {
    let times = [0.0, 25.0, 50.0, 75.0, 100.0].map(|percent| time(&[("reverberance", percent)]));
    assert!(times.is_sorted_by(|a, b| a < b) && times[4] > 3 * times[0], "{times:?}");
    let times = [0.0, 50.0, 100.0].map(|percent| time(&[("room", percent)]));
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    let late = |clip: Block| clip.slice(RATE as usize / 4, clip.frames());
    let bright = [0.0, 50.0, 100.0].map(|percent| brightness(&late(wet(&[("damping", percent)], &click()))));
    assert!(bright.is_sorted_by(|a, b| a > b), "{bright:?}");
    let levels = [0.0, 1.0, 2.0].map(|factor| rms(&wet(&[("wet", factor)], &click())));
    assert!(levels[0] == 0.0 && (levels[2] / levels[1] - 2.0).abs() < 1e-5, "{levels:?}");
}

#[test]
fn it_is_the_same_at_any_rate() {
    let time = |rate: u32| {
        let mut click = Block::zeros(1, rate as usize);
        click.samples_mut()[0] = 1.0;
        let wet = difference(&apply_at(rate, reverb(&[]), &click, "a"), &click);
        let power = |sample: &f32| f64::from(*sample).powi(2);
        let total: f64 = wet.samples().iter().map(power).sum();
        let moments = wet.samples().iter().enumerate().map(|(at, sample)| at as f64 * power(sample));
        moments.sum::<f64>() / total / f64::from(rate)
    };
    for rate in [16_000, 22_050, 48_000] {
        assert!((time(rate) / time(44_100) - 1.0).abs() < 0.1, "{rate}: {} {}", time(rate), time(44_100));
    }
}

#[test]
fn silence_stays_and_a_clip_before_leaves_nothing() {
    let step = json!({"reverb": {"p": 1}});
    let silent = Block::zeros(2, 3000);
    assert_eq!(apply(step.clone(), &silent, "a"), silent);
    let first = apply(step.clone(), &tone(440.0), "a");
    assert!(first.frames() == tone(440.0).frames() && rms(&first) < 2.0);
    let _ = apply_at(44_100, step.clone(), &tone(999.0), "b");
    assert_eq!(apply(step.clone(), &tone(440.0), "a"), first);
    assert_ne!(apply(step, &tone(440.0), "b"), first);
    let loudest = [("reverberance", 100.0), ("damping", 0.0), ("wet", 10.0)];
    assert!(apply(reverb(&loudest), &tone(440.0), "a").samples().iter().all(|sample| sample.abs() < 100.0));
    for rate in [1, 1000, 768_000] {
        let one = apply_at(rate, json!({"reverb": {"p": 1}}), &Block::planar(1, vec![1.0]), "a");
        assert_eq!(one.samples(), [1.0]);
    }
}

/// SoX's, by `golden/steps.py`.
#[test]
fn it_is_that_of_others() {
    let golden = golden();
    let (reverb, mut samples) = (&golden["reverb"], numbers(&golden["signal"]));
    samples.resize(samples.len() + reverb["silence"].as_u64().unwrap() as usize, 0.0);
    let signal = Block::planar(1, samples);
    let rate = reverb["rate"].as_u64().unwrap() as u32;
    let steps = reverb["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 3);
    for step in steps {
        let worst = scaled_error(&apply_at(rate, step[0].clone(), &signal, "a"), &numbers(&step[1]));
        assert!(worst < 1e-5, "{}: scaled error {worst}", step[0]);
    }
}
