use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int32Type};
use serde_json::Value;

use super::*;
use crate::midi::file::{TICKS, Track, context, file, item, song};

fn table(content: &[u8], pedal: bool) -> Result<RecordBatch, Stop> {
    let folder = tempfile::tempdir().unwrap();
    Notes { pedal }.rows(&item(folder.path(), content), &context(1024))
}

/// (track, channel, program, pitch, velocity) of each note.
fn names(table: &RecordBatch) -> Vec<[i32; 5]> {
    let column = |name| table.column_by_name(name).unwrap().as_primitive::<Int32Type>();
    let columns = ["track", "channel", "program", "pitch", "velocity"].map(column);
    (0..table.num_rows()).map(|row| columns.map(|column| column.value(row))).collect()
}

fn reals(table: &RecordBatch, name: &str) -> Vec<f64> {
    table.column_by_name(name).unwrap().as_primitive::<Float64Type>().values().to_vec()
}

/// When each note ends.
fn offsets(table: &RecordBatch) -> Vec<f64> {
    reals(table, "onset")
        .iter()
        .zip(reals(table, "duration"))
        .map(|(onset, duration)| onset + duration)
        .collect()
}

/// (pitch, onset, offset) of each note, in ticks of a millisecond.
fn spans(track: Track, pedal: bool) -> Vec<(i32, i64, i64)> {
    let table = table(&song(track), pedal).unwrap();
    let onsets = reals(&table, "onset").into_iter().map(|seconds| (seconds * 1000.0).round() as i64);
    let ends = offsets(&table).into_iter().map(|seconds| (seconds * 1000.0).round() as i64);
    let pitches = names(&table).into_iter().map(|[_, _, _, pitch, _]| pitch);
    pitches.zip(onsets.zip(ends)).map(|(pitch, (on, off))| (pitch, on, off)).collect()
}

