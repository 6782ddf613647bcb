//! What is shown, in headless Chromium.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{BOUNDS, audio, features, page, sine, written};
use crate::inspect::page::{Page, Rows, Shown};

/// Opens a page in headless Chromium; none where there is no Chromium.
fn opened(page: &Page, arguments: &[&str]) -> Option<Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    std::fs::write(&path, written(page, &BOUNDS)).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/inspect_page.py");
    let output = Command::new("python3").arg(script).arg(&path).args(arguments).output().unwrap();
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}");
    if told.starts_with("skip") {
        eprintln!("{told}");
        return None;
    }
    let found: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(found["ready"], true, "{found}");
    assert_eq!((&found["errors"], &found["counted"]), (&Value::Array(Vec::new()), &"0".into()), "{found}");
    assert_eq!(found["requests"], Value::Array(Vec::new()), "{found}");
    Some(found)
}

fn numbers(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

/// Where a frequency stands on the axis of a spectrogram.
fn mel(hertz: f64, rate: u32) -> f64 {
    let mel = |hertz: f64| (1.0 + hertz / 700.0).ln();
    mel(hertz) / mel(f64::from(rate) / 2.0)
}

#[test]
fn audio_is_drawn_and_played_in_chromium() {
    let tones = [1000.0, 440.0, 3000.0, 6500.0];
    let signal = |view: usize| {
        let mut signal = audio(sine(16_000, tones[view], if view == 1 { 1.4 } else { 0.5 }, 32_000));
        signal.view = view as u32;
        signal.start = 4_000 * view as u64;
        signal.drawn = vec![("gain_db".into(), (view > 0).then_some(-3.0)), ("odd".into(), Some(f64::NAN))];
        signal
    };
    let mut signals: Vec<Shown> = (0..4).map(signal).collect();
    signals[0].mask = vec![(4_000, 8_000), (12_000, 14_000)];
    signals.push(Shown { samples: vec![vec![0.0; 500]; 2], frames: 500, view: 4, ..audio(Vec::new()) });
    signals.push(Shown { view: 5, ..audio(Vec::new()) });
    let Some(found) = opened(&page(signals), &[]) else { return };
    let cards = found["cards"].as_array().unwrap();
    assert_eq!(cards.len(), 6);
    for (card, hertz) in cards.iter().zip(tones) {
        let bin = 16_000.0 / numbers(&card["fft"]);
        assert!((numbers(&card["peakHertz"]) - hertz).abs() <= bin, "{card}");
    }
    for ((place, hertz), card) in found["darkest"].as_array().unwrap().iter().zip(tones).zip(cards) {
        // A pixel, a row, and what a bin is there.
        let bin = mel(hertz + 16_000.0 / numbers(&card["fft"]), 16_000) - mel(hertz, 16_000);
        assert!((numbers(&place[1]) - mel(hertz, 16_000)).abs() < bin + 0.012, "{place} {hertz}");
    }
    let width = numbers(&cards[0]["width"]);
    let bands: Vec<f64> =
        cards[0]["masks"].as_str().unwrap().split([' ', '-']).map(|edge| edge.parse().unwrap()).collect();
    for (band, frame) in bands.iter().zip([4_000.0, 8_000.0, 12_000.0, 14_000.0]) {
        assert!((band - width * frame / 32_000.0).abs() < 0.5, "{bands:?} of {width}");
    }
    assert_eq!((bands.len(), &cards[1]["masks"]), (4, &"".into()));
    let played = &found["played"];
    for done in ["space plays", "space pauses", "shift and an arrow seek"] {
        assert_eq!(played[done], true, "{played}");
    }
    assert!((numbers(&played["position after a click in the middle"]) - 1.0).abs() < 0.01, "{played}");
    assert!(numbers(&played["cursor to middle in pixels"]).abs() < 1.5, "{played}");
    assert!(played["hover"].as_str().unwrap().starts_with("1.00"), "{played}");
    assert_eq!(played["card after an arrow"], 1);
}

#[test]
fn features_are_drawn_in_chromium() {
    let (bins, frames) = (12, 40);
    // In each plane one cell is above all others, in the last the greatest.
    let plane = |plane: usize| {
        let value = move |bin: usize, frame: usize| match (bin, frame) {
            (3, 30) => plane as f32 + 1.0,
            _ => 0.1 * (bin + frame) as f32 / 52.0,
        };
        (0..bins).map(move |bin| (0..frames).map(|frame| value(bin, frame)).collect::<Vec<f32>>())
    };
    let mut signal = features(6, (0..6).flat_map(plane).collect());
    signal.mask = vec![(0, 10)];
    signal.samples[0][0] = f32::NAN;
    let page = page(vec![signal]);
    let Some(found) = opened(&page, &[]) else { return };
    let cell = &found["darkest"][0];
    assert!((30.0..31.0).contains(&(numbers(&cell[0]) * frames as f64)), "{cell}");
    assert!((3.0..4.0).contains(&(numbers(&cell[1]) * bins as f64)), "{cell}");
    let card = &found["cards"][0];
    assert_eq!(card["kind"], "features");
    let (from, to) = card["masks"].as_str().unwrap().split_once('-').unwrap();
    let width = numbers(&card["width"]);
    assert_eq!(from, "0.0");
    assert!((to.parse::<f64>().unwrap() - width / 4.0).abs() < 0.5, "{card}");
    for arguments in [&["--width", "360"][..], &["--width", "360", "--dark"]] {
        let found = opened(&page, arguments).unwrap();
        assert!(numbers(&found["overflow"]) <= 0.0, "{found}");
        assert!(numbers(&found["cards"][0]["width"]) > 200.0, "{found}");
    }
}

#[test]
fn rows_are_shown_in_chromium() {
    let row = |at: usize| vec![format!("a/{at}.wav"), format!("{}", at as f64 / 2.0), "x".repeat(300)];
    let rows = Rows {
        columns: ["item", "seconds", "text"].map(String::from).to_vec(),
        rows: (0..30).map(row).collect(),
        left_out: 0,
    };
    let page = Page { table: Some(rows), parameters: "query: x".repeat(60), ..page(Vec::new()) };
    let Some(found) = opened(&page, &["--width", "360"]) else { return };
    assert_eq!((&found["rows"], &found["cards"]), (&30.into(), &Value::Array(Vec::new())));
    assert!(numbers(&found["overflow"]) <= 0.0, "{found}");
}
