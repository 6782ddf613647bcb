//! A track: which codec it has, by its name.

use super::descriptors::{Descriptors, descriptors};
use super::window::Window;
use super::{Atom, content, times};
use crate::decode::codec::aac;
use crate::decode::container::{be16, be32, be64, bytes_at};
use crate::decode::failure::{Failure, not_here};

/// An audio track.
#[derive(Debug, Default, Clone)]
pub(super) struct Audio {
    pub(super) id: u32,
    pub(super) scale: u64,
    pub(super) duration: u64,
    pub(super) sound: bool,
    /// Edits: their length on the movie's scale, and where they begin on the track's.
    pub(super) edits: Vec<(u64, i64)>,
    pub(super) entry: [u8; 4],
    /// The entry that an encrypted one stands for.
    pub(super) original: Option<[u8; 4]>,
    pub(super) descriptors: Descriptors,
    pub(super) entries: u32,
    /// The description of ALAC in a file of QuickTime, which has it one box deeper.
    pub(super) alac: Option<Box<[u8]>>,
    pub(super) raw: Raw,
    /// Where the tables of chunks are: samples a chunk, and places of four or of eight bytes.
    pub(super) chunks: Option<Atom>,
    pub(super) places: Option<(Atom, usize)>,
    /// Number of samples.
    pub(super) samples: u64,
}

/// What a description says of samples that are stored as they are.
#[derive(Debug, Default, Clone)]
pub(super) struct Raw {
    pub(super) version: u16,
    pub(super) channels: u32,
    pub(super) bits: u32,
    pub(super) rate: f64,
    /// Of version 2: 1 float, 2 the most significant byte first, 4 signed.
    pub(super) flags: u32,
    /// Said to have the least significant byte first.
    pub(super) little: bool,
}

impl Audio {
    pub(super) fn look(&mut self, window: &mut Window<'_>, atom: Atom, name: [u8; 4]) -> Result<(), Failure> {
        match &name {
            b"tkhd" => {
                let head = content(window, atom)?;
                let at = if head.first() == Some(&1) { 20 } else { 12 };
                self.id = be32(&head, at).unwrap_or(0);
            }
            b"mdhd" => (self.scale, self.duration) = times(&content(window, atom)?, 12, 20),
            b"hdlr" => self.sound |= content(window, atom)?.get(8..12) == Some(b"soun"),
            b"elst" => self.edits = edits(&content(window, atom)?),
            b"stsd" => self.describe(&content(window, atom)?),
            b"stsz" => self.samples = be32(&content(window, atom)?, 8).map_or(0, u64::from),
            b"stsc" => self.chunks = Some(atom),
            b"stco" => self.places = Some((atom, 4)),
            b"co64" => self.places = Some((atom, 8)),
            _ => {}
        }
        Ok(())
    }

    /// Reads the description of the samples.
    fn describe(&mut self, content: &[u8]) {
        self.entries = be32(content, 4).unwrap_or(0);
        let Some(entry) = content.get(8..) else { return };
        let length = be32(entry, 0).map_or(0, |length| length as usize).min(entry.len());
        self.entry = bytes_at(entry, 4).unwrap_or_default();
        self.raw = Raw {
            version: be16(entry, 16).unwrap_or(0),
            channels: be16(entry, 24).map_or(0, u32::from),
            bits: be16(entry, 26).map_or(0, u32::from),
            rate: be32(entry, 32).map_or(0.0, |rate| f64::from(rate) / 65_536.0),
            ..Raw::default()
        };
        let head = match self.raw.version {
            1 => 52,
            2 => {
                self.raw.rate = bytes_at(entry, 40).map_or(0.0, f64::from_be_bytes);
                self.raw.channels = be32(entry, 48).unwrap_or(0);
                self.raw.bits = be32(entry, 56).unwrap_or(0);
                self.raw.flags = be32(entry, 60).unwrap_or(0);
                72
            }
            _ => 36,
        };
        if let Some(inner) = entry.get(head..length) {
            self.inside(inner, 0);
        }
    }

