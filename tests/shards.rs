//! From a folder to shards: what is in them, and that nothing but the data decides their bytes.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod common;

use std::fs::File;
use std::process::Command;

use arrow::array::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};

use common::{SHARDS, digests, etude, finished, music, some_music, stdout, write_tone, write_wav};

#[test]
fn threads_and_blocks_do_not_change_a_byte() {
    let folder = tempfile::tempdir().unwrap();
    let music = some_music(folder.path());
    std::fs::write(
        folder.path().join("p.yaml"),
        SHARDS.replace("{op: shards}", "{op: shards, megabytes: 2}"),
    )
    .unwrap();
    let mut stores = Vec::new();
    // The last one has no memory for two items at a time: rows go through files.
    let limits = [
        ["1", "16384", "1GiB"],
        ["2", "16384", "1GiB"],
        ["2", "1000", "1GiB"],
        ["3", "50000", "1GiB"],
        ["2", "16384", "16MiB"],
    ];
    for (index, [threads, block, memory]) in limits.into_iter().enumerate() {
        let store = format!("store{index}");
        let set = format!("music={}", music.display());
        let mut command = etude(folder.path());
        command.args(["run", "p.yaml", "--set", &set, "--store", &store]);
        command.args(["--threads", threads, "--block", block, "--memory", memory]);
        finished(&mut command);
        stores.push(digests(&folder.path().join(store).join("data")));
    }
    assert!(stores[0].len() > 1, "several buckets");
    assert!(stores.iter().all(|store| *store == stores[0]));
}

/// Whether a recording is filtered or rejected does not depend on where a block ends.
#[test]
fn damage_behind_what_is_filtered_is_never_seen() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.wav");
    write_tone(&whole, 440.0, 4);
    let bytes = std::fs::read(whole).unwrap();
    // Half a second is missing at the end.
    std::fs::create_dir(folder.path().join("music")).unwrap();
    std::fs::write(folder.path().join("music/cut.wav"), &bytes[..bytes.len() - 8000]).unwrap();
    let yaml = SHARDS.replace("  at16k:", "  short:  {op: filter, duration: {max: 3.2}}\n  at16k:");
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    for block in ["1000", "16384", "60000"] {
        let mut command = etude(folder.path());
        command.args(["run", "p.yaml", "--store", block, "--block", block, "--max-rejects", "100%"]);
        let stages = finished(&mut command);
        assert_eq!((&stages["short"]["filtered"], &stages["audio"]["rejected"]), (&1.into(), &0.into()));
    }
}

#[test]
fn a_folder_that_moved_is_the_same_data() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    std::fs::write(folder.path().join("p.yaml"), SHARDS).unwrap();
    finished(etude(folder.path()).args(["run", "p.yaml"]));
    std::fs::rename(folder.path().join("music"), folder.path().join("elsewhere")).unwrap();
    let again = finished(etude(folder.path()).args(["run", "p.yaml", "--set", "music=elsewhere"]));
    assert!(again.values().all(|stage| stage["status"] == "reused"));
}

#[test]
fn nothing_is_lost_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let music = some_music(folder.path());
    // One that is too short, one that is no audio, one that ends in the middle of its samples.
    write_tone(&music.join("short.wav"), 440.0, 2);
    std::fs::write(music.join("text.wav"), "not a recording at all\n".repeat(500)).unwrap();
    std::fs::write(music.join("empty.flac"), "").unwrap();
    std::fs::write(folder.path().join("p.yaml"), SHARDS).unwrap();
    let stages = finished(etude(folder.path()).args(["run", "p.yaml", "--max-rejects", "50%"]));
    for (name, stage) in &stages {
        let count = |key: &str| stage[key].as_u64().unwrap();
        assert_eq!(count("items_in"), count("items") + count("filtered") + count("rejected"), "{name}");
    }
    assert_eq!(stages["files"]["items"], 6);
    assert_eq!(stages["audio"]["rejected"], 2);
    assert_eq!(stages["clips"]["filtered"], 1);
    assert_eq!(stages["shards"]["items"], 3);
    let total = |key: &str| stages.values().map(|stage| stage[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!(6, stages["shards"]["items"].as_u64().unwrap() + total("filtered") + total("rejected"));
}

#[test]
fn saturated_samples_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    // A square wave at full scale overshoots when it is resampled.
    let square = (0..16_000).map(|i| if (i / 20) % 2 == 0 { i16::MAX } else { i16::MIN });
    write_wav(&folder.path().join("music/square.wav"), 8000, 1, square);
    let yaml = SHARDS.replace("seconds: 10", "seconds: 1");
    std::fs::write(folder.path().join("p.yaml"), &yaml).unwrap();
    let stages = finished(etude(folder.path()).args(["run", "p.yaml"]));
    assert!(stages["shards"]["counters"]["saturated_samples"].as_u64().unwrap() > 100);
    std::fs::write(folder.path().join("p.yaml"), yaml.replace("{op: shards}", "{op: shards, codec: f32}"))
        .unwrap();
    let stages = finished(etude(folder.path()).args(["run", "p.yaml"]));
    assert_eq!(stages["shards"]["counters"].as_object(), None);
}

