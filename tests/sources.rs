//! Where recordings come from: folders, archives, lists, and a store that speaks S3.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use common::s3::Server;
use common::{SHARDS, etude, finished, statuses, stderr, stdout, write_tone};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// The program, with a cache of its own.
fn program(folder: &Path) -> Command {
    let mut command = etude(folder);
    command.env("ETUDE_CACHE", folder.join("cache"));
    command
}

fn run(folder: &Path, music: &str, store: &str) -> Command {
    let mut command = program(folder);
    command.args(["run", "p.yaml", "--set", &format!("music={music}"), "--store", store]);
    command
}

/// Item, start and sound of all clips of a source.
fn clips(
    folder: &Path,
    music: &str,
    store: &str,
    mut with: impl FnMut(&mut Command),
) -> Vec<(String, i64, Vec<u8>)> {
    let mut command = program(folder);
    command.args(["path", "p.yaml", "shards", "--set", &format!("music={music}"), "--store", store]);
    with(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let mut clips = Vec::new();
    for path in stdout(&output).lines() {
        let file = std::fs::File::open(folder.join(path)).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let items = batch.column_by_name("item").unwrap().as_string::<i32>();
            let starts = batch.column_by_name("start").unwrap().as_primitive::<Int64Type>();
            let audio = batch.column_by_name("audio").unwrap().as_struct().column(0).as_binary::<i32>();
            for row in 0..batch.num_rows() {
                clips.push((items.value(row).to_owned(), starts.value(row), audio.value(row).to_owned()));
            }
        }
    }
    clips.sort();
    clips
}

fn none(_: &mut Command) {}

/// Tones in a folder and its subfolders, and something that is no recording.
fn tones(folder: &Path) {
    for (index, name) in
        ["a", "b", "sub/c", "sub/deep/d", "sub/deep/e", "f", "g", "h"].into_iter().enumerate()
    {
        write_tone(&folder.join(format!("{name}.wav")), 200.37 + 30.11 * index as f64, 25);
    }
    std::fs::write(folder.join("cover.jpg"), "no sound").unwrap();
}

/// Archives that Python has written: `zip`, `tar`, `gztar`, `bztar` or `xztar`.
fn archive(base: &Path, format: &str, folder: &Path) -> PathBuf {
    let script = "import shutil, sys; print(shutil.make_archive(*sys.argv[1:]))";
    let arguments = [base.as_os_str(), format.as_ref(), folder.as_os_str()];
    let output = Command::new("python3").args(["-c", script]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output).trim().into()
}

#[test]
fn an_archive_is_the_same_data_as_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tones(&folder.join("music"));
    std::fs::write(folder.join("p.yaml"), SHARDS).unwrap();
    finished(&mut run(folder, "music", "store"));
    let expected = clips(folder, "music", "store", none);
    assert_eq!(expected.len(), 16);
    for format in ["zip", "tar", "gztar", "bztar", "xztar"] {
        let path = archive(&folder.join(format!("made/{format}")), format, &folder.join("music"));
        let path = path.to_str().unwrap();
        // The same keys and contents: there is nothing to compute.
        let stages = finished(&mut run(folder, path, "store"));
        assert!(
            stages.values().all(|stage| stage["status"] == "reused"),
            "{format}: {:?}",
            statuses(&stages)
        );
        // And computed anew they give the same.
        finished(&mut run(folder, path, format));
        assert!(clips(folder, path, format, none) == expected, "{format}");
    }

    // Archives among other files lead their members' keys.
    std::fs::rename(folder.join("music"), folder.join("made/music")).unwrap();
    finished(&mut run(folder, "made", "all"));
    let all = clips(folder, "made", "all", none);
    assert_eq!(all.len(), 6 * 16);
    for source in ["music", "zip.zip", "tar.tar", "gztar.tar.gz", "bztar.tar.bz2", "xztar.tar.xz"] {
        let part: Vec<_> = all
            .iter()
            .filter_map(|(key, start, sound)| {
                Some((key.strip_prefix(&format!("{source}/"))?.to_owned(), *start, sound.clone()))
            })
            .collect();
        assert!(part == expected, "{source}");
    }

    // An archive that moved is the same data, and so is one that was written again.
    std::fs::rename(folder.join("made/gztar.tar.gz"), folder.join("moved.tgz")).unwrap();
    std::fs::copy(folder.join("made/zip.zip"), folder.join("copied.pk3")).unwrap();
    for (path, store) in [("moved.tgz", "gztar"), ("copied.pk3", "zip")] {
        let stages = finished(&mut run(folder, path, store));
        assert!(stages.values().all(|stage| stage["status"] == "reused"), "{path}: {:?}", statuses(&stages));
    }
}

