//! Every format, beside ffmpeg: the same length, the same samples, and the same ones again in a range.
//! The files are made by ffmpeg; without it the tests are skipped.
#![expect(clippy::panic, reason = "a test may panic")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "formats/cases.rs"]
mod cases;
#[path = "formats/tool.rs"]
mod tool;

use std::path::{Path, PathBuf};

use cases::{CASES, REFUSED};
use etude_audio::decode::about;
use etude_pipeline::operator::Stop;
use etude_pipeline::place::Place;
use serde_json::json;
use tool::{Decoded, decode, distance, encode, ffmpeg_is_there, reference, rejected};

/// Every case as a file.
fn each(test: &str, mut check: impl FnMut(&cases::Case, &Path, &str)) {
    if !ffmpeg_is_there(test) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (index, case) in CASES.iter().enumerate() {
        let name = format!("{index}.{}", case.extension);
        if let Some(path) = encode(folder.path(), &name, case.rate, case.channels, case.encode) {
            let label =
                format!("{} {} Hz {} channels {}", case.extension, case.rate, case.channels, case.encode);
            check(case, &path, &label);
        }
    }
}

#[test]
fn every_format_is_what_ffmpeg_decodes() {
    each("every_format_is_what_ffmpeg_decodes", |case, path, label| {
        let expected = reference(path, case.decode);
        let found = decode(path, json!({})).unwrap_or_else(|stop| panic!("{label}: {stop:?}"));
        assert_eq!(found.channels(), case.channels as usize, "{label}");
        let frames = expected.len() / found.channels();
        let more = frames.checked_sub(found.frames());
        assert!(
            more.is_some_and(|more| more < case.more.max(1)),
            "{label}: {frames} frames by ffmpeg, {} by us",
            found.frames()
        );
        let near = distance(&expected[..found.samples.len()], &found.samples);
        assert!(near >= case.near, "{label}: {near:.1} dB");
    });
}

#[test]
fn the_mean_and_the_first_are_those_of_all_channels() {
    each("the_mean_and_the_first_are_those_of_all_channels", |case, path, label| {
        let of = |channels: &str| {
            let found = decode(path, json!({ "channels": channels }));
            found.unwrap_or_else(|stop| panic!("{label}: {channels}: {stop:?}"))
        };
        let (all, mono, first) = (of("keep"), of("mono"), of("first"));
        assert_eq!((mono.channels(), first.channels()), (1, 1), "{label}");
        let frames = || all.samples.chunks_exact(all.channels());
        assert_eq!(first.samples, frames().map(|frame| frame[0]).collect::<Vec<_>>(), "{label}");
        let mean = frames().map(|frame| frame.iter().sum::<f32>() / frame.len() as f32);
        let near = distance(&mean.collect::<Vec<_>>(), &mono.samples);
        // Decoders that mix before the synthesis round otherwise.
        let least = if case.near.is_finite() { 110.0 } else { 140.0 };
        assert!(near >= least, "{label}: {near:.1} dB");
    });
}

#[test]
fn a_range_is_a_cut_of_the_whole() {
    each("a_range_is_a_cut_of_the_whole", |case, path, label| {
        let whole = decode(path, json!({})).unwrap_or_else(|stop| panic!("{label}: {stop:?}"));
        let (rate, channels) = (f64::from(whole.header.as_ref().unwrap().rate), whole.channels());
        for (start, duration) in [(0.0, Some(0.25)), (0.37, Some(0.4)), (0.801, None), (1.0, Some(30.0))] {
            let cut = json!({"range": {"start": start, "duration": duration}});
            let part = decode(path, cut).unwrap_or_else(|stop| panic!("{label} from {start}: {stop:?}"));
            let from = (start * rate).round() as usize;
            let to = duration.map_or(usize::MAX, |duration| from + (duration * rate).round() as usize);
            let expected = &whole.samples[from * channels..to.min(whole.frames()) * channels];
            assert_eq!(part.header.as_ref().unwrap().start, from as u64, "{label} from {start}");
            assert_eq!(part.samples.len(), expected.len(), "{label} from {start}");
            let near = distance(expected, &part.samples);
            // The same decoder gives the same, once it has settled.
            let least = if case.near.is_finite() { 90.0 } else { case.near };
            assert!(near >= least, "{label} from {start}: {near:.1} dB");
        }
        let behind = decode(path, json!({"range": {"start": 1000.0}}));
        assert!(matches!(behind, Err(Stop::Filtered { .. })), "{label}");
    });
}

