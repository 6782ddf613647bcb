mod font;
mod stops;

use std::sync::Arc;

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Context, Item};
use serde_json::{Value, json};

use super::*;
use crate::harness::{Outcome, wrong};
use crate::midi::file::{TICKS, Track, context, file, item, song};

/// A folder with a SoundFont and a file to play.
struct Case {
    folder: tempfile::TempDir,
    item: Item,
}

fn case(content: &[u8]) -> Case {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("test.sf2"), font::font()).unwrap();
    let item = item(folder.path(), content);
    Case { folder, item }
}

impl Case {
    fn operator(&self, parameters: Value) -> Render {
        let mut all =
            json!({"soundfont": self.folder.path().join("test.sf2"), "effects": false, "tail": 0.5});
        all.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    fn play_with(&self, parameters: Value, context: Context) -> Outcome {
        let render = self.operator(parameters);
        assert_eq!(wrong(&render), None);
        let Body::Read(make) = render.body() else { panic!("it reads items") };
        let mut outcome = Outcome::default();
        outcome.stop = make(context).read(&self.item, &mut outcome).err();
        outcome
    }

    /// The channels of what is played.
    fn play(&self, parameters: Value) -> Vec<Vec<f32>> {
        let mut outcome = self.play_with(parameters, context(1000));
        assert_eq!((&outcome.stop, outcome.signals.len()), (&None, 1));
        outcome.signals.remove(0).1
    }
}

/// A second of a note on the first channel.
fn second(pitch: u8) -> Track {
    Track::default().note(1000, 0, pitch, 127).end(0)
}

fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64
}

/// What was drawn.
fn numbers(header: &Header) -> Vec<f64> {
    header.drawn.iter().map(|(_, number)| number.unwrap()).collect()
}

/// The amplitude of a frequency.
fn amplitude(samples: &[f32], rate: f64, hz: f64) -> f64 {
    let turn = std::f64::consts::TAU * hz / rate;
    let (mut re, mut im, mut sum) = (0.0, 0.0, 0.0);
    for (at, sample) in samples.iter().enumerate() {
        let window = 1.0 - (std::f64::consts::TAU * at as f64 / samples.len() as f64).cos();
        let (sin, cos) = (turn * at as f64).sin_cos();
        (re, im, sum) =
            (re + window * cos * f64::from(*sample), im + window * sin * f64::from(*sample), sum + window);
    }
    2.0 * f64::hypot(re, im) / sum
}

/// The pitch in semitones, from the times of the first and the last of the zeros where a tone rises.
fn pitch(samples: &[f32], rate: f64) -> f64 {
    let zeros: Vec<f64> = (1..samples.len())
        .filter(|at| samples[at - 1] <= 0.0 && samples[*at] > 0.0)
        .map(|at| at as f64 - f64::from(samples[at] / (samples[at] - samples[at - 1])))
        .collect();
    let hz = rate * (zeros.len() - 1) as f64 / (zeros[zeros.len() - 1] - zeros[0]);
    69.0 + 12.0 * (hz / 440.0).log2()
}

#[test]
fn notes_have_their_pitch_at_any_rate() {
    for (rate, key) in [(44_100, 69), (44_100, 45), (48_000, 84), (96_000, 57)] {
        let played = case(&song(second(key))).play(json!({"rate": rate, "channels": "mono"}));
        let found = pitch(&played[0][rate / 10..rate * 9 / 10], rate as f64);
        assert!((found - f64::from(key)).abs() < 0.01, "{key} at {rate}: {found}");
    }
}

#[test]
fn notes_begin_and_end_when_the_table_says() {
    // At a tempo that changes twice, on ticks that are no frames.
    let track = Track::default().tempo(0, 437_123).tempo(701, 911_003).after(600, &[0x90, 80, 127]);
    let track = track.tempo(30, 400_111).after(407, &[0x80, 80, 0]).end(300);
    let case = case(&song(track));
    let clock = crate::midi::Score::open(&case.item).unwrap().clock;
    let (onset, offset, end) = (clock.seconds(1301), clock.seconds(1738), clock.seconds(2038));
    for rate in [44_100, 48_000, 96_000, 192_000] {
        let played = case.play(json!({"rate": rate}));
        let loud: Vec<usize> = (0..played[0].len()).filter(|at| played[0][*at].abs() > 0.05).collect();
        let seconds = |at: usize| at as f64 / f64::from(rate);
        // The attack lasts a millisecond, the release ten, and an event takes effect within half a one.
        let (first, last) = (seconds(loud[0]) - onset, seconds(loud[loud.len() - 1]) - offset);
        assert!((-0.0006..0.0026).contains(&first), "{rate}: {first}");
        assert!((-0.0006..0.0126).contains(&last), "{rate}: {last}");
        assert_eq!(played[0].len(), ((end + 0.5) * f64::from(rate)).ceil() as usize);
    }
}

