//! Samples that are stored as they are, chunk after chunk.

use super::audio::Audio;
use super::window::Window;
use super::{Found, Movie};
use crate::decode::coded;
use crate::decode::failure::{Failure, bad};
use crate::decode::pcm::{Pcm, Sample};

impl Movie {
    /// Where the samples of a track are that are stored as they are.
    pub(super) fn pieces(&self, window: &mut Window<'_>, audio: &Audio) -> Result<Found, Failure> {
        let (sample, big) = audio.sample()?;
        let channels = u16::try_from(audio.raw.channels).unwrap_or(u16::MAX);
        let frame = sample.width() as u64 * u64::from(channels);
        let mut pieces: Vec<(u64, u64)> = Vec::new();
        let mut left = audio.samples;
        audio.each_chunk(window, |place, samples| {
            let samples = samples.min(left);
            left -= samples;
            let size = samples.saturating_mul(frame);
            match pieces.last_mut() {
                Some((from, length)) if from.saturating_add(*length) == place => *length += size,
                _ => pieces.push((place, size)),
            }
            left > 0
        })?;
        let trim = self.track(audio).trim;
        let rate = audio.raw.rate.round() as u32;
        let from = trim.start.at(rate).saturating_mul(frame);
        let all = audio.samples.saturating_mul(frame);
        let kept = trim.keep.map_or(all, |keep| from.saturating_add(keep.at(rate).saturating_mul(frame)));
        let pcm = Pcm {
            container: "mp4",
            sample,
            stride: sample.width(),
            big,
            channels,
            rate,
            bits: 8 * sample.width() as u32,
            from,
            to: Some(kept.min(all)),
            tags: Vec::new(),
        };
        Ok(Found::Pieces(pcm, pieces))
    }
}

impl Audio {
    /// Whether samples are stored as they are.
    pub(super) fn is_raw(&self) -> bool {
        matches!(
            &self.entry,
            b"lpcm"
                | b"sowt"
                | b"twos"
                | b"in24"
                | b"in32"
                | b"fl32"
                | b"fl64"
                | b"alaw"
                | b"ulaw"
                | b"raw "
                | b"ipcm"
                | b"fpcm"
        )
    }

    /// How they are stored, and whether the most significant byte comes first.
    fn sample(&self) -> Result<(Sample, bool), Failure> {
        let raw = &self.raw;
        let signed = |bits| Sample::integer(bits, true);
        let (sample, big) = match &self.entry {
            b"sowt" => (signed(raw.bits), false),
            b"twos" => (signed(raw.bits), true),
            b"in24" => (Some(Sample::I24), !raw.little),
            b"in32" => (Some(Sample::I32), !raw.little),
            b"fl32" => (Some(Sample::F32), !raw.little),
            b"fl64" => (Some(Sample::F64), !raw.little),
            b"alaw" => (Some(Sample::ALaw), true),
            b"ulaw" => (Some(Sample::MuLaw), true),
            b"ipcm" => (signed(raw.bits), !raw.little),
            b"fpcm" => (Sample::float(raw.bits), !raw.little),
            b"lpcm" if raw.version == 2 => {
                let sample = match raw.flags {
                    flags if flags & 1 != 0 => Sample::float(raw.bits),
                    flags => Sample::integer(raw.bits, flags & 4 != 0),
                };
                (sample, raw.flags & 2 != 0)
            }
            // 8 bits are without a sign, 16 have one.
            _ => (Sample::integer(raw.bits, false), true),
        };
        let sample =
            sample.ok_or_else(|| bad("format", format!("the header says {} bits a sample", raw.bits)))?;
        coded::check(raw.rate.round() as u32, raw.channels as usize)?;
        Ok((sample, big))
    }

    /// Calls `take` with the place and the number of samples of each chunk, until it says that it is enough.
    fn each_chunk(
        &self,
        window: &mut Window<'_>,
        mut take: impl FnMut(u64, u64) -> bool,
    ) -> Result<(), Failure> {
        let (Some(chunks), Some((places, width))) = (self.chunks, self.places) else {
            return Err(bad("format", "the MP4 track has no table of chunks"));
        };
        // Each entry holds for chunks from the one it names on; they are counted from 1.
        let runs = u64::from(u32::from_be_bytes(window.exact(chunks.from + 4)?));
        let (mut run, mut samples, mut next) = (0, 0, 1);
        for chunk in 1..=u64::from(u32::from_be_bytes(window.exact(places.from + 4)?)) {
            while run < runs && chunk >= next {
                let at = chunks.from + 8 + 12 * run;
                samples = u64::from(u32::from_be_bytes(window.exact(at + 4)?));
                run += 1;
                if run < runs {
                    next = u64::from(u32::from_be_bytes(window.exact(at + 12)?));
                }
            }
            let at = places.from + 8 + width as u64 * (chunk - 1);
            let place = match width {
                4 => u64::from(u32::from_be_bytes(window.exact(at)?)),
                _ => u64::from_be_bytes(window.exact(at)?),
            };
            if !take(place, samples) {
                break;
            }
        }
        Ok(())
    }
}
