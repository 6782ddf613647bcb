//! Operators that turn clips into views work in memory that they keep: once they have seen a few clips, another takes no
//! allocation.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by ending")]

use std::sync::Arc;

use allocation_counter::measure;
use etude_audio::OPERATORS;
use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Body, Context, Link, Map, Output, Step, Table};
use serde_json::{Value, json};

const RATE: u32 = 16_000;
/// Two seconds and a bit: the last block is a short one.
const FRAMES: usize = 33_000;
const BLOCK: usize = 8192;

/// What stands above an operator that takes features.
fn mel() -> (&'static str, Value) {
    ("mel", json!({"n_fft": 400, "hop": 160, "n_mels": 40}))
}

/// Chains, each a list of operators, of which the last is what is tested.
fn chains() -> Vec<Vec<(&'static str, Value)>> {
    let steps = [
        json!({"gain": {"p": 1}}),
        json!({"polarity": {"p": 1}}),
        json!({"noise": {"p": 1}}),
        json!({"noise": {"p": 1, "colour": "pink"}}),
        json!({"low_pass": {"p": 1}}),
        json!({"high_pass": {"p": 1}}),
        json!({"band_pass": {"p": 1}}),
        json!({"delay": {"p": 1}}),
        json!({"reverse": {"p": 1}}),
        json!({"time_mask": {"p": 1}}),
        json!({"shift": {"p": 1}}),
        json!({"clipping": {"p": 1}}),
        json!({"tanh_distortion": {"p": 1}}),
        json!({"pitch_shift": {"p": 1, "semitones": [-3, 3]}}),
        json!({"time_stretch": {"p": 1}}),
        json!({"reverb": {"p": 1}}),
        json!({"one_of": {"p": 1, "of": [{"gain": {}}, {"apply": {"of": [{"reverse": {}}, {"gain": {}}]}}]}}),
    ];
    let mut chains: Vec<Vec<(&str, Value)>> =
        steps.into_iter().map(|step| vec![("augment", json!({"chain": [step]}))]).collect();
    // What is drawn twice has names with numbers.
    let gain = ("augment", json!({"chain": [{"gain": {"p": 0.5}}]}));
    chains.push(vec![gain.clone(), gain.clone()]);
    // And what notes nothing stands below what does.
    chains.push(vec![gain.clone(), ("augment", json!({"chain": [{"reverse": {"p": 1}}]}))]);
    let neighbours = json!({
        "seconds": 0.1, "anchors": 2, "positives": 2, "negatives": 2,
        "bands": [{"positive": [0.1, 0.2], "negative": [0.2, 0.4]}],
    });
    chains.extend([
        vec![("crop", json!({"seconds": 1, "views": 2}))],
        vec![("crop", json!({"views": 2})), gain],
        vec![(
            "crop",
            json!({"seconds": 0.5, "views": 3, "placement": {"adjacent": {"distance": [0.1, 0.5]}}}),
        )],
        vec![("neighbours", neighbours)],
        vec![("mask", json!({"pattern": {"spans": {"p": 0.001, "length": 500}}, "fill": {"noise": {}}}))],
        vec![("mask", json!({"pattern": {"blocks": {"seconds": 0.1}}, "fill": "learned"})), mel()],
        vec![("stft", json!({"n_fft": 512, "hop": 160}))],
        vec![("stft", json!({"n_fft": 512, "hop": 160, "padding": "reflect"}))],
        vec![mel()],
        vec![("mfcc", json!({"mel": {"n_fft": 512, "hop": 160}}))],
        vec![("chroma", json!({"n_fft": 2048, "hop": 512}))],
        vec![("cqt", json!({"hop": 512, "n_bins": 36, "f_min": 110}))],
        vec![("resample", json!({"rate": 12000}))],
    ]);
    let of_features = [
        ("compress", json!({"function": {"log": {}}})),
        ("standardise", json!({"over": "clip"})),
        ("standardise", json!({"over": "frame"})),
        ("spec_augment", json!({})),
        ("axis_shift", json!({"axis": "time", "by": [-40, 40], "edge": "zero"})),
        ("axis_shift", json!({"axis": "pitch", "by": [-4, 4]})),
        ("n_grams", json!({"frames": 4})),
        ("patchify", json!({"frames": 4, "bins": 8})),
        ("mask", json!({"pattern": {"spans": {}}})),
        ("bert_mask", json!({"random": 0.2})),
        ("drop_tokens", json!({"ratio": 0.5})),
        ("random_projection", json!({"stack": 4})),
        ("crop", json!({"seconds": 1})),
    ];
    chains.extend(of_features.into_iter().map(|operator| vec![mel(), operator]));
    chains
}