#[test]
fn programs_drums_and_velocities_are_heard() {
    let third = |track: Track| {
        let played = case(&song(track)).play(json!({"channels": "mono"}));
        let samples = &played[0][4410..39_690];
        [440.0, 1320.0].map(|hz| amplitude(samples, 44_100.0, hz))
    };
    let [sine, none] = third(second(69));
    assert!(sine > 0.05 && none < 1e-4 * sine, "{sine} {none}");
    let [first, other] = third(Track::default().program(0, 1).note(1000, 0, 69, 127));
    assert!((other / first - 1.0).abs() < 0.02 && (first / sine - 0.5).abs() < 0.02, "{first} {other}");
    // A square wave's third harmonic has a third of the amplitude.
    let [square, harmonic] = third(Track::default().note(1000, 9, 69, 127));
    assert!((harmonic / square - 1.0 / 3.0).abs() < 0.02, "{square} {harmonic}");
    // The power is that of the fourth power of the velocity.
    let [soft, _] = third(Track::default().note(1000, 0, 69, 64));
    assert!((soft / sine - (64f64 / 127.0).powi(2)).abs() < 0.01, "{}", soft / sine);
}

#[test]
fn controllers_move_and_hold_notes() {
    let play = |track: Track| case(&song(track)).play(json!({}));
    let right = play(Track::default().after(0, &[0xB0, 10, 127]).note(1000, 0, 69, 127));
    assert!(power(&right[0][..44_100]) < 1e-3 * power(&right[1][..44_100]));
    // The pedal is down from the beginning for two seconds.
    let held = Track::default().after(0, &[0xB0, 64, 127]).note(500, 0, 69, 127).after(1500, &[0xB0, 64, 0]);
    let held = play(held);
    assert!(power(&held[0][79_380..88_200]) > 0.9 * power(&held[0][4410..13_230]));
    assert!(power(&held[0][90_000..]) < 1e-6);
    // Bend by a whole tone.
    let bent = play(Track::default().after(0, &[0xE0, 127, 127]).note(1000, 0, 69, 127));
    assert!((pitch(&bent[0][4410..39_690], 44_100.0) - 71.0).abs() < 0.01);
}

#[test]
fn gain_is_a_factor_and_mono_the_mean() {
    let case = case(&song(Track::default().after(0, &[0xB0, 10, 20]).note(1000, 0, 69, 100)));
    let stereo = case.play(json!({}));
    assert!(power(&stereo[0]) > 2.0 * power(&stereo[1]));
    let louder = case.play(json!({"gain_db": 20}));
    let mono = case.play(json!({"channels": "mono", "gain_db": 20}));
    for at in 0..stereo[0].len() {
        let (left, right) = (stereo[0][at], stereo[1][at]);
        assert!((louder[0][at] - 10.0 * left).abs() < 1e-5 && (louder[1][at] - 10.0 * right).abs() < 1e-5);
        assert!((mono[0][at] - 5.0 * (left + right)).abs() < 1e-5);
    }
}

#[test]
fn effects_last_beyond_the_notes() {
    let case = case(&song(second(69)));
    let (dry, wet) = (case.play(json!({"tail": 1.5})), case.play(json!({"tail": 1.5, "effects": true})));
    assert_eq!((dry[0].len(), dry[0].len()), (wet[0].len(), 44_100 * 5 / 2));
    assert!(power(&dry[0][52_920..]) == 0.0 && power(&wet[0][52_920..61_740]) > 1e-8);
    // A chorus moves the two channels apart.
    let chorus = Track::default().after(0, &[0xB0, 91, 0]).after(0, &[0xB0, 93, 127]).note(1000, 0, 69, 127);
    let chorus = self::case(&song(chorus)).play(json!({"effects": true}));
    let apart: Vec<f32> = chorus[0].iter().zip(&chorus[1]).map(|(left, right)| left - right).collect();
    assert!(power(&apart) > 0.01 * power(&chorus[0]));
}