#[test]
fn headers_tell_what_decoding_gives() {
    each("headers_tell_what_decoding_gives", |_, path, label| {
        let found = decode(path, json!({})).unwrap_or_else(|stop| panic!("{label}: {stop:?}"));
        let header = found.header.as_ref().unwrap();
        let about = about(Place::at(path).open().unwrap(), "x").unwrap();
        assert_eq!((about.rate, about.channels), (header.rate, header.channels), "{label}");
        match about.frames {
            // The last packet of ALAC in CAF may hold less than the header counts.
            Some(frames) if about.container == "caf" => assert!(frames >= found.frames() as u64, "{label}"),
            Some(frames) => assert_eq!(frames, found.frames() as u64, "{label}: {about:?}"),
            None => {
                let seconds = found.frames() as f64 / f64::from(header.rate);
                let told = about.seconds.unwrap_or(seconds);
                assert!((told - seconds).abs() < 0.2, "{label}: {told} s, not {seconds} s");
            }
        }
    });
}

#[test]
fn what_is_not_decoded_is_named() {
    if !ffmpeg_is_there("what_is_not_decoded_is_named") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (index, (extension, rate, channels, arguments, name)) in REFUSED.iter().enumerate() {
        let file = format!("{index}.{extension}");
        let Some(path) = encode(folder.path(), &file, *rate, *channels, arguments) else { continue };
        let (class, message) = rejected(&path, json!({}));
        assert_eq!(class, "codec", "{file}: {message}");
        assert!(message.contains(name), "{file}: {message}");
    }
}

/// A file and what it decodes to.
fn file(folder: &Path, name: &str, arguments: &str) -> Option<(PathBuf, Vec<u8>, Decoded)> {
    let path = encode(folder, name, 44_100, 2, arguments)?;
    let (bytes, whole) = (std::fs::read(&path).unwrap(), decode(&path, json!({})).unwrap());
    Some((path, bytes, whole))
}

/// No encoder that is kept codes intensity, but every decoder reads it: so frames are told that they do.
#[test]
fn intensity_is_what_ffmpeg_makes_of_it() {
    if !ffmpeg_is_there("intensity_is_what_ffmpeg_makes_of_it") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Some((path, mut bytes, _)) = file(folder.path(), "joint.mp3", "-c:a libmp3lame -b:a 96k") else {
        return;
    };
    let (mut at, mut frames) = (0, 0);
    while at + 4 < bytes.len() {
        // Of 96 kbit/s at 44.1 kHz.
        if bytes[at] == 0xff && bytes[at + 1] == 0xfb && bytes[at + 2] >> 2 == 0x70 >> 2 {
            bytes[at + 3] = 0x40 | [0x10, 0x30, 0x20, 0x00][frames % 4];
            at += 144 * 96_000 / 44_100 + usize::from(bytes[at + 2] >> 1 & 1);
            frames += 1;
        } else {
            at += 1;
        }
    }
    assert!(frames > 40, "{frames}");
    std::fs::write(&path, bytes).unwrap();
    let (expected, found) = (reference(&path, ""), decode(&path, json!({})).unwrap());
    let near = distance(&expected[..found.samples.len()], &found.samples);
    assert!(near >= 90.0, "{near:.1} dB");
}

/// A page of 20 ms whose checksum is wrong is passed over by demuxers without a word.
#[test]
fn a_lost_page_is_noticed() {
    if !ffmpeg_is_there("a_lost_page_is_noticed") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, arguments) in [
        ("a.opus", "-c:a libopus -ar 48000 -page_duration 20000"),
        ("a.ogg", "-c:a libvorbis -page_duration 20000"),
    ] {
        let Some((path, mut bytes, whole)) = file(folder.path(), name, arguments) else { continue };
        let pages: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"OggS")).collect();
        assert!(pages.len() > 20, "{name}: {} pages", pages.len());
        bytes[pages[pages.len() / 2] + 40] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let (class, message) = rejected(&path, json!({}));
        assert_eq!(class, "decode", "{name}: {message}");
        assert!(message.ends_with("frames are missing"), "{name}: {message}");
        let kept = decode(&path, json!({"on_damage": "keep"})).unwrap();
        assert!(kept.samples.len() < whole.samples.len(), "{name}");
        assert_eq!(kept.counts.iter().find(|(what, _)| *what == "skipped_packets").unwrap().1, 1, "{name}");
    }
}

