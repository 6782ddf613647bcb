use std::io::{Cursor, Read, Write};

use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

use super::*;

fn scanner(path: &Path) -> Scan {
    let (include, archives) = (audio_files(), Archives::default());
    Scan { path: path.to_str().unwrap().into(), include, exclude: Vec::new(), archives }
}

fn keys(items: &[Item]) -> Vec<&str> {
    items.iter().map(|item| &*item.key).collect()
}

fn scan(path: &Path) -> Result<Vec<Item>, Invalid> {
    operator::Scan::scan(&scanner(path))
}

fn scan_with(root: &Path, include: &[&str], exclude: &[&str]) -> Result<Vec<String>, Invalid> {
    let own = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    let include = if include.is_empty() { audio_files() } else { own(include) };
    let items = operator::Scan::scan(&Scan { include, exclude: own(exclude), ..scanner(root) })?;
    Ok(items.iter().map(|item| item.key.to_string()).collect())
}

fn write(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    path
}

fn content(place: &Place) -> Vec<u8> {
    let mut bytes = Vec::new();
    place.open().unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn refusal(place: &Place) -> String {
    let error = place.open().err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    error.to_string()
}

/// What every archive of the tests holds, beside what is no recording.
const MEMBERS: [(&str, &[u8]); 3] =
    [("a.ogg", b"one"), ("sub/b.wav", b"two two two two two two"), ("sub/deep/c.flac", b"")];
const OTHERS: [(&str, &[u8]); 3] = [("sub/cover.jpg", b"x"), ("__MACOSX/._a.ogg", b"x"), ("readme", b"x")];

fn zipped(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options =
        SimpleFileOptions::default().compression_method(method).last_modified_time(DateTime::default());
    for (name, bytes) in members {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn tarred(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        // Names that the builder would refuse are written all the same.
        if builder.append_data(&mut header, name, *bytes).is_err() {
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, *bytes).unwrap();
        }
    }
    builder.into_inner().unwrap()
}

fn packed(ending: &str, tar: &[u8]) -> Vec<u8> {
    match ending {
        "tar" => tar.to_vec(),
        "tar.gz" | "tgz" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(tar).unwrap();
            encoder.finish().unwrap()
        }
        "tar.zst" => zstd::encode_all(tar, 1).unwrap(),
        "tar.bz2" => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(tar).unwrap();
            encoder.finish().unwrap()
        }
        "tar.xz" => {
            let mut encoder =
                lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
            encoder.write_all(tar).unwrap();
            encoder.finish().unwrap()
        }
        other => panic!("{other}"),
    }
}

#[test]
fn keys_are_sorted_paths_below_the_root() {
    let root = tempfile::tempdir().unwrap();
    for name in ["b/x.WAV", "a.mp3", "b/cover.jpg", "b/.hidden.wav", "c/d/e.flac", ".trash/z.wav"] {
        write(root.path(), name, b"x");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("nowhere", root.path().join("gone.wav")).unwrap();
        std::os::unix::fs::symlink(root.path(), root.path().join("c/loop")).unwrap();
    }
    assert_eq!(scan_with(root.path(), &[], &[]).unwrap(), ["a.mp3", "b/x.WAV", "c/d/e.flac"]);
    assert_eq!(scan_with(root.path(), &["b/*"], &["*/*.wav"]).unwrap(), ["b/cover.jpg"]);
    let error = scan_with(root.path(), &["*.opus"], &[]).unwrap_err();
    assert!(error.message.contains("holds no audio: none of its "), "{}", error.message);
    assert!(scan(&root.path().join("none")).unwrap_err().message.contains("does not exist"));
    assert!(scan_with(root.path(), &["a["], &[]).unwrap_err().parameter == "include.0");
    // A recording of its own, and a file that is none.
    assert_eq!(keys(&scan(&root.path().join("b/x.WAV")).unwrap()), ["x.WAV"]);
    assert!(scan(&root.path().join("b/cover.jpg")).unwrap_err().message.contains("neither a folder"));
    let url = format!("file://{}", root.path().display());
    assert_eq!(scan(Path::new(&url)).unwrap().len(), 3);
    assert!(scan(Path::new("ftp://host/x")).unwrap_err().message.contains("ftp:// is not known"));
}