#[test]
fn an_archive_that_is_damaged_is_rejected_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tones(&folder.join("music"));
    let whole = archive(&folder.join("whole"), "zip", &folder.join("music"));
    let bytes = std::fs::read(&whole).unwrap();
    std::fs::write(folder.join("music/cut.zip"), &bytes[..bytes.len() / 2]).unwrap();
    // A member's packed bytes: the header stays as it is.
    let mut flipped = bytes.clone();
    for byte in &mut flipped[2000..2200] {
        *byte ^= 0x55;
    }
    std::fs::write(folder.join("music/flipped.zip"), flipped).unwrap();
    std::fs::write(folder.join("p.yaml"), SHARDS).unwrap();
    let output = run(folder, "music", "store").args(["--max-rejects", "50%"]).output().unwrap();
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("cut.zip") && said.contains("the archive is damaged"), "{said}");
    let stages = finished(run(folder, "music", "again").args(["--max-rejects", "50%"]));
    assert_eq!(stages["files"]["items"], 8 + 1 + 8);
    assert_eq!(stages["audio"]["rejected"], 2, "{said}");
    assert_eq!(stages["shards"]["items"], 8 + 7);
}

#[test]
fn an_archive_that_unpacks_to_too_much_ends_the_scan() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tones(&folder.join("music"));
    archive(&folder.join("big"), "gztar", &folder.join("music"));
    let limited = SHARDS.replace("path: \"${music}\"", "path: \"${music}\", archives: {max_bytes: 1000000}");
    std::fs::write(folder.join("p.yaml"), limited).unwrap();
    let output = run(folder, "big.tar.gz", "store").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(
        said.contains("big.tar.gz") && said.contains("1000000 are allowed by `archives.max_bytes`"),
        "{said}"
    );
    assert!(said.contains("p.yaml:"), "{said}");
    let left = |folder: &Path| folder.read_dir().map_or(0, Iterator::count);
    assert_eq!(left(&folder.join("cache/spool")), 0, "nothing of it stays");
}

#[test]
fn a_list_names_what_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    tones(&folder.join("music"));
    let list = "# some of them\n\nmusic/a.wav\n  music/sub/c.wav  \n./music/sub/deep\n";
    std::fs::write(folder.join("some.txt"), list).unwrap();
    std::fs::write(folder.join("p.yaml"), SHARDS).unwrap();
    finished(&mut run(folder, ".", "all"));
    let expected: Vec<_> = clips(folder, ".", "all", none)
        .into_iter()
        .filter(|(key, ..)| {
            ["music/a.wav", "music/sub/c.wav", "music/sub/deep/d.wav", "music/sub/deep/e.wav"]
                .contains(&&**key)
        })
        .collect();
    finished(&mut run(folder, "some.txt", "some"));
    let found = clips(folder, "some.txt", "some", none);
    assert_eq!(found.len(), 8);
    assert!(found == expected);

    std::fs::write(folder.join("some.txt"), format!("{list}music/gone.wav\n")).unwrap();
    let output = run(folder, "some.txt", "some").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("some.txt:6: music/gone.wav does not exist"), "{}", stderr(&output));
}