/// Whatever the container says that lies behind the end.
#[test]
fn what_comes_before_a_cut_is_kept() {
    if !ffmpeg_is_there("what_comes_before_a_cut_is_kept") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut compared = 0;
    for (name, arguments) in [
        ("a.wav", "-c:a pcm_s16le"),
        ("a.aiff", "-c:a pcm_s16be"),
        ("a.caf", "-c:a pcm_s16be"),
        ("a.flac", FLAC),
        ("a.mp3", "-c:a libmp3lame"),
        ("a.ogg", "-c:a libvorbis -page_duration 100000"),
        ("b.ogg", "-c:a flac -sample_fmt s16 -page_duration 100000"),
        ("a.opus", "-c:a libopus -ar 48000 -page_duration 100000"),
        ("a.webm", "-c:a libopus -ar 48000"),
        ("a.mka", FLAC),
        ("b.mka", "-c:a libvorbis"),
        ("c.mka", "-c:a pcm_s16le"),
        ("d.mka", "-c:a aac -aac_pns 0"),
        ("a.m4a", "-c:a aac -aac_pns 0 -movflags +faststart"),
        ("b.m4a", "-c:a alac -movflags +faststart"),
        ("c.m4a", "-c:a aac -aac_pns 0 -movflags +frag_keyframe+empty_moov -frag_duration 100000"),
    ] {
        let Some((path, bytes, whole)) = file(folder.path(), name, arguments) else { continue };
        std::fs::write(&path, &bytes[..bytes.len() * 3 / 5]).unwrap();
        let (class, message) = rejected(&path, json!({}));
        assert_eq!(class, "truncated", "{name}: {message}");
        let kept =
            decode(&path, json!({"on_damage": "keep"})).unwrap_or_else(|stop| panic!("{name}: {stop:?}"));
        let share = kept.frames() as f64 / whole.frames() as f64;
        assert!((0.35..0.85).contains(&share), "{name}: {share}");
        let near = distance(&whole.samples[..kept.samples.len()], &kept.samples);
        assert!(near >= 60.0, "{name}: {near:.1} dB");
        compared += 1;
    }
    assert!(compared >= 8, "{compared}");
}

#[test]
fn junk_and_tags_before_a_container_change_nothing() {
    if !ffmpeg_is_there("junk_and_tags_before_a_container_change_nothing") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let junk: Vec<u8> = (0..5000u32).map(|index| ((index * index) >> 3) as u8 & 0x7f).collect();
    let id3 = [&b"ID3\x04\0\0\0\0\x01\0"[..], &[0; 128]].concat();
    let mut compared = 0;
    for (extension, arguments) in [
        ("opus", "-c:a libopus -ar 48000"),
        ("ogg", "-c:a libvorbis"),
        ("webm", "-c:a libopus -ar 48000"),
        ("mka", FLAC),
        ("m4a", "-c:a aac -aac_pns 0"),
        ("flac", FLAC),
        ("wav", "-c:a pcm_s16le"),
        ("aiff", "-c:a pcm_s16be"),
        ("caf", "-c:a pcm_s16be"),
    ] {
        let Some((path, bytes, whole)) = file(folder.path(), &format!("a.{extension}"), arguments) else {
            continue;
        };
        for before in [&junk, &id3] {
            std::fs::write(&path, [before, &bytes[..]].concat()).unwrap();
            let decoded = decode(&path, json!({})).unwrap();
            assert!(decoded.samples == whole.samples, "{extension}, {} bytes before", before.len());
            compared += 1;
        }
    }
    assert!(compared >= 6, "{compared}");
}

const FLAC: &str = "-c:a flac -sample_fmt s16";

#[test]
fn what_lies_around_flac_is_none_of_it() {
    if !ffmpeg_is_there("what_lies_around_flac_is_none_of_it") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Some((path, bytes, whole)) = file(folder.path(), "a.flac", FLAC) else { return };
    let junk: Vec<u8> = (0..5000u32).map(|index| ((index * index) >> 3) as u8).collect();
    let id3 = [&b"ID3\x04\0\0\0\0\x01\0"[..], &[0; 128]].concat();
    let bad_id3 = [&b"ID3\x04\0\x40\0\0\x01\0"[..], &[0xff; 128]].concat();
    let ape = |size: u32, flags: u32| {
        [
            &b"APETAGEX"[..],
            &2000u32.to_le_bytes(),
            &size.to_le_bytes(),
            &[0; 4],
            &flags.to_le_bytes(),
            &[0; 8],
        ]
        .concat()
    };
    let ape = [ape(40, 0xa000_0000), vec![1; 8], ape(40, 0x8000_0000)].concat();
    let id3v1 = [&b"TAG"[..], &[0; 125]].concat();
    let cases: [(&str, &[&[u8]]); 8] = [
        ("ID3v2 before", &[&id3, &bytes]),
        ("damaged ID3v2 before", &[&bad_id3, &bytes]),
        ("ID3v1 behind", &[&bytes, &id3v1]),
        ("APE and ID3v1 behind", &[&bytes, &ape, &id3v1]),
        ("junk behind", &[&bytes, &junk]),
        ("zeros behind", &[&bytes, &[0; 70_000]]),
        ("junk before", &[&junk, &bytes]),
        ("the same again behind", &[&bytes, &bytes]),
    ];
    for (what, parts) in cases {
        std::fs::write(&path, parts.concat()).unwrap();
        let found = decode(&path, json!({})).unwrap_or_else(|stop| panic!("{what}: {stop:?}"));
        assert!(found.samples == whole.samples, "{what}");
        let end =
            decode(&path, json!({"range": {"start": 1.0}})).unwrap_or_else(|stop| panic!("{what}: {stop:?}"));
        assert!(end.samples == whole.samples[2 * 44_100..], "{what}, the end of it");
    }
}

