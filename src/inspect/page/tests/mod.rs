//! What is written.

mod browser;
mod encode;

use std::f64::consts::TAU;

use serde_json::Value;

use super::*;

const BOUNDS: Bounds = Bounds { signals: 16, seconds: 60.0 };

fn sine(rate: u32, hertz: f64, amplitude: f64, frames: usize) -> Vec<f32> {
    let phase = |frame: usize| TAU * hertz * frame as f64 / f64::from(rate);
    (0..frames).map(|frame| (amplitude * phase(frame).sin()) as f32).collect()
}

fn audio(samples: Vec<f32>) -> Shown {
    let frames = samples.len() as u64;
    Shown { rate: 16_000, hop: 1, planes: 1, frames, samples: vec![samples], ..Shown::default() }
}

fn features(planes: u16, bins: Vec<Vec<f32>>) -> Shown {
    let frames = bins[0].len() as u64;
    Shown { rate: 16_000, hop: 160, planes, frames, samples: bins, ..Shown::default() }
}

fn page(signals: Vec<Shown>) -> Page {
    Page {
        pipeline: "p".into(),
        stage: "views".into(),
        operator: "augment".into(),
        signals,
        ..Page::default()
    }
}

fn written(page: &Page, bounds: &Bounds) -> String {
    let mut text = Vec::new();
    write(page, bounds, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// What the script reads of the signals, and their samples.
fn read(text: &str) -> (Value, Vec<Vec<u16>>) {
    let within = |text: &str| text.split_once("</script>").unwrap().0.to_owned();
    let model = within(text.split_once("id=\"model\">").unwrap().1);
    let samples = text.split("class=\"samples\">").skip(1).map(|part| decode(&within(part))).collect();
    (serde_json::from_str(&model).unwrap(), samples)
}

fn decode(text: &str) -> Vec<u16> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let letters: Vec<u32> = text.trim_end_matches('=').bytes().map(|letter| value(letter).into()).collect();
    let bits = letters.len() * 6 / 8 * 8;
    let bit = |at: usize| letters[at / 6] >> (5 - at % 6) & 1;
    let bytes: Vec<u8> =
        (0..bits / 8).map(|byte| (0..8).fold(0, |all, at| all << 1 | bit(8 * byte + at) as u8)).collect();
    bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// Names that would end an element, an attribute or a script, or fill the template.
#[test]
fn names_are_text() {
    let evil = "</script><script>alert(1)</script><!-- \"'&amp; {{script}}";
    let mut signal = audio(sine(16_000, 440.0, 0.5, 800));
    signal.item = evil.into();
    signal.drawn = vec![(evil.into(), Some(1.5))];
    signal.columns = vec![(evil.into(), evil.into())];
    let page = Page {
        pipeline: evil.into(),
        stage: evil.into(),
        operator: evil.into(),
        parameters: evil.into(),
        item: Some(evil.into()),
        items: vec![evil.into()],
        table: Some(Rows { columns: vec![evil.into()], rows: vec![vec![evil.into()]], left_out: 0 }),
        notes: vec![evil.into()],
        ..page(vec![signal])
    };
    let text = written(&page, &BOUNDS);
    assert!(!text.contains("alert(1)</script>") && !text.contains("<!--"));
    assert_eq!(text.matches("</script>").count(), 3, "the model, one signal, the script");
    let (model, _) = read(&text);
    assert_eq!(model[0]["drawn"][0], serde_json::json!([evil, "1.5"]));
    assert_eq!(model[0]["columns"][0], serde_json::json!([evil, evil]));
    assert_eq!(model[0]["item"], Value::Null, "it is the page's");
}

#[test]
fn a_page_is_whole_and_alone() {
    let text = written(&page(vec![audio(sine(16_000, 440.0, 0.5, 800))]), &BOUNDS);
    assert!(!text.contains("{{") && !text.contains("}}"), "a part is missing");
    for outside in ["http:", "https:", "src=", "url(", "@import"] {
        assert!(!text.contains(outside), "{outside}");
    }
    assert!(text.contains("default-src 'none'"));
}

#[test]
fn nothing_is_a_page_too() {
    let text = written(&page(Vec::new()), &BOUNDS);
    assert!(text.contains("The stage gives nothing for this item."));
    assert_eq!(read(&text).0, Value::Array(Vec::new()));
    let without = Shown { samples: Vec::new(), frames: 0, ..audio(Vec::new()) };
    let (model, samples) = read(&written(&page(vec![without]), &BOUNDS));
    assert_eq!((&model[0]["channels"], &model[0]["held"], samples[0].len()), (&0.into(), &0.into(), 0));
    let table = Some(Rows { columns: vec!["item".into()], rows: Vec::new(), left_out: 0 });
    let text = written(&Page { table, ..page(Vec::new()) }, &BOUNDS);
    assert!(text.contains("No rows.") && !text.contains("gives nothing"));
}

#[test]
fn what_is_left_out_is_said() {
    let signals = || (0..5).map(|_| audio(sine(16_000, 440.0, 0.5, 32_000))).collect();
    let bounds = Bounds { signals: 3, seconds: 0.5 };
    let mut page = Page { left_out: 7, ..page(signals()) };
    page.signals[0].mask = vec![(10, 20), (7_000, 9_000), (20_000, 21_000)];
    let text = written(&page, &bounds);
    assert!(text.contains("The first 3 of 12 signals are shown"));
    assert!(text.contains("3 signals are longer than what is shown of them"));
    let (model, samples) = read(&text);
    assert_eq!(model.as_array().unwrap().len(), 3);
    assert_eq!((&model[0]["held"], &model[0]["frames"]), (&8_000.into(), &32_000.into()));
    assert_eq!(model[0]["mask"], serde_json::json!([[10, 20], [7_000, 8_000]]));
    assert!(samples.iter().all(|samples| samples.len() == 8_000));
    let rows = Rows { columns: vec!["a".into()], rows: vec![vec!["1".into()]; 2], left_out: 40 };
    let text = written(&Page { table: Some(rows), ..Page::default() }, &BOUNDS);
    assert!(text.contains("The first 2 of 42 rows."));
}

/// However much a stage gives, the page stays below 45 MB.
#[test]
fn all_signals_share_one_bound() {
    let long = || Shown { samples: vec![vec![0.25; 6_000_000]; 2], frames: 6_000_000, ..audio(Vec::new()) };
    let text = written(&page(vec![long(), long(), long()]), &Bounds { signals: 16, seconds: 1e6 });
    assert!((44_000_000..46_000_000).contains(&text.len()), "{}", text.len());
    let (model, samples) = read_model(&text);
    assert_eq!(model[2]["held"].as_u64().unwrap(), (16 << 20) / 3 / 2);
    assert_eq!(samples, 3);
}

/// As `read`, where the samples are too many to be decoded bit by bit.
fn read_model(text: &str) -> (Value, usize) {
    let model = text.split_once("id=\"model\">").unwrap().1.split_once("</script>").unwrap().0;
    (serde_json::from_str(model).unwrap(), text.matches("class=\"samples\"").count())
}