#[test]
fn an_archive_is_like_a_folder() {
    let root = tempfile::tempdir().unwrap();
    let all = [MEMBERS, OTHERS].concat();
    let tar = tarred(&all);
    let mut archives = vec![
        ("stored.zip", zipped(&all, CompressionMethod::Stored)),
        ("deflated.ZIP", zipped(&all, CompressionMethod::Deflated)),
        ("game.pk3", zipped(&all, CompressionMethod::Deflated)),
        ("tar_in_truth.zip", tar.clone()),
        ("zip_in_truth.tar", zipped(&all, CompressionMethod::Deflated)),
    ];
    for ending in ["tar", "tar.gz", "tgz", "tar.zst", "tar.bz2", "tar.xz"] {
        archives.push((["a.", ending].concat().leak(), packed(ending, &tar)));
    }
    for (name, bytes) in &archives {
        let path = write(root.path(), &format!("in/{name}"), bytes);
        let items = scan(&path).unwrap();
        assert_eq!(keys(&items), MEMBERS.map(|(key, _)| key), "{name}");
        for (item, (_, bytes)) in items.iter().zip(MEMBERS) {
            assert_eq!(content(&item.place), bytes, "{name}");
        }
    }
    // Among other files their keys lead the members'.
    let items = scan(root.path()).unwrap();
    assert_eq!(items.len(), 3 * archives.len());
    assert!(items.iter().any(|item| &*item.key == "in/game.pk3/sub/b.wav"));
    assert_eq!(items, scan(root.path()).unwrap());
    let one = scan_with(root.path(), &["**/a.tgz/*.ogg"], &[]).unwrap();
    assert_eq!(one, ["in/a.tgz/a.ogg"]);
    let rest = scan_with(root.path(), &[], &["in/*.zip", "**/*.wav", "**/*.tar*", "**/*.t*/**"]).unwrap();
    assert_eq!(rest, ["in/game.pk3/a.ogg", "in/game.pk3/sub/deep/c.flac"]);
    // Closed, they are files.
    let archives = Archives { open: false, ..Archives::default() };
    let include = vec!["**/*.pk3".into()];
    let items = operator::Scan::scan(&Scan { include, archives, ..scanner(root.path()) }).unwrap();
    assert_eq!(items[0].place, Place::at(root.path().join("in/game.pk3")));
}

#[test]
fn names_of_members_stay_below_their_archive() {
    let root = tempfile::tempdir().unwrap();
    let long = format!("{}/long.ogg", "folder/".repeat(40).trim_end_matches('/'));
    let odd: [(&str, &[u8]); 6] = [
        ("../../up.ogg", b"up"),
        ("/etc/root.ogg", b"root"),
        ("./same.ogg", b"old"),
        ("same.ogg", b"new"),
        ("windows\\a.ogg", b"w"),
        (&long, b"long"),
    ];
    let tar = scan(&write(root.path(), "a.tar", &tarred(&odd))).unwrap();
    assert_eq!(keys(&tar), ["etc/root.ogg", &long, "same.ogg", "up.ogg", "windows\\a.ogg"]);
    assert_eq!(content(&tar[2].place), b"new");
    assert_eq!(content(&tar[1].place), b"long");
    let zip = scan(&write(root.path(), "a.zip", &zipped(&odd, CompressionMethod::Deflated))).unwrap();
    // Some programs write a ZIP with the separator of their system.
    assert_eq!(keys(&zip), ["etc/root.ogg", &long, "same.ogg", "up.ogg", "windows/a.ogg"]);
}

#[test]
fn links_in_a_tar_lead_to_members() {
    let root = tempfile::tempdir().unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    builder.append_data(&mut header, "a/b.ogg", b"one".as_slice()).unwrap();
    for (kind, name, to) in [
        (tar::EntryType::Link, "hard.ogg", "a/b.ogg"),
        (tar::EntryType::Symlink, "c/soft.ogg", "../a/b.ogg"),
        (tar::EntryType::Symlink, "gone.ogg", "nowhere.ogg"),
        (tar::EntryType::Fifo, "pipe.ogg", "x"),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        builder.append_link(&mut header, name, to).unwrap();
    }
    let items = scan(&write(root.path(), "a.tar", &builder.into_inner().unwrap())).unwrap();
    assert_eq!(keys(&items), ["a/b.ogg", "c/soft.ogg", "hard.ogg"]);
    assert!(items.iter().all(|item| content(&item.place) == b"one"));
}

/// Members, and what is said of them; of good ones nothing.
type Expected = &'static [(&'static str, &'static str)];