#[test]
fn damage_drops_a_recording_or_is_passed_over() {
    if !ffmpeg_is_there("damage_drops_a_recording_or_is_passed_over") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, arguments) in [
        ("a.flac", FLAC),
        ("a.ogg", "-c:a libvorbis -page_duration 100000"),
        ("a.opus", "-c:a libopus -page_duration 100000"),
        ("a.wav", "-c:a pcm_s16le"),
    ] {
        let Some((path, bytes, whole)) = file(folder.path(), name, arguments) else { continue };
        std::fs::write(&path, &bytes[..bytes.len() * 3 / 4]).unwrap();
        assert_eq!(rejected(&path, json!({})).0, "truncated", "{name}");
        let kept = decode(&path, json!({"on_damage": "keep"})).unwrap();
        let share = kept.frames() as f64 / whole.frames() as f64;
        assert!((0.3..0.8).contains(&share), "{name}: {share}");
        assert!(kept.count("skipped_packets") >= 1, "{name}");
        assert!(kept.samples == whole.samples[..kept.samples.len()], "{name}");
    }
    // In the middle of FLAC a frame is lost, and what follows is still there.
    let Some((path, mut bytes, whole)) = file(folder.path(), "b.flac", FLAC) else { return };
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(rejected(&path, json!({})).0, "decode");
    let kept = decode(&path, json!({"on_damage": "keep"})).unwrap();
    assert!(kept.frames() < whole.frames() && kept.frames() * 4 > whole.frames() * 3);
    let end = kept.samples.len() - 1000;
    assert!(whole.samples.ends_with(&kept.samples[end..]));
}

#[test]
fn names_do_not_matter() {
    if !ffmpeg_is_there("names_do_not_matter") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, arguments, wrong) in [
        ("a.flac", FLAC, "flac.mp3"),
        ("a.mp3", "-c:a libmp3lame", "mp3.wav"),
        ("a.m4a", "-c:a aac", "aac.ogg"),
        ("a.ogg", "-c:a libvorbis", "vorbis.flac"),
        ("a.wav", "-c:a pcm_s16le", "wav.m4a"),
    ] {
        let Some((path, _, whole)) = file(folder.path(), name, arguments) else { continue };
        let lying = folder.path().join(wrong);
        std::fs::rename(path, &lying).unwrap();
        assert!(decode(&lying, json!({})).unwrap().samples == whole.samples, "{wrong}");
    }
    let page = folder.path().join("page.mp3");
    std::fs::write(&page, "<!DOCTYPE html>\n<html><body>Not found</body></html>").unwrap();
    let (class, message) = rejected(&page, json!({}));
    assert_eq!((class, message.as_str()), ("format", "this is an HTML page, not audio"));
}

#[test]
fn limits_are_kept() {
    if !ffmpeg_is_there("limits_are_kept") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Some((path, bytes, whole)) = file(folder.path(), "a.flac", FLAC) else { return };
    let (size, frames) = (bytes.len(), whole.frames());
    for (limits, message) in [
        (json!({"bytes": size - 1}), format!("{size} bytes so far, `limits.bytes` allows {}", size - 1)),
        (
            json!({"frames": frames - 1}),
            format!("{frames} frames so far, `limits.frames` allows {}", frames - 1),
        ),
    ] {
        assert_eq!(rejected(&path, json!({"limits": limits})), ("limit", message));
    }
    let allowed = json!({"limits": {"bytes": size, "frames": frames, "seconds": 600.0}});
    assert_eq!(decode(&path, allowed).unwrap().frames(), frames);
}
