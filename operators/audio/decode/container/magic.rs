//! What the first bytes of a file tell.

use super::riff::W64;

/// Bytes that are looked at.
pub(super) const LENGTH: usize = 1084 + 4;

/// What the first bytes of a file tell.
#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    Riff,
    Aiff,
    Au,
    Caf,
    Mp4,
    Mkv,
    Ogg,
    Flac,
    /// A codec that is known and not decoded.
    NotHere(&'static str),
    /// Something else, by its name.
    NotAudio(&'static str),
    Unknown,
}

/// Formats that are known by their first bytes and not decoded.
const NOT_HERE: &[(&[u8], &str)] = &[
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA (Windows Media)"),
    (b"\x0b\x77", "AC-3"),
    (b"\x77\x0b", "AC-3"),
    (b"\x7f\xfe\x80\x01", "DTS"),
    (b"\xfe\x7f\x01\x80", "DTS"),
    (b"\x1f\xff\xe8\x00", "DTS"),
    (b"\xff\x1f\x00\xe8", "DTS"),
    (b"DTSHDHDR", "DTS"),
    (b"#!AMR-WB", "AMR-WB"),
    (b"#!AMR", "AMR"),
    (b"#!SILK", "SILK"),
    (b"#!iLBC", "iLBC"),
    (b"MPCK", "Musepack"),
    (b"MP+", "Musepack"),
    (b"wvpk", "WavPack"),
    (b"MAC ", "Monkey's Audio (APE)"),
    (b"tBaK", "TAK"),
    (b"TTA1", "True Audio"),
    (b"TTA2", "True Audio"),
    (b"OFR ", "OptimFROG"),
    (b"ajkg", "Shorten"),
    (b"DSD ", "DSD"),
    (b"FRM8", "DSD"),
    (b"MThd", "MIDI"),
    (b".ra\xfd", "RealAudio"),
    (b".RMF", "RealAudio"),
    (b"ea3", "ATRAC"),
    (b"EA3", "ATRAC"),
    (b"ADIF", "AAC in ADIF"),
    (b"qoaf", "Quite OK Audio"),
    (b"TWIN", "TwinVQ"),
    (b"Creative Voice File", "Creative Voice"),
    (b"FLV\x01", "audio in Flash video"),
    (b"\x00\x00\x01\xba", "audio in an MPEG program stream"),
    (b"Extended Module: ", "tracker music"),
    (b"IMPM", "tracker music"),
    (b"PSID", "SID music"),
    (b"RSID", "SID music"),
    (b"NESM", "NES music"),
    (b"BM8F", "LA (Lossless Audio)"),
    (b"LA04", "LA (Lossless Audio)"),
];

/// What is often found under a wrong name.
const NOT_AUDIO: &[(&[u8], &str)] = &[
    (b"%PDF", "a PDF document"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b\x08", "gzip data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"#EXTM3U", "a playlist"),
    (b"[playlist]", "a playlist"),
    (b"{\"", "JSON"),
];

/// Where the audio begins in bytes that do not begin with it, if it is of a kind whose begin cannot be
/// taken for anything else. A frame of MPEG audio at the begin is one, not junk.
pub(super) fn behind_junk(bytes: &[u8]) -> Option<usize> {
    if let [0xff, second, ..] = bytes
        && second & 0xe0 == 0xe0
    {
        return None;
    }
    (1..bytes.len()).find(|at| {
        let rest = &bytes[*at..];
        let within = |from: usize, names: &[&[u8]]| {
            rest.get(from..).is_some_and(|rest| names.iter().any(|name| rest.starts_with(name)))
        };
        match rest {
            [b'O', b'g', b'g', b'S', 0, 2, ..] => true,
            [0x1a, 0x45, 0xdf, 0xa3, ..] => {
                let head = &rest[..rest.len().min(64)];
                head.windows(4).any(|four| four == b"webm" || four == b"matr")
            }
            [0, 0, 0, 8..=64, b'f', b't', b'y', b'p', ..] => true,
            [b'f', b'L', b'a', b'C', 0 | 0x80, 0, 0, 34, ..] => true,
            [b'R', b'I', b'F', b'F', ..] => within(8, &[b"WAVEfmt ", b"WAVEJUNK", b"WAVELIST", b"WAVEbext"]),
            [b'F', b'O', b'R', b'M', ..] => within(8, &[b"AIFF", b"AIFC"]),
            [b'c', b'a', b'f', b'f', 0, 1, ..] => true,
            _ => false,
        }
    })
}

/// What the first bytes of a file tell.
pub(super) fn kind(head: &[u8]) -> Kind {
    let at = |from: usize, bytes: &[u8]| head.get(from..).is_some_and(|rest| rest.starts_with(bytes));
    let begins = |bytes: &[u8]| head.starts_with(bytes);
    if begins(b"RIFF") || begins(b"RIFX") || begins(b"RF64") || begins(b"BW64") || begins(W64) {
        return Kind::Riff;
    }
    if begins(b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC")) {
        return Kind::Aiff;
    }
    if begins(b".snd") {
        return Kind::Au;
    }
    if begins(b"caff") {
        return Kind::Caf;
    }
    if [&b"ftyp"[..], b"moov", b"styp"].iter().any(|name| at(4, name)) {
        return Kind::Mp4;
    }
    if begins(b"\x1a\x45\xdf\xa3") {
        return Kind::Mkv;
    }
    if begins(b"OggS") {
        return Kind::Ogg;
    }
    if begins(b"fLaC") {
        return Kind::Flac;
    }
    if let Some((_, name)) = NOT_HERE.iter().find(|(bytes, _)| begins(bytes)) {
        // The sync word of AC-3 is short; the number of the bit stream is not arbitrary.
        if begins(b"\x0b\x77") && head.get(5).is_some_and(|byte| byte >> 3 > 10) {
            return if head[5] >> 3 <= 16 { Kind::NotHere("E-AC-3") } else { Kind::Unknown };
        }
        return Kind::NotHere(name);
    }
    // AAC in LATM: a sync word of eleven bits, and again behind the length that follows.
    if let [0x56, high, low, ..] = head
        && high & 0xe0 == 0xe0
    {
        let length = usize::from(high & 0x1f) << 8 | usize::from(*low);
        if head.get(3 + length) == Some(&0x56) && head.get(4 + length).is_some_and(|byte| byte & 0xe0 == 0xe0)
        {
            return Kind::NotHere("AAC in LATM");
        }
    }
    if begins(b"\x47") && at(188, b"\x47") && at(376, b"\x47") {
        return Kind::NotHere("audio in an MPEG transport stream");
    }
    if at(1080, b"M.K.") || at(44, b"SCRM") {
        return Kind::NotHere("tracker music");
    }
    if let Some((_, name)) = NOT_AUDIO.iter().find(|(bytes, _)| begins(bytes)) {
        return Kind::NotAudio(name);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let tag = text.get(..text.len().min(14)).unwrap_or_default().to_ascii_lowercase();
    if tag.starts_with(b"<!doctype html") || tag.starts_with(b"<html") || tag.starts_with(b"<head") {
        return Kind::NotAudio("an HTML page");
    }
    if tag.starts_with(b"<?xml") {
        return Kind::NotAudio("an XML document");
    }
    Kind::Unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_their_first_bytes() {
        assert_eq!(kind(b"RIFF\0\0\0\0WAVE"), Kind::Riff);
        assert_eq!(kind(b"FORM\0\0\0\0AIFCxxxx"), Kind::Aiff);
        assert_eq!(kind(b"\0\0\0\x20ftypM4A "), Kind::Mp4);
        assert_eq!(kind(b"wvpk...."), Kind::NotHere("WavPack"));
        assert_eq!(kind(b"#!AMR-WB\n"), Kind::NotHere("AMR-WB"));
        assert_eq!(kind(b"\x0b\x77\0\0\0\x40"), Kind::NotHere("AC-3"));
        assert_eq!(kind(b"\x0b\x77\0\0\0\x80"), Kind::NotHere("E-AC-3"));
        assert_eq!(kind(b"\n <!DOCTYPE HTML>"), Kind::NotAudio("an HTML page"));
        assert_eq!(kind(b"\xff\xfb\x90\x64"), Kind::Unknown);
        assert_eq!(kind(b""), Kind::Unknown);
    }
}
