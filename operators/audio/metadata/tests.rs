use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use etude_pipeline::place::Place;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::decode::About;

fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut bytes = name.to_vec();
    bytes.extend((content.len() as u32).to_le_bytes());
    bytes.extend(content);
    bytes.resize(bytes.len() + content.len() % 2, 0);
    bytes
}

/// A WAV file of silence: 16 bit, stereo, with tags.
fn wav(rate: u32, frames: u32, tags: &[(&[u8; 4], &str)]) -> Vec<u8> {
    let mut format = [1u16, 2].map(u16::to_le_bytes).concat();
    format.extend(rate.to_le_bytes());
    format.extend((rate * 4).to_le_bytes());
    format.extend([4u16, 16].map(u16::to_le_bytes).concat());
    let mut list = b"INFO".to_vec();
    for (name, text) in tags {
        list.extend(chunk(name, format!("{text}\0").as_bytes()));
    }
    let mut body = b"WAVE".to_vec();
    body.extend(chunk(b"fmt ", &format));
    body.extend(chunk(b"LIST", &list));
    body.extend(chunk(b"data", &vec![0; frames as usize * 4]));
    chunk(b"RIFF", &body)
}

fn context() -> Context {
    let cancel = CancellationToken::new();
    Context { seed: 0, stage: Arc::from("tags"), epoch: 0, block: 1024, cancel, sides: Default::default() }
}

fn rows(name: &str, content: &[u8]) -> Result<RecordBatch, Stop> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let item = Item {
        key: Arc::from(name),
        place: Place::at(path),
        size: content.len() as u64,
        digest: "".into(),
        stamp: None,
        rows: None,
    };
    Metadata {}.rows(&item, &context())
}

#[track_caller]
fn text<'a>(row: &'a RecordBatch, name: &str) -> Option<&'a str> {
    let column = row.column_by_name(name).unwrap().as_string::<i32>();
    column.is_valid(0).then(|| column.value(0))
}

#[test]
fn headers_and_tags_of_a_file() {
    let content = wav(22_050, 44_100, &[(b"INAM", "Étude"), (b"IART", "Chopin"), (b"IGNR", "romantic")]);
    let row = rows("a.wav", &content).unwrap();
    assert_eq!(row.schema(), columns::schema());
    assert_eq!(row.num_rows(), 1);
    let small = |name: &str| row.column_by_name(name).unwrap().as_primitive::<Int32Type>().value(0);
    let large = |name: &str| row.column_by_name(name).unwrap().as_primitive::<Int64Type>().value(0);
    assert_eq!((small("rate"), small("channels"), small("bits")), (22_050, 2, 16));
    assert_eq!((large("bytes"), large("frames")), (content.len() as i64, 44_100));
    assert_eq!(row.column_by_name("duration").unwrap().as_primitive::<Float64Type>().value(0), 2.0);
    assert_eq!(large("bit_rate"), 22_050 * 32);
    assert!(!row.column_by_name("estimated").unwrap().as_boolean().value(0));
    assert_eq!(text(&row, "item"), Some("a.wav"));
    assert_eq!(text(&row, "title"), Some("Étude"));
    assert_eq!(text(&row, "artist"), Some("Chopin"));
    assert_eq!(text(&row, "genre"), Some("romantic"));
    assert_eq!(text(&row, "album"), None);
}

#[test]
fn what_is_no_recording_is_rejected() {
    for content in [b"".as_slice(), b"<html>not found</html>", &wav(8000, 100, &[])[..20]] {
        assert!(matches!(rows("a.mp3", content), Err(Stop::Rejected { .. })));
    }
}

fn about(tags: &[(&str, &str)]) -> About {
    let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    About {
        container: "ogg".into(),
        codec: "vorbis".into(),
        rate: 44_100,
        channels: 1,
        bits: None,
        frames: None,
        seconds: None,
        bit_rate: None,
        tags,
    }
}

#[test]
fn what_headers_do_not_tell_is_null() {
    let row = columns::row("a.ogg", 100, &about(&[])).unwrap();
    for name in ["bits", "frames", "duration", "estimated", "bit_rate", "title", "date"] {
        assert!(row.column_by_name(name).unwrap().is_null(0), "{name}");
    }
    assert_eq!(row.column_by_name("tags").unwrap().as_map().value(0).len(), 0);
    let guess = columns::row("a.ogg", 100, &About { seconds: Some(2.5), ..about(&[]) }).unwrap();
    assert_eq!(guess.column_by_name("duration").unwrap().as_primitive::<Float64Type>().value(0), 2.5);
    assert!(guess.column_by_name("estimated").unwrap().as_boolean().value(0));
    assert!(guess.column_by_name("frames").unwrap().is_null(0));
}

#[test]
fn tags_are_found_in_any_case() {
    let pairs = [("ARTIST", "A"), ("artist", "B"), ("Track", " 3\0"), ("mood", ""), ("X", "y")];
    let row = columns::row("a.ogg", 100, &about(&pairs)).unwrap();
    assert_eq!(text(&row, "artist"), Some("A"));
    assert_eq!(text(&row, "track"), Some("3"));
    let tags = row.column_by_name("tags").unwrap().as_map().value(0);
    let (keys, values) = (tags.column(0).as_string::<i32>(), tags.column(1).as_string::<i32>());
    let tags: Vec<_> = keys.iter().zip(values).map(|(key, value)| (key.unwrap(), value.unwrap())).collect();
    assert_eq!(tags, [("artist", "A"), ("track", "3"), ("x", "y")]);
}

#[test]
fn only_items_are_read() {
    let clips = Flow::Table(columns::schema());
    let inputs = Inputs(vec![("from", vec![&clips])]);
    assert!(Metadata {}.output(&inputs).unwrap_err().message.contains("expects the items of a scan"));
    assert_eq!(
        Metadata {}.output(&Inputs(vec![("from", vec![&Flow::Items])])).unwrap(),
        Flow::Table(columns::schema())
    );
}