#[test]
fn readers_that_others_wrote_read_shards_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    for codec in ["flac", "i16", "f32"] {
        let yaml = SHARDS.replace("{op: shards}", &format!("{{op: shards, codec: {codec}}}"));
        std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
        finished(etude(folder.path()).args(["run", "p.yaml"]));
        let paths = stdout(&etude(folder.path()).args(["path", "p.yaml", "shards"]).output().unwrap());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/read_shards.py");
        let output = Command::new("python3").arg(script).arg(codec).args(paths.lines()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The arithmetic of `docs/shards.md`.
#[test]
fn a_clip_is_a_range_of_bytes_of_its_shard() {
    let folder = tempfile::tempdir().unwrap();
    some_music(folder.path());
    std::fs::write(folder.path().join("p.yaml"), SHARDS.replace("seconds: 10", "seconds: 3")).unwrap();
    finished(etude(folder.path()).args(["run", "p.yaml"]));
    let paths = stdout(&etude(folder.path()).args(["path", "p.yaml", "shards"]).output().unwrap());
    for path in paths.lines() {
        let file = std::fs::read(path).unwrap();
        let metadata = ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Required)
            .parse_and_finish(&File::open(path).unwrap())
            .unwrap();
        let columns = metadata.file_metadata().schema_descr().columns().to_vec();
        let column = columns.iter().position(|column| column.path().string() == "audio.bytes").unwrap();
        let mut ranges = Vec::new();
        for group in metadata.offset_index().unwrap() {
            let index = &group[column];
            for (row, page) in index.page_locations().iter().enumerate() {
                assert_eq!(page.first_row_index, row as i64);
                let length = index.unencoded_byte_array_data_bytes().unwrap()[row];
                let offset = page.offset + i64::from(page.compressed_page_size) - length;
                ranges.push(offset as usize..(offset + length) as usize);
            }
        }
        let clips = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build();
        let mut row = 0;
        for batch in clips.unwrap() {
            let batch = batch.unwrap();
            for clip in batch["audio"].as_struct()["bytes"].as_binary::<i32>() {
                assert_eq!(file[ranges[row].clone()], *clip.unwrap());
                row += 1;
            }
        }
        assert!(row > 100 && row == ranges.len(), "{row} rows, {} ranges", ranges.len());
    }
}

#[test]
fn decoding_is_what_ffmpeg_gives() {
    // Where ffmpeg is installed; the comparison over all formats comes with them.
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        eprintln!("ffmpeg is not installed: nothing is compared");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let yaml = "stages:\n  files: {op: scan, path: m}\n  audio: {op: decode}\n  clips: {op: segment, seconds: 3600, tail: keep}\n  shards: {op: shards, codec: f32}\n";
    std::fs::write(folder.path().join("p.yaml"), yaml).unwrap();
    for name in [
        "asterisk/manolo_camp-morning_coffee.wav",
        "asc/machine_wars.mp3",
        "asc/frontiers.mp3",
        "fretsonfire/Feelings/guitar.ogg",
    ] {
        let path = music().join(name);
        let file = path.file_name().unwrap();
        let _ = std::fs::remove_dir_all(folder.path().join("m"));
        std::fs::create_dir(folder.path().join("m")).unwrap();
        std::fs::copy(&path, folder.path().join("m").join(file)).unwrap();
        finished(etude(folder.path()).args(["run", "p.yaml"]));
        let shard = stdout(&etude(folder.path()).args(["path", "p.yaml", "shards"]).output().unwrap());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/compare_ffmpeg.py");
        let output = Command::new("python3").arg(script).arg(shard.trim()).arg(&path).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
