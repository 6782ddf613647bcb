//! A track: which codec it has, by its name.

use crate::decode::codec::aac;
use crate::decode::container::{bytes_at, riff};
use crate::decode::failure::{Failure, not_here};

/// A track.
#[derive(Debug, Default, Clone)]
pub(super) struct Audio {
    pub(super) number: u64,
    pub(super) kind: u64,
    pub(super) codec: String,
    pub(super) private: Vec<u8>,
    pub(super) delay: u64,
    pub(super) bits: u64,
    pub(super) encoded: bool,
}

impl Audio {
    /// Whether the track can be decoded.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.encoded {
            return Err(not_here("a compressed or encrypted Matroska track"));
        }
        let codec = self.codec.as_str();
        match codec {
            "A_MPEG/L1" | "A_MPEG/L2" | "A_MPEG/L3" | "A_FLAC" | "A_VORBIS" | "A_ALAC" => Ok(()),
            "A_OPUS" => match self.private.get(18) {
                Some(family @ 2..) => Err(not_here(&format!("Opus with the channel mapping {family}"))),
                _ => Ok(()),
            },
            "A_PCM/INT/LIT" | "A_PCM/INT/BIG" if [16, 24, 32].contains(&self.bits) => Ok(()),
            "A_PCM/FLOAT/IEEE" if [32, 64].contains(&self.bits) => Ok(()),
            _ if codec.starts_with("A_PCM") => {
                Err(not_here(&format!("PCM of {} bits in Matroska", self.bits)))
            }
            _ if codec.starts_with("A_AAC") && codec.ends_with("SBR") => Err(not_here("HE-AAC")),
            _ if codec.starts_with("A_AAC") => {
                if self.private.is_empty() {
                    Ok(())
                } else {
                    aac::check(&self.private)
                }
            }
            // A header of WAV.
            "A_MS/ACM" => match bytes_at(&self.private, 0).map(u16::from_le_bytes) {
                Some(1 | 3) | None => Err(not_here("PCM of Windows in Matroska")),
                Some(tag) => Err(not_here(riff::name(tag))),
            },
            other => Err(not_here(&name(other))),
        }
    }
}

/// The name of a codec that is not decoded.
fn name(codec: &str) -> String {
    let names = [
        ("A_AC3", "AC-3"),
        ("A_EAC3", "E-AC-3"),
        ("A_DTS", "DTS"),
        ("A_TRUEHD", "TrueHD"),
        ("A_MLP", "MLP"),
        ("A_MPC", "Musepack"),
        ("A_WAVPACK", "WavPack"),
        ("A_TTA", "True Audio"),
        ("A_ATRAC", "ATRAC"),
        ("A_REAL", "RealAudio"),
        ("A_QUICKTIME", "QuickTime audio in Matroska"),
    ];
    let known = names.iter().find(|(prefix, _)| codec.starts_with(prefix));
    known.map_or_else(
        || format!("the codec `{}` of Matroska", codec.escape_default()),
        |(_, name)| (*name).into(),
    )
}