#[test]
fn objects_are_read_like_files() {
    let Some(mut server) = Server::start("music") else {
        println!("skipped objects_are_read_like_files: python3 has no moto (tests/python/requirements.txt)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let music = folder.join("music");
    tones(&music);
    // One that takes several requests.
    write_tone(&music.join("long.wav"), 500.0, 300);
    let keys = ["a", "b", "sub/c", "sub/deep/d", "sub/deep/e", "f", "g", "h", "long"]
        .map(|key| format!("{key}.wav"));
    for key in &keys {
        server.put(&format!("a set/{key}"), &music.join(key));
    }
    server.put("a set/cover.jpg", &music.join("cover.jpg"));
    server.put("a set and more/x.wav", &music.join("a.wav"));
    std::fs::write(folder.join("p.yaml"), SHARDS.replace("{op: shards}", "{op: shards, megabytes: 1}"))
        .unwrap();
    let with = server.environment();
    let keep = |music: &str, store: &str| {
        let mut command = run(folder, music, store);
        with(&mut command);
        command
    };
    let remote = |music: &str| keep(music, "remote");
    finished(&mut run(folder, "music", "local"));
    let before = server.delete("nothing");
    let stages = finished(&mut remote("s3://music/a set"));
    assert_eq!(stages["files"]["items"], 9);
    assert!(stages.values().all(|stage| stage["status"] == "computed"), "{:?}", statuses(&stages));
    let all = server.delete("nothing") - before;
    assert!(all >= 9 + 3, "ranges are asked for: {all}");
    let expected = clips(folder, "music", "local", none);
    assert!(clips(folder, "s3://music/a set", "remote", &with) == expected);

    let before = server.delete("nothing");
    let stages = finished(&mut keep("gs://music/a set", "google"));
    assert!(stages.values().all(|stage| stage["status"] == "computed"), "{:?}", statuses(&stages));
    assert!(server.delete("nothing") - before >= 9 + 3);
    assert!(clips(folder, "gs://music/a set", "google", &with) == expected);

    // Nothing changed: nothing is fetched.
    finished(&mut remote("s3://music/a set"));
    let before = server.delete("nothing");
    let stages = finished(&mut remote("s3://music/a set/"));
    assert!(stages.values().all(|stage| stage["status"] == "reused"), "{:?}", statuses(&stages));
    assert_eq!(server.delete("nothing"), before);

    // One object changed: its bucket alone is computed again.
    write_tone(&music.join("a.wav"), 777.0, 25);
    server.put("a set/a.wav", &music.join("a.wav"));
    let before = server.delete("nothing");
    let stages = finished(&mut remote("s3://music/a set"));
    assert_eq!(stages["shards"]["status"], "partial", "{:?}", statuses(&stages));
    let again = server.delete("nothing") - before;
    assert!(again > 0 && again < all, "{again} of {all}");
    finished(&mut run(folder, "music", "local"));
    let changed = clips(folder, "music", "local", none);
    assert!(changed != expected && clips(folder, "s3://music/a set", "remote", &with) == changed);

    // A single object, and a list of them.
    for key in ["sub/c.wav", "b.wav"] {
        let url = &format!("s3://music/a set/{key}");
        let stages = finished(&mut remote(url));
        assert_eq!(stages["files"]["items"], 1, "{url}");
        let sound = clips(folder, url, "remote", &with);
        assert!(
            sound
                .iter()
                .map(|clip| &clip.2)
                .eq(expected.iter().filter(|clip| clip.0 == key).map(|clip| &clip.2))
        );
    }
    std::fs::write(folder.join("l.txt"), "s3://music/a set/b.wav\nmusic/g.wav\ns3://music/a set/sub/\n")
        .unwrap();
    let stages = finished(&mut remote("l.txt"));
    assert_eq!(stages["files"]["items"], 5);
    let found = clips(folder, "l.txt", "remote", &with);
    let keys: std::collections::BTreeSet<&str> = found.iter().map(|(key, ..)| key.as_str()).collect();
    let below =
        ["b.wav", "sub/c.wav", "sub/deep/d.wav", "sub/deep/e.wav"].map(|key| format!("music/a set/{key}"));
    assert!(keys.into_iter().eq(below.iter().map(String::as_str).chain(["music/g.wav"])), "{below:?}");
    let sound = |clips: &[(String, i64, Vec<u8>)], key: &str| {
        clips.iter().filter(|(name, ..)| name == key).map(|clip| clip.2.clone()).collect::<Vec<_>>()
    };
    assert!(sound(&found, "music/a set/b.wav") == sound(&expected, "b.wav"));
    assert!(!sound(&found, "music/a set/b.wav").is_empty());

    std::fs::write(folder.join("l.txt"), "music/a.wav\ns3://music/gone.wav\n").unwrap();
    let output = remote("l.txt").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("l.txt:2: s3://music/gone.wav: "), "{}", stderr(&output));
}

/// A web server that has one recording, under any path; it may stop answering requests for ranges.
fn web(content: Vec<u8>, broken: Arc<AtomicBool>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> =
                lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let range = head.iter().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                let (from, to) = value.strip_prefix("bytes=")?.split_once('-')?;
                let to = to.parse().map_or(content.len(), |to: usize| content.len().min(to + 1));
                name.eq_ignore_ascii_case("range").then(|| (from.parse::<usize>().unwrap(), to))
            });
            let (from, to) = range.unwrap_or((0, content.len()));
            let status = match range {
                Some(_) if broken.load(Ordering::Relaxed) => "403 Forbidden".to_owned(),
                Some(_) => {
                    format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{}", to - 1, content.len())
                }
                None => "200 OK".to_owned(),
            };
            let body = if status.starts_with("403") { &[][..] } else { &content[from..to] };
            write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nETag: \"one\"\r\nAccept-Ranges: bytes\r\nConnection: close\r\n\r\n",
                body.len()
            )
            .unwrap();
            if !head.first().is_some_and(|line| line.starts_with("HEAD")) {
                let _ = stream.write_all(body);
            }
        }
    });
    format!("http://{address}")
}

#[test]
fn a_recording_on_the_web_is_read_by_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_tone(&folder.join("music/a b.wav"), 440.0, 40);
    std::fs::write(folder.join("p.yaml"), SHARDS).unwrap();
    finished(&mut run(folder, "music", "local"));
    let expected = clips(folder, "music", "local", none);
    let broken = Arc::new(AtomicBool::new(true));
    let url = web(std::fs::read(folder.join("music/a b.wav")).unwrap(), broken.clone()) + "/songs/a%20b.wav";
    // What cannot be read now is no reject: nothing is stored, and the next run tries again.
    let output = run(folder, &url, "remote").env("NO_PROXY", "127.0.0.1").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    broken.store(false, Ordering::Relaxed);
    let direct = |command: &mut Command| {
        command.env("NO_PROXY", "127.0.0.1");
    };
    let mut again = run(folder, &url, "remote");
    direct(&mut again);
    let stages = finished(&mut again);
    assert_eq!((&stages["files"]["items"], &stages["audio"]["rejected"]), (&1.into(), &0.into()));
    assert!(clips(folder, &url, "remote", &direct) == expected);
    assert_eq!(expected[0].0, "a b.wav");
}
