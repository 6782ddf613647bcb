use super::*;

/// Bytes of responses that are kept.
const LIMIT: usize = 200_000;

fn with(impulses: Vec<(u32, Block)>) -> Side {
    Side { background: None, impulses: Some(Impulses::new(Box::new(Memory(impulses)), LIMIT)) }
}

fn wet(clip: &Block, impulse: &Block) -> Block {
    let step = json!([{"impulse": {"p": 1}}]);
    applied(RATE, step, clip, "a", &mut with(vec![(RATE, impulse.clone())])).unwrap().0
}

/// A decaying response whose strongest sample lies at a place.
fn response(key: &str, channels: usize, frames: usize, peak: usize) -> Block {
    let mut block = noise(key, channels, frames);
    for channel in 0..channels {
        block.channel_mut(channel)[peak] = 1.0;
    }
    block
}

/// The sum that a convolution is, aligned to the peak, as loud as the clip.
fn convolved(clip: &Block, impulse: &Block, peak: usize) -> Block {
    let mut sums = Block::zeros(clip.channels(), clip.frames());
    for channel in 0..clip.channels() {
        let samples = clip.channel(channel);
        let taps = impulse.channel(channel.min(impulse.channels() - 1));
        for (at, sum) in sums.channel_mut(channel).iter_mut().enumerate() {
            let products = taps.iter().enumerate().filter_map(|(tap, factor)| {
                let from = (at + peak).checked_sub(tap)?;
                samples.get(from).map(|sample| f64::from(*sample) * f64::from(*factor))
            });
            *sum = products.sum::<f64>() as f32;
        }
    }
    let factor = (rms(clip) / rms(&sums)) as f32;
    sums.samples_mut().iter_mut().for_each(|sample| *sample *= factor);
    sums
}

#[test]
fn it_is_the_convolution_aligned_to_the_peak() {
    for (frames, taps, peak, channels) in [
        (2000, 300, 0, 1),
        (2000, 300, 17, 1),
        (2000, 300, 299, 1),
        (1999, 1, 0, 1),
        (100, 3000, 2500, 1),
        (1, 50, 3, 1),
        (3001, 640, 40, 2),
    ] {
        let clip = noise("clip", channels, frames);
        for impulse in [response("a", 1, taps, peak), response("b", channels, taps, peak)] {
            let (found, expected) = (wet(&clip, &impulse), convolved(&clip, &impulse, peak));
            let worst = scaled_error(&found, expected.samples());
            assert!(worst < 1e-5, "{frames} frames, {taps} taps, peak {peak}: {worst}");
            assert!((rms(&found) / rms(&clip) - 1.0).abs() < 1e-5);
        }
    }
}

#[test]
fn an_echo_alone_changes_nothing_wherever_it_lies() {
    for late in [0, 5, 700] {
        let mut impulse = Block::zeros(1, 1000);
        impulse.samples_mut()[late] = -0.3;
        let turned: Vec<f32> = tone(440.0).samples().iter().map(|sample| -sample).collect();
        assert!(scaled_error(&wet(&tone(440.0), &impulse), &turned) < 1e-5);
    }
}

#[test]
fn a_mix_is_between_both() {
    let clip = noise("clip", 2, 3000);
    let mixed = |mix: f64| {
        let step = json!([{"impulse": {"p": 1, "mix": [mix, mix]}}]);
        let (found, noted) =
            applied(RATE, step, &clip, "a", &mut with(vec![(RATE, response("a", 1, 500, 9))])).unwrap();
        assert_eq!(noted, [Some(mix), Some(0.0)]);
        found
    };
    assert_eq!(mixed(0.0), clip);
    let half: Vec<f32> =
        mixed(1.0).samples().iter().zip(clip.samples()).map(|(a, b)| (a + b) / 2.0).collect();
    assert!(scaled_error(&mixed(0.5), &half) < 1e-6);
}

#[test]
fn silence_is_left_alone() {
    let (silent, step) = (Block::zeros(1, 1000), json!([{"impulse": {"p": 1}}]));
    let impulse = response("a", 1, 50, 3);
    assert_eq!(wet(&silent, &impulse), silent);
    let (found, noted) =
        applied(RATE, step.clone(), &tone(440.0), "a", &mut with(vec![(RATE, silent)])).unwrap();
    assert!(found == tone(440.0) && noted == [None; 2]);
    for (impulse, expected) in [((8000, impulse), "8000 Hz"), ((RATE, noise("a", 2, 50)), "2 channels")] {
        let stopped = applied(RATE, step.clone(), &tone(440.0), "a", &mut with(vec![impulse])).unwrap_err();
        assert!(matches!(&stopped, Stop::Transient { message } if message.contains(expected)), "{stopped:?}");
    }
}

#[test]
fn what_is_kept_is_bounded_and_changes_nothing() {
    // More than is kept, for clips of two lengths.
    let long = 4000;
    let impulses: Vec<_> =
        (0..12).map(|index| (RATE, response(&index.to_string(), 1, long, index))).collect();
    let step = json!([{"impulse": {"p": 1}}]);
    let clips = [noise("clip", 1, long), noise("clip", 1, 5000)];
    let mut side = with(impulses.clone());
    let mut seen = std::collections::BTreeMap::new();
    for key in 0..30 {
        for clip in &clips {
            let (found, noted) = applied(RATE, step.clone(), clip, &key.to_string(), &mut side).unwrap();
            assert!(side.impulses.as_ref().unwrap().bytes() <= LIMIT);
            let row = noted[1].unwrap() as usize;
            let before = seen.entry((row, clip.frames())).or_insert_with(|| found.clone());
            assert_eq!(*before, found);
            assert_eq!(impulses[row].1.samples()[row], 1.0);
        }
    }
    assert!(seen.len() > 16);
}