/// Maps one below the other, and behind them something that keeps the last block it got and gives the one before back.
struct Below<'a>(&'a mut [Box<dyn Map>], &'a mut Block);

impl Below<'_> {
    fn to(&mut self, give: impl FnOnce(&mut dyn Map, &mut dyn Output) -> Step) -> Step {
        match self.0.split_first_mut() {
            Some((map, below)) => give(map.as_mut(), &mut Below(below, self.1)),
            None => Ok(()),
        }
    }
}

impl Output for Below<'_> {
    fn begin(&mut self, header: &Header) -> Step {
        self.to(|map, output| map.begin(header, output))
    }

    fn block(&mut self, block: &mut Block) -> Step {
        if self.0.is_empty() {
            std::mem::swap(block, self.1);
            return Ok(());
        }
        self.to(|map, output| map.block(block, output))
    }

    fn end(&mut self) -> Step {
        self.to(|map, output| map.end(output))
    }

    fn count(&mut self, _: &'static str, _: u64) {}
}

fn map(name: &str, parameters: &Value) -> Box<dyn Map> {
    let table = Table::new(&[OPERATORS]);
    let version = table.get(name).unwrap_or_else(|| panic!("there is no operator {name}")).version;
    let (operator, parameters) = (name.to_owned(), parameters.clone());
    let link = Link { stage: name.to_owned(), operator, version, parameters, sides: Vec::new() };
    let operator = table.restore(&link).unwrap();
    let Body::Map(make) = operator.body() else { panic!("it maps signals") };
    make(Context {
        seed: 1,
        stage: Arc::from(name),
        epoch: 0,
        block: BLOCK,
        cancel: Default::default(),
        sides: Default::default(),
    })
}

#[test]
fn another_clip_takes_none() {
    let samples: Vec<f32> =
        (0..FRAMES).map(|at| (0.05 * at as f32).sin() * (at % 1000) as f32 * 1e-3).collect();
    let mut found = Vec::new();
    // Features are of one channel.
    let several = |chain: &[(&str, Value)]| {
        chain.iter().all(|(name, _)| ["augment", "crop", "neighbours", "resample"].contains(name))
    };
    let twice = chains().into_iter().filter(|chain| several(chain)).map(|chain| (2, chain));
    for (channels, chain) in chains().into_iter().map(|chain| (1, chain)).chain(twice) {
        let mut maps: Vec<_> = chain.iter().map(|(name, parameters)| map(name, parameters)).collect();
        let (mut block, mut last) = (Block::default(), Block::default());
        let mut header = Header::audio("a.wav".into(), 0, RATE, channels, Some(FRAMES as u64));
        let mut clip = |number: u64| {
            header.start = 100_000 * number;
            let mut below = Below(&mut maps, &mut last);
            below.begin(&header).unwrap();
            for part in samples.chunks(BLOCK) {
                block.resize(channels.into(), part.len());
                (0..channels).for_each(|channel| block.channel_mut(channel.into()).copy_from_slice(part));
                below.block(&mut block).unwrap();
            }
            below.end().unwrap();
        };
        // Memory grows until it is as large as what is drawn needs.
        (0..60).for_each(&mut clip);
        let count = measure(|| (60..80).for_each(&mut clip)).count_total;
        if count > 0 {
            found.push(format!("{count} for 20 clips of {channels} channels: {chain:?}"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