    /// Reads the boxes inside of a description.
    fn inside(&mut self, mut rest: &[u8], depth: usize) {
        while let (Some(length), Some(name)) = (be32(rest, 0), bytes_at::<4>(rest, 4)) {
            let length = length as usize;
            let Some(content) = rest.get(8..length) else { break };
            match &name {
                b"esds" => self.descriptors = descriptors(content.get(4..).unwrap_or_default()),
                b"enda" => self.raw.little = content.get(1) == Some(&1),
                b"pcmC" => {
                    self.raw.little = content.get(4).is_some_and(|flags| flags & 1 == 1);
                    self.raw.bits = content.get(5).map_or(0, |bits| u32::from(*bits));
                }
                b"alac" if depth > 0 => self.alac = content.get(4..).map(Box::from),
                b"frma" => self.original = bytes_at(content, 0),
                b"wave" | b"sinf" if depth < 2 => self.inside(content, depth + 1),
                _ => {}
            }
            rest = &rest[length..];
        }
    }

    /// Whether the track can be decoded.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.entries > 1 {
            return Err(not_here("an MP4 track with several descriptions"));
        }
        match &self.entry {
            b"mp4a" => self.check_mpeg(),
            b"alac" | b"fLaC" | b"Opus" | b".mp3" | b"ms\0\x55" => Ok(()),
            _ if self.is_raw() => Ok(()),
            other => Err(not_here(&name(other, self.original))),
        }
    }

    /// `mp4a` stands for many codecs.
    fn check_mpeg(&self) -> Result<(), Failure> {
        match self.descriptors.object {
            None | Some(0x40 | 0x66..=0x68) => self.descriptors.config.as_deref().map_or(Ok(()), aac::check),
            Some(0x69 | 0x6b) => Ok(()),
            Some(0xa5) => Err(not_here("AC-3")),
            Some(0xa6) => Err(not_here("E-AC-3")),
            Some(0xa9..=0xac) => Err(not_here("DTS")),
            Some(0xdd) => Err(not_here("Vorbis in MP4")),
            Some(0xe1) => Err(not_here("QCELP")),
            Some(0xa3) => Err(not_here("SMV")),
            Some(other) => Err(not_here(&format!("the MPEG-4 object type {other:#04x}"))),
        }
    }
}

/// The name of a sample entry that is not decoded.
fn name(entry: &[u8; 4], original: Option<[u8; 4]>) -> String {
    match entry {
        b"drms" => "DRM-protected AAC (FairPlay)",
        b"enca" => {
            let inner = original.map(|name| String::from_utf8_lossy(&name).trim().to_owned());
            return format!("encrypted audio ({})", inner.unwrap_or_else(|| "Common Encryption".into()));
        }
        b"ac-3" => "AC-3",
        b"ec-3" => "E-AC-3",
        b"ac-4" => "AC-4",
        b"dtsc" | b"dtse" | b"dtsh" | b"dtsl" | b"dtsx" => "DTS",
        b"samr" => "AMR",
        b"sawb" | b"sawp" => "AMR-WB",
        b"mlpa" => "TrueHD",
        b"mha1" | b"mha2" | b"mhm1" | b"mhm2" => "MPEG-H audio",
        b"ima4" | b"ms\0\x11" | b"ms\0\x02" | b"dvi " => "ADPCM in MP4",
        b"MAC3" | b"MAC6" => "MACE",
        b"QDM2" | b"QDMC" => "QDesign",
        b"Qclp" | b"sqcp" => "QCELP",
        b"sevc" => "EVRC",
        b"agsm" => "GSM 6.10",
        b"wma " => "WMA",
        b"spex" => "Speex",
        b"iamf" => "IAMF",
        b"vdva" | b"dvca" => "DV audio",
        other => {
            let name: String = other.iter().map(|byte| char::from(*byte)).collect();
            return format!("the codec `{}` of MP4", name.escape_default());
        }
    }
    .to_owned()
}

fn edits(content: &[u8]) -> Vec<(u64, i64)> {
    let count = be32(content, 4).unwrap_or(0) as usize;
    let long = content.first() == Some(&1);
    let size = if long { 20 } else { 12 };
    let entries = content.get(8..).unwrap_or_default().chunks_exact(size).take(count);
    let entry = |entry: &[u8]| {
        if long {
            Some((be64(entry, 0)?, be64(entry, 8)? as i64))
        } else {
            Some((u64::from(be32(entry, 0)?), i64::from(be32(entry, 4)? as i32)))
        }
    };
    entries.filter_map(entry).collect()
}