#[test]
fn what_is_played_does_not_depend_on_blocks_or_on_the_item_before() {
    let track =
        || Track::default().after(0, &[0xB0, 93, 100]).after(77, &[0x90, 60, 90]).note(333, 0, 64, 80);
    let case = case(&song(track().end(200)));
    let render = case.operator(json!({"effects": true, "tail": 0.1}));
    let Body::Read(make) = render.body() else { panic!("it reads items") };
    let other = self::case(&song(track().note(500, 3, 70, 127)));
    let mut first: Option<Outcome> = None;
    for block in [1, 31, 1000, 1 << 20] {
        let mut work = make(context(block));
        for before in [false, true] {
            if before {
                work.read(&other.item, &mut Outcome::default()).unwrap();
            }
            let mut outcome = Outcome::default();
            work.read(&case.item, &mut outcome).unwrap();
            assert!(first.as_ref().is_none_or(|first| *first == outcome), "blocks of {block}, {before}");
            first = Some(outcome);
        }
    }
}

#[test]
fn a_program_and_a_transposition_are_drawn_for_each_item_and_kept() {
    // Its own program, a bank, and drums, which nothing changes.
    let track = Track::default().program(0, 1).after(0, &[0xB0, 0, 1]).note(1000, 0, 69, 127);
    let drums = Track::default().after(1500, &[0x99, 69, 127]).after(1000, &[0x89, 69, 0]).end(0);
    let case = case(&file(1, TICKS, &[track, drums]));
    let parameters = json!({"programs": [0], "transpose": [-3, -3], "channels": "mono"});
    let render = case.operator(parameters.clone());
    let Ok(Flow::Signal(signal)) = render.output(&Inputs(vec![("from", vec![&Flow::Items])])) else {
        panic!()
    };
    assert_eq!(signal.drawn.iter().map(|name| &**name).collect::<Vec<_>>(), ["program", "transpose"]);
    assert_eq!((signal.rate, signal.channels, signal.unit), (Some(44_100), Some(1), Unit::Recording));
    assert!(!render.random());
    let played = case.play_with(parameters, context(1000));
    let (header, planes) = &played.signals[0];
    assert_eq!(numbers(header), [0.0, -3.0]);
    assert!(header.drawn.iter().map(|(name, _)| name).eq(&signal.drawn));
    assert!((pitch(&planes[0][4410..39_690], 44_100.0) - 66.0).abs() < 0.01);
    let hz = 440.0 * 2f64.powf(-0.25);
    assert!(amplitude(&planes[0][4410..39_690], 44_100.0, 3.0 * hz) < 1e-4);
    assert!((pitch(&planes[0][70_560..105_840], 44_100.0) - 69.0).abs() < 0.01);

    // Of several, each comes up, and always the same for the same item and seed.
    let drawn = |seed: u64| {
        let parameters = json!({"programs": [0, 1], "transpose": [-1, 1]});
        assert!(case.operator(parameters.clone()).random());
        let played = case.play_with(parameters, Context { seed, ..context(1 << 20) });
        numbers(&played.signals[0].0)
    };
    let all: Vec<_> = (0..12).map(drawn).collect();
    assert_eq!(all, (0..12).map(drawn).collect::<Vec<_>>());
    for program in [0.0, 1.0] {
        assert!(all.iter().any(|drawn| drawn[0] == program), "{all:?}");
    }
    for transpose in [-1.0, 0.0, 1.0] {
        assert!(all.iter().any(|drawn| drawn[1] == transpose), "{all:?}");
    }
    assert!(case.play_with(json!({}), context(1 << 20)).signals[0].0.drawn.is_empty());
    // Stages draw each for itself, and so do items.
    let parameters = || json!({"programs": [0, 1], "transpose": [-12, 12]});
    let of = |case: &Case, stage: &str| {
        let context = Context { stage: Arc::from(stage), ..context(1 << 20) };
        numbers(&case.play_with(parameters(), context).signals[0].0)
    };
    let stages: std::collections::BTreeSet<_> =
        ["a", "b", "c", "d"].map(|stage| format!("{:?}", of(&case, stage))).into();
    let mut case = case;
    let mut items = std::collections::BTreeSet::new();
    for key in ["a.mid", "b.mid", "c.mid", "d.mid"] {
        case.item.key = Arc::from(key);
        items.insert(format!("{:?}", of(&case, "a")));
    }
    assert!(stages.len() > 2 && items.len() > 2, "{stages:?} {items:?}");
}

#[test]
fn notes_that_are_moved_beyond_the_keys_are_left_out() {
    let case = case(&song(Track::default().note(500, 0, 100, 127).note(500, 0, 60, 127).end(0)));
    let played = case.play_with(json!({"transpose": [28, 28]}), context(1000));
    assert_eq!(played.counts.get("notes_outside"), Some(&1));
    let left = &played.signals[0].1[0];
    assert!(power(&left[..22_000]) == 0.0 && power(&left[24_000..40_000]) > 1e-3);
}