#[test]
fn what_cannot_be_read_is_an_item_that_says_why() {
    let root = tempfile::tempdir().unwrap();
    let members: [(&str, &[u8]); 2] = [("a.ogg", &[7; 3000]), ("b.ogg", &[9; 3000])];
    let tar = tarred(&members);
    let zip = zipped(&members, CompressionMethod::Stored);
    // Bit 0 of the flags says encrypted: 6 bytes into the local header, 8 into the central one.
    let mut encrypted = zip.clone();
    let central = encrypted.windows(4).position(|at| at == b"PK\x01\x02").unwrap();
    (encrypted[6], encrypted[central + 8]) = (1, 1);
    // The method, 10 bytes into the central header.
    let mut odd = zip.clone();
    (odd[8], odd[central + 10]) = (14, 14);
    let mut sum = tar.clone();
    sum[512 + 3072 + 20] ^= 1;
    let zst = packed("tar.zst", &tarred(&[("a.ogg", &noise(100_000)), ("b.ogg", &noise(400_000))]));
    let cases: [(&str, Vec<u8>, Expected); 9] = [
        ("encrypted.zip", encrypted, &[("a.ogg", "is encrypted"), ("b.ogg", "")]),
        ("method.zip", odd, &[("a.ogg", "stored and deflated"), ("b.ogg", "")]),
        ("cut.zip", zip[..zip.len() / 2].to_vec(), &[("", "the archive is damaged")]),
        ("empty.zip", Vec::new(), &[("", "the archive is damaged")]),
        ("text.tar", b"not an archive".repeat(100), &[("", "wrong checksum")]),
        ("text.tgz", b"not an archive".repeat(100), &[("", "holds neither ZIP nor TAR")]),
        ("sum.tar", sum, &[("", "at byte 3584 has a wrong checksum"), ("a.ogg", "")]),
        ("cut.tar", tar[..5000].to_vec(), &[("", "cut short after 5000"), ("a.ogg", ""), ("b.ogg", "cut")]),
        (
            "cut.tar.zst",
            zst[..zst.len() / 2].to_vec(),
            &[("", "the archive is damaged: "), ("a.ogg", ""), ("b.ogg", "cut short")],
        ),
    ];
    for (name, bytes, _) in &cases {
        write(root.path(), name, bytes);
    }
    // The second time, what was unpacked is there.
    for _ in 0..2 {
        let items = scan(root.path()).unwrap();
        assert_eq!(items.len(), cases.iter().map(|(.., members)| members.len()).sum::<usize>());
        for (archive, _, members) in &cases {
            for (member, why) in *members {
                let key = format!("{archive}/{member}");
                let item = items.iter().find(|item| *item.key == *key.trim_end_matches('/')).unwrap();
                if why.is_empty() {
                    content(&item.place);
                } else {
                    let said = refusal(&item.place);
                    assert!(said.contains(why), "{key}: {said}");
                }
            }
        }
    }
    let alone = scan(&root.path().join("cut.zip")).unwrap_err();
    assert!(alone.message.contains("cut.zip is damaged"), "{}", alone.message);
    assert_eq!(keys(&scan(&root.path().join("sum.tar")).unwrap()), ["a.ogg", "sum.tar"]);
}

