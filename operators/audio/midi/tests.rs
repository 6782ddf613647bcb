use super::file::{TICKS, Track, chunk, file, item, song};
use super::*;

fn event(tick: u64, track: u16, status: u8, data: [u8; 2]) -> Event {
    Event { tick, track, channel: status & 0x0F, command: status & 0xF0, data }
}

#[test]
fn events_with_and_without_their_status() {
    let track = Track::default()
        .after(0, &[0x91, 60, 100])
        .after(10, &[62, 90])
        // A meta event and one to a device between messages with the same status.
        .after(0, &[0xFF, 0x01, 2, b'h', b'i'])
        .after(0, &[0xF0, 3, 0x7E, 0x7F, 0xF7])
        .after(300, &[60, 0])
        .after(0, &[0xC1, 5])
        .after(0, &[6])
        .after(20_000, &[0xE1, 1, 64])
        .end(2_100_000)
        // What stands behind the end is not there.
        .after(0, &[0x91, 1, 1]);
    let score = Score::read(&song(track)).unwrap();
    let expected = [
        event(0, 0, 0x91, [60, 100]),
        event(10, 0, 0x91, [62, 90]),
        event(310, 0, 0x81, [60, 0]),
        event(310, 0, 0xC1, [5, 0]),
        event(310, 0, 0xC1, [6, 0]),
        event(20_310, 0, 0xE1, [1, 64]),
    ];
    assert_eq!(score.events, expected);
    assert_eq!(score.end, 2_120_310);
}

#[test]
fn tracks_are_merged_in_the_order_of_time_then_of_tracks() {
    let strike = |pitch: u8| [0x90, pitch, 1];
    let first = Track::default().after(5, &strike(1)).after(5, &strike(2)).end(0);
    let second = Track::default().after(0, &strike(3)).after(5, &strike(4)).end(100);
    let mut bytes = file(1, TICKS, &[first, second]);
    // A chunk of a kind that is not known, and a header that is longer than it was.
    bytes.splice(14..14, chunk(b"XXXX", &[1, 2, 3]));
    bytes.splice(14..14, [0, 0]);
    bytes[7] = 8;
    let score = Score::read(&bytes).unwrap();
    let order: Vec<_> = score.events.iter().map(|event| (event.tick, event.track, event.data[0])).collect();
    assert_eq!(order, [(0, 1, 3), (5, 0, 1), (5, 1, 4), (10, 0, 2)]);
    assert_eq!(score.end, 105);
}

#[test]
fn tempos_of_any_track_count_from_where_they_stand() {
    // 120 beats a minute for a beat, 60 for two, then 240; the first of two at the same tick does not count.
    let first = Track::default().tempo(500, 7).tempo(0, 1_000_000).end(2000);
    let second = Track::default().tempo(1500, 250_000).end(0);
    let clock = Score::read(&file(1, TICKS, &[first, second])).unwrap().clock;
    for (tick, seconds, tempo, beat) in [
        (0, 0.0, 120.0, 0.0),
        (250, 0.25, 120.0, 0.5),
        (500, 0.5, 60.0, 1.0),
        (1500, 2.5, 240.0, 3.0),
        (2500, 3.0, 240.0, 5.0),
    ] {
        assert!((clock.seconds(tick) - seconds).abs() < 1e-12, "{tick}: {}", clock.seconds(tick));
        assert_eq!((clock.tempo(tick), clock.beat(tick)), (Some(tempo), Some(beat)));
    }
}

#[test]
fn ticks_may_be_parts_of_a_second() {
    let track = || Track::default().tempo(0, 1).end(1000);
    // Minus the frames a second, and ticks a frame.
    for (division, second) in [(0xE728, 1000.0), (0xE350, 30_000.0 / 1001.0 * 80.0)] {
        let clock = Score::read(&file(0, division, &[track()])).unwrap().clock;
        assert!((clock.seconds(1000) - 1000.0 / second).abs() < 1e-12);
        assert_eq!((clock.tempo(1000), clock.beat(1000)), (None, None));
    }
}

#[test]
fn what_is_broken_is_told_with_its_byte() {
    let said = |bytes: &[u8]| Score::read(bytes).map(|_| ()).unwrap_err();
    let broken = |event: &[u8]| said(&song(Track::default().after(0, event)));
    let bad = |at, message: &str| Bad { at, message: message.into() };
    let whole = song(Track::default().note(1, 0, 60, 1).end(0));
    assert_eq!(said(b"RIFF"), bad(0, "no Standard MIDI File begins so"));
    assert_eq!(said(&whole[..9]), bad(8, "bytes are missing: 2 expected, 1 follow"));
    assert_eq!(said(&file(2, TICKS, &[])), bad(8, "format 2 is not read: 0 and 1 are"));
    for division in [0, 0x8028, 0xE700] {
        assert_eq!(
            said(&file(0, division, &[])),
            bad(12, "ticks are neither parts of a beat nor of a frame of 24, 25, 29 or 30 a second")
        );
    }
    assert_eq!(said(&whole[..14]), bad(14, "the file ends after 0 of its 1 tracks"));
    assert_eq!(said(&whole[..26]), bad(26, "the file ends within track 0"));
    assert_eq!(said(&whole[..24]), bad(24, "bytes are missing: 1 expected, 0 follow"));
    // The track begins at byte 22, its first event behind a byte of time.
    assert_eq!(broken(&[60, 1]), bad(23, "data without a message before it"));
    assert_eq!(broken(&[0x90, 60, 0x90]), bad(25, "0x90 stands where 0 to 127 is expected"));
    assert_eq!(broken(&[0xF4]), bad(23, "a message 0xF4 has no place in a file"));
    assert_eq!(broken(&[0xFF, 0x51, 3, 0, 0, 0]), bad(23, "a beat lasts 0 microseconds"));
    assert_eq!(
        broken(&[0xFF, 1, 0x81, 0x82, 0x83, 0x84, 1]),
        bad(29, "a number goes on beyond its four bytes")
    );
    assert_eq!(broken(&[0xFF, 1, 5, 0]), bad(26, "bytes are missing: 5 expected, 1 follow"));
    // A track that does not say that it ends, in a file that is whole.
    let quiet = song(Track::default().note(7, 0, 60, 1));
    assert_eq!(Score::read(&quiet).unwrap().end, 7);
}

#[test]
fn any_bytes_are_read_or_refused() {
    let whole =
        file(1, TICKS, &[Track::default().tempo(0, 9).end(0), Track::default().note(200, 1, 60, 1).end(5)]);
    for cut in 0..whole.len() {
        assert!(Score::read(&whole[..cut]).is_err(), "{cut}");
    }
    for at in 0..whole.len() {
        for value in [0, 1, 0x7F, 0x80, 0xF0, 0xFF] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            if let Err(bad) = Score::read(&bytes) {
                assert!(bad.at <= bytes.len(), "{bad:?}");
            }
        }
    }
}

#[test]
fn a_huge_file_is_refused_and_a_broken_one_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let rejected = |content: &[u8]| match Score::open(&item(folder.path(), content)) {
        Err(Stop::Rejected { class: "midi", offset, message }) => (offset, message),
        other => panic!("{other:?}"),
    };
    let (offset, message) = rejected(&vec![0; LARGEST as usize + 1]);
    assert_eq!(offset, "byte 0");
    assert!(message.starts_with("16777217 bytes are no file of notes"), "{message}");
    assert_eq!(rejected(b"MThd").0, "byte 4");
}