/// What others read in the same files, to a nanosecond, in which their times are given.
#[test]
fn notes_are_those_that_others_read() {
    let golden: Value = serde_json::from_str(include_str!("golden/notes.json")).unwrap();
    for (number, case) in golden.as_array().unwrap().iter().enumerate() {
        let text = case["midi"].as_str().unwrap().as_bytes();
        let digit = |at: usize| (text[at] as char).to_digit(16).unwrap() as u8;
        let content: Vec<u8> = (0..text.len() / 2).map(|at| digit(2 * at) << 4 | digit(2 * at + 1)).collect();
        let table = table(&content, case["pedal"].as_bool().unwrap()).unwrap();
        let [onsets, beats, tempos] = ["onset", "beat", "tempo"].map(|name| reals(&table, name));
        let times = [onsets, offsets(&table), beats, tempos];
        let drums = table.column_by_name("drum").unwrap().as_boolean();
        let mut found: Vec<_> = (0..table.num_rows())
            .map(|row| {
                let [_, _, program, pitch, velocity] = names(&table)[row];
                (times.each_ref().map(|times| times[row]), [pitch, velocity, program], drums.value(row))
            })
            .collect();
        found.sort_by(|(a, a_names, _), (b, b_names, _)| {
            a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])).then(a_names.cmp(b_names))
        });
        let expected = case["notes"].as_array().unwrap();
        assert_eq!(found.len(), expected.len(), "file {number}");
        for ((times, names, drum), expected) in found.iter().zip(expected) {
            let real = |at: usize| expected[at].as_f64().unwrap();
            let whole = |at: usize| expected[at].as_i64().unwrap() as i32;
            assert_eq!(
                (names, drum),
                (&[2, 3, 4].map(whole), &expected[5].as_bool().unwrap()),
                "file {number}"
            );
            for (found, expected) in times.iter().zip([0, 1, 6, 7].map(real)) {
                assert!(
                    (found - expected).abs() < 2e-9 * expected.max(1.0),
                    "file {number}: {found}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn programs_and_drums_are_those_of_the_channel_at_the_onset() {
    let first = Track::default().program(2, 7).note(10, 2, 60, 1).program(2, 8).note(10, 9, 36, 2).end(0);
    let second = Track::default().after(10, &[0x92, 61, 3]).program(2, 9).end(50);
    let table = table(&file(1, TICKS, &[first, second]), false).unwrap();
    assert_eq!(names(&table), [[0, 2, 7, 60, 1], [0, 9, 0, 36, 2], [1, 2, 8, 61, 3]]);
    let drums = table.column_by_name("drum").unwrap().as_boolean();
    assert_eq!(drums.values().iter().collect::<Vec<_>>(), [false, true, false]);
    let items = table.column_by_name("item").unwrap().as_string::<i32>();
    assert!(items.iter().all(|item| item == Some("a.mid")));
    assert_eq!(table.schema(), table::schema());
}

#[test]
fn a_key_ends_all_its_notes_and_the_file_ends_the_rest() {
    let track = Track::default()
        .after(0, &[0x90, 60, 9])
        .after(10, &[0x90, 60, 9])
        .after(0, &[0x91, 60, 9])
        .after(0, &[0x90, 61, 9])
        .after(10, &[0x90, 60, 0])
        .end(80);
    assert_eq!(spans(track, false), [(60, 0, 20), (60, 10, 20), (60, 10, 100), (61, 10, 100)]);
}

#[test]
fn controllers_end_the_notes_of_a_channel() {
    let track = |controller: u8| {
        Track::default()
            .after(0, &[0xB0, 64, 127])
            .note(10, 0, 60, 9)
            .after(0, &[0x90, 61, 9])
            .after(0, &[0x91, 62, 9])
            .after(10, &[0xB0, controller, 0])
            .after(10, &[0xB0, 64, 0])
            .end(70)
    };
    // All sound off; all controllers as they were, of which the pedal; all keys released.
    assert_eq!(spans(track(120), true), [(60, 0, 20), (61, 10, 20), (62, 10, 100)]);
    assert_eq!(spans(track(121), true), [(60, 0, 20), (61, 10, 100), (62, 10, 100)]);
    assert_eq!(spans(track(123), true), [(60, 0, 30), (61, 10, 30), (62, 10, 100)]);
    assert_eq!(spans(track(123), false), [(60, 0, 10), (61, 10, 20), (62, 10, 100)]);
    assert_eq!(spans(track(7), false), [(60, 0, 10), (61, 10, 100), (62, 10, 100)]);
}

#[test]
fn the_pedal_holds_notes_until_it_is_lifted_or_their_key_is_struck() {
    let pedal = |track: Track, value: u8| track.after(0, &[0xB0, 64, value]);
    let track = pedal(Track::default(), 64).note(10, 0, 60, 9).note(10, 0, 61, 9).note(10, 0, 60, 9);
    let track = pedal(track, 63).note(10, 0, 62, 9);
    let track = pedal(track, 64).note(10, 0, 63, 9).end(50);
    let held = [(60, 0, 20), (61, 10, 30), (60, 20, 30), (62, 30, 40), (63, 40, 100)];
    assert_eq!(spans(track.clone(), true), held);
    let released = [(60, 0, 10), (61, 10, 20), (60, 20, 30), (62, 30, 40), (63, 40, 50)];
    assert_eq!(spans(track, false), released);
}

#[test]
fn there_is_no_beat_in_parts_of_a_second() {
    let table = table(&file(0, 0xE728, &[Track::default().note(500, 0, 60, 9).end(0)]), false).unwrap();
    assert_eq!(reals(&table, "duration"), [0.5]);
    assert!(["beat", "tempo"].iter().all(|name| table.column_by_name(name).unwrap().is_null(0)));
}

#[test]
fn what_has_no_notes_is_filtered_and_what_is_broken_rejected() {
    let silent = table(&song(Track::default().program(0, 1).end(100)), false);
    assert_eq!(silent.unwrap_err(), Stop::Filtered { reason: "it has no note".into() });
    assert!(matches!(table(b"RIFF", false), Err(Stop::Rejected { class: "midi", .. })));
}

#[test]
fn only_items_are_read() {
    let rows = Flow::Table(table::schema());
    let output = |flow: &Flow| Notes { pedal: false }.output(&Inputs(vec![("from", vec![flow])]));
    assert!(output(&rows).unwrap_err().message.contains("expects the items of a scan"));
    assert_eq!(output(&Flow::Items).unwrap(), rows);
}