/// Bytes that do not pack.
fn noise(length: u32) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn an_archive_unpacks_to_what_is_allowed() {
    let root = tempfile::tempdir().unwrap();
    let zeros = vec![0u8; 1 << 20];
    let members: [(&str, &[u8]); 2] = [("a.wav", &zeros), ("b.wav", &zeros)];
    let tar = tarred(&members);
    let limited = |path: &Path, max_bytes, max_ratio| {
        let archives = Archives { max_bytes, max_ratio, ..Archives::default() };
        operator::Scan::scan(&Scan { archives, ..scanner(path) }).map(|items| items.len())
    };
    for (name, bytes) in [
        ("bomb.zip", zipped(&members, CompressionMethod::Deflated)),
        ("bomb.tar.gz", packed("tar.gz", &tar)),
        ("bomb.tar.xz", packed("tar.xz", &tar)),
    ] {
        let path = write(root.path(), name, &bytes);
        let error = limited(&path, (2 << 20) - 1, 1).unwrap_err();
        assert_eq!(error.parameter, "archives.max_bytes");
        assert!(
            error.message.contains(name) && error.message.contains("2097151 are allowed"),
            "{}",
            error.message
        );
        // The ratio is 1, but so little is free.
        assert_eq!(limited(&path, 3 << 20, 1), Ok(2), "{name}");
        // What was unpacked before does not lift the limit.
        assert!(limited(&path, (2 << 20) - 1, 1).is_err());
    }
    // Members that are stored are read in place.
    let path = write(root.path(), "stored.zip", &zipped(&members, CompressionMethod::Stored));
    assert_eq!(limited(&path, 1, 1), Ok(2));

    // A ZIP says what it unpacks to: a whole GiB need not be packed to see it refused.
    let mut bytes = zipped(&members, CompressionMethod::Deflated);
    let central = bytes.windows(4).position(|at| at == b"PK\x01\x02").unwrap();
    bytes[central + 24..central + 28].copy_from_slice(&(1u32 << 30).to_le_bytes());
    let path = write(root.path(), "liar.zip", &bytes);
    let error = limited(&path, 64 << 30, 200).unwrap_err();
    assert_eq!(error.parameter, "archives.max_ratio");
    // Where the ratio is allowed, the member is found out when it is opened.
    let generous = Archives { max_ratio: 1 << 20, ..Archives::default() };
    let items = operator::Scan::scan(&Scan { archives: generous, ..scanner(&path) }).unwrap();
    assert!(refusal(&items[0].place).contains("1048576 of the 1073741824 bytes"));
    assert_eq!(content(&items[1].place), zeros);
}

#[test]
fn a_list_names_files_folders_and_archives() {
    let root = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    write(root.path(), "music/a.wav", b"a");
    write(root.path(), "music/deep/b.ogg", b"b");
    write(root.path(), "odd name.xyz", b"c");
    write(root.path(), "z.zip", &zipped(&MEMBERS, CompressionMethod::Deflated));
    let away = write(other.path(), "d.flac", b"d");
    let list = |text: &str| scan(&write(root.path(), "lists/all.txt", text.as_bytes()));
    let text = format!(
        "\u{feff}# a comment\r\n\r\n../music/a.wav\r\n  ../odd name.xyz\n{}\nfile://{}\n../z.zip\n../music/deep",
        away.display(),
        write(other.path(), "e e.flac", b"e").to_str().unwrap().replace(' ', "%20"),
    );
    let items = list(&text).unwrap();
    let below = other.path().to_str().unwrap().trim_start_matches('/');
    let mut expected: Vec<String> =
        ["music/a.wav", "music/deep/b.ogg", "odd name.xyz", "z.zip/a.ogg", "z.zip/sub/b.wav"]
            .map(str::to_owned)
            .into();
    expected.extend([format!("{below}/d.flac"), format!("{below}/e e.flac"), "z.zip/sub/deep/c.flac".into()]);
    expected.sort();
    assert_eq!(keys(&items), expected);

    let said = |text: &str| list(text).unwrap_err().message;
    let list_path = root.path().join("lists/all.txt");
    let missing = said("../music/a.wav\n../music/none.wav\n");
    assert!(missing.starts_with(&format!("{}:2: ", list_path.display())), "{missing}");
    assert!(missing.ends_with("does not exist"), "{missing}");
    assert!(
        said("../music/a.wav\n./../music/a.wav").contains(":2: its key is music/a.wav, as that of line 1")
    );
    assert!(said("ftp://a/b").contains(":1: ftp://a/b: the scheme ftp:// is not known"));
    assert!(said(&"x".repeat(20_000)).contains(":1: the line is too long"));
    assert!(said("s3://bucket/a.tar").contains("archives are opened on local disks alone"));
    let twice = said("../music\n../music/a.wav");
    assert!(twice.contains("two recordings have the key music/a.wav"), "{twice}");
    assert!(said("# nothing\n").contains("it is empty"));
    // What a list names is taken whatever it is called, unless it is left out.
    write(root.path(), "lists/all.txt", b"../odd name.xyz\n../music/a.wav");
    assert_eq!(scan_with(&list_path, &[], &["music/**"]).unwrap(), ["odd name.xyz"]);
}

#[test]
fn many_small_files_are_quick() {
    let root = tempfile::tempdir().unwrap();
    for index in 0..5000 {
        write(root.path(), &format!("{}/{index}.ogg", index % 50), b"");
    }
    let begin = std::time::Instant::now();
    assert_eq!(scan(root.path()).unwrap().len(), 5000);
    // A file is not opened, and not even looked at: 100,000 take well under a second on an idle machine.
    assert!(begin.elapsed().as_secs() < 10, "{:?}", begin.elapsed());
}
