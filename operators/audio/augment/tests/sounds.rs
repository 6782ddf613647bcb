use std::path::{Path, PathBuf};
use std::sync::Arc;

use etude_pipeline::flow::{SignalType, Unit};
use etude_pipeline::operator::{Context, DatasetInput, Link, SignalInput};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::*;
use crate::augment::sounds::Stored;
use crate::shards::Shards;

/// Keeps clips in a shard.
fn write(path: &Path, codec: &str, clips: &[&Block]) {
    let shards: Shards = operator(json!({"codec": codec}));
    let Body::Sink(sink) = shards.body() else { panic!("it keeps clips") };
    let flow = Flow::Signal(SignalType::audio(Some(RATE), None, Unit::Clip));
    let file = std::fs::File::create(path).unwrap();
    // A page a row, as the store has it.
    let properties = WriterProperties::builder().set_dictionary_enabled(false).set_write_batch_size(1);
    let properties = properties.set_data_page_row_count_limit(1).set_max_row_group_row_count(Some(2)).build();
    let mut writer = ArrowWriter::try_new(file, sink.schema(&flow), Some(properties)).unwrap();
    let context = Context {
        seed: 0,
        stage: Arc::from("test"),
        epoch: 0,
        block: 1000,
        cancel: Default::default(),
        sides: Default::default(),
    };
    let mut rows = sink.rows(context);
    for (at, clip) in clips.iter().enumerate() {
        let (header, _) = recording(&vec![Vec::new(); clip.channels()]);
        let frames = Some(clip.frames() as u64);
        rows.begin(&Header { rate: RATE, start: at as u64, frames, ..header }).unwrap();
        rows.block(&mut (*clip).clone()).unwrap();
        if let Some(batch) = rows.end(&mut Vec::new()).unwrap() {
            writer.write(&batch).unwrap();
        }
    }
    writer.close().unwrap();
}

fn input(shards: Vec<PathBuf>, items: Vec<(usize, u64, u64)>) -> DatasetInput {
    let store = Link {
        stage: "noises".into(),
        operator: "shards".into(),
        version: Shards::VERSION,
        parameters: json!({}),
        sides: Vec::new(),
    };
    DatasetInput::Signal(SignalInput {
        stage: "noises".into(),
        shards,
        bytes: Vec::new(),
        elsewhere: false,
        items,
        views: 1,
        signal: Box::new(SignalType::audio(None, None, Unit::Clip)),
        store,
        chain: Vec::new(),
    })
}

/// Clips of 16 bits, which any codec keeps as they are.
fn clips() -> Vec<Block> {
    let clip = |index: usize| {
        let mut clip = noise(&index.to_string(), 1 + index % 2, 20_000 + 1000 * index);
        clip.samples_mut().iter_mut().for_each(|sample| *sample = (*sample * 32_768.0).round() / 32_768.0);
        clip
    };
    (0..6).map(clip).collect()
}

#[test]
fn clips_are_read_from_shards_whole_or_in_part() {
    let (folder, clips) = (tempfile::tempdir().unwrap(), clips());
    for codec in ["flac", "i16", "f32"] {
        let paths = ["a", "b"].map(|name| folder.path().join(format!("{codec}-{name}")));
        write(&paths[0], codec, &[&clips[4], &clips[0], &clips[1]]);
        write(&paths[1], codec, &[&clips[2], &clips[3], &clips[5]]);
        // In the order of items, which is not that of rows.
        let items = vec![(0, 1, 2), (1, 0, 2), (0, 0, 1), (1, 2, 1)];
        let mut stored = Stored::open("background", &input(paths.to_vec(), items)).unwrap();
        assert_eq!(stored.count(), 6);
        for index in [0, 5, 1, 4, 2, 3, 3] {
            let clip = &clips[index as usize];
            let shape = Shape { rate: RATE, channels: clip.channels(), frames: clip.frames() };
            assert_eq!(stored.shape(index), Ok(shape));
            for (from, to) in
                [(0, clip.frames()), (0, 1), (7, 9000), (12_345, 12_346), (15_000, clip.frames())]
            {
                let part = stored.read(index, from..to).unwrap();
                assert!(part == clip.slice(from, to), "{codec}: {from} to {to} of clip {index}");
            }
        }
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    let message = |input: DatasetInput| match Stored::open("background", &input) {
        Err(Stop::Transient { message }) => message,
        _ => String::new(),
    };
    let table = DatasetInput::Table { stage: "t".into(), files: Vec::new() };
    assert_eq!(message(table), "`background` names no stage of clips");
    let empty = "`noises`, which `background` names, keeps no clip";
    assert_eq!(message(input(Vec::new(), Vec::new())), empty);
    let missing = input(vec![PathBuf::from("/nowhere/shard")], vec![(0, 0, 1)]);
    let mut stored = Stored::open("background", &missing).unwrap();
    let stopped = stored.shape(0).unwrap_err();
    assert!(matches!(&stopped, Stop::Transient { message } if message.contains("/nowhere/shard")));
}

#[test]
fn a_run_mixes_in_what_a_stage_keeps() {
    let (folder, clips) = (tempfile::tempdir().unwrap(), clips());
    let path = folder.path().join("a");
    write(&path, "flac", &[&clips[0]]);
    let augment: Augment =
        operator(json!({"chain": [{"background": {"p": 1}}, {"impulse": {"p": 1, "mix": [0.5, 0.5]}}]}));
    let Body::Map(make) = augment.body() else { panic!("it maps signals") };
    let stage = |port: &str| (port.to_owned(), vec![input(vec![path.clone()], vec![(0, 0, 1)])]);
    let sides = vec![stage("background"), stage("impulses")];
    let context = Context {
        seed: 0,
        stage: Arc::from("test"),
        epoch: 0,
        block: 1000,
        cancel: Default::default(),
        sides: Arc::from(sides),
    };
    let mut outcome = crate::harness::Outcome::default();
    let mut work = make(context);
    let (header, block) = crate::harness::at(RATE, clip(0, &tone(440.0).samples()[..5000]));
    work.begin(&header, &mut outcome).unwrap();
    work.block(&mut block.clone(), &mut outcome).unwrap();
    work.end(&mut outcome).unwrap();
    let (header, planes) = &outcome.signals[0];
    let numbers: Vec<Option<f64>> = header.drawn.iter().map(|(_, number)| *number).collect();
    assert!(
        matches!(numbers[..], [Some(3.0..30.0), Some(0.0), Some(0.0..2.0), Some(0.5), Some(0.0)]),
        "{numbers:?}"
    );
    assert!(planes[0].len() == 5000 && planes[0] != tone(440.0).samples()[..5000]);
}
