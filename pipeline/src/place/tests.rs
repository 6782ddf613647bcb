use std::io::Write;

use super::*;

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// A file with the packed bytes behind 7 others, and their place.
fn member(folder: &Path, bytes: &[u8], length: u64, crc: u32) -> Place {
    let packed = deflated(bytes);
    let path = folder.join("a.zip");
    std::fs::write(&path, [b"before ".as_slice(), &packed, b" behind"].concat()).unwrap();
    Place::Deflated { path: path.into(), offset: 7, packed: packed.len() as u64, length, crc }
}

#[test]
fn a_slice_is_like_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar");
    std::fs::write(&path, b"..0123456789..").unwrap();
    let place = Place::Slice { path: path.as_path().into(), offset: 2, length: 10 };
    let mut source = place.open().unwrap();
    let mut text = String::new();
    source.read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), source.length()), ("0123456789", 10));
    for (to, at, rest) in [
        (SeekFrom::Start(3), 3, "3456789"),
        (SeekFrom::End(-2), 8, "89"),
        (SeekFrom::Current(-5), 5, "56789"),
        (SeekFrom::End(4), 14, ""),
    ] {
        assert_eq!(source.seek(to).unwrap(), at);
        let mut text = String::new();
        source.read_to_string(&mut text).unwrap();
        assert_eq!(text, rest);
    }
    assert!(source.seek(SeekFrom::End(-11)).is_err());
    // What has been there and is not any more is not the content's fault.
    std::fs::write(&path, b"..01").unwrap();
    let error = place.open().unwrap().read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceBusy);
    assert_eq!(place.stamp().unwrap().unwrap().size, 4);
}

#[test]
fn a_deflated_member_can_be_sought() {
    let folder = tempfile::tempdir().unwrap();
    // In memory, and in a file.
    for length in [0usize, 10_000, 3 << 19] {
        let bytes: Vec<u8> = (0..length).map(|index| (index / 7 % 251) as u8).collect();
        let place = member(folder.path(), &bytes, length as u64, crc(&bytes));
        let mut source = place.open().unwrap();
        assert_eq!(source.length(), length as u64);
        let mut all = Vec::new();
        source.read_to_end(&mut all).unwrap();
        assert!(all == bytes);
        source.seek(SeekFrom::Start(length as u64 / 2)).unwrap();
        let mut half = Vec::new();
        source.read_to_end(&mut half).unwrap();
        assert!(half == bytes[length / 2..]);
        let mut streamed = Vec::new();
        place.stream().unwrap().read_to_end(&mut streamed).unwrap();
        assert!(streamed == bytes);
    }
}

#[test]
fn a_member_is_what_it_announces_or_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = vec![b'a'; 1 << 20];
    let sum = crc(&bytes);
    let length = bytes.len() as u64;
    let refused = |place: Place| {
        let error = place.open().err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        error.to_string()
    };
    assert!(refused(member(folder.path(), &bytes, 1000, sum)).contains("more than the 1000 bytes"));
    assert!(refused(member(folder.path(), &bytes, length + 1, sum)).contains("to 1048576 of the 1048577"));
    assert!(refused(member(folder.path(), &bytes, length, sum ^ 1)).contains("checksum"));
    let Place::Deflated { path, offset, packed, .. } = member(folder.path(), &bytes, length, sum) else {
        panic!()
    };
    let cut = Place::Deflated { path: path.clone(), offset, packed: packed / 2, length, crc: sum };
    refused(cut.clone());
    // Its bytes as they lie there can be read all the same.
    assert_eq!(std::io::copy(&mut cut.raw().unwrap(), &mut std::io::sink()).unwrap(), packed / 2);
    let message = String::from("is encrypted");
    assert_eq!(refused(Place::Refused { path, offset, length: 1, message: message.into() }), "is encrypted");
}

#[test]
fn a_place_can_be_sent() {
    let place = Place::Slice { path: Path::new("a/b.tar").into(), offset: 512, length: 9 };
    let text = serde_json::to_string(&place).unwrap();
    assert_eq!(text, r#"{"slice":{"path":"a/b.tar","offset":512,"length":9}}"#);
    assert_eq!(serde_json::from_str::<Place>(&text).unwrap(), place);
}
