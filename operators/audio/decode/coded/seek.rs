//! Going to a place.

use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_FLAC, CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3, CODEC_ID_OPUS, CODEC_ID_VORBIS,
};
use symphonia::core::formats::well_known::{FORMAT_ID_MKV, FORMAT_ID_OGG};
use symphonia::core::formats::{SeekMode, SeekTo};
use symphonia::core::units::Timestamp;

use super::{Coded, VORBIS_BLOCK, probe};
use crate::decode::container;
use crate::decode::failure::{Failure, bad, failure, reading};
use crate::decode::source::Patched;

impl Coded {
    /// Goes to a place before `frame`, which counts from the first frame that the decoder gives, and far
    /// enough before it that the decoder has settled there. Gives that place.
    pub(in crate::decode) fn seek(&mut self, frame: u64) -> Result<u64, Failure> {
        let no = |why: &str| bad("seek", why.to_owned());
        let mkv = self.is(FORMAT_ID_MKV);
        let grid = self.grid();
        if mkv && grid.is_none() {
            return Err(no("the places of its packets are not exact"));
        }
        let origin = self.origin.unwrap_or(0);
        let settled = settling(self.codec());
        let mut target = frame.saturating_sub(settled);
        if self.is(FORMAT_ID_OGG) {
            // Within the last page, what is padding at its end cannot be told.
            let page = 10 * u64::from(self.rate);
            target = target.min(self.promised.unwrap_or(u64::MAX).saturating_sub(page + settled));
        }
        if target == 0 {
            return Err(no("it is near the begin"));
        }
        if mkv {
            self.seek_matroska(target)?;
        } else {
            self.seek_by_symphonia(origin, target)?;
        }
        self.packets.clear();
        self.decoder.reset();
        self.bytes = None;
        // The first packet tells where it went; of Vorbis the second, since nothing is given for the first.
        let silent = usize::from(self.codec() == CODEC_ID_VORBIS);
        let mut packets = Vec::new();
        for _ in 0..=silent {
            let packet = self.next().map_err(|error| failure("demux", error))?;
            packets.push(packet.ok_or_else(|| no("nothing follows"))?);
        }
        let Some(packet) = packets.last() else { return Err(no("nothing follows")) };
        let mut place = self.place(packet) - origin;
        if let Some(grid) = grid {
            let told = container::flac_place(&packet.data, grid.frames.unsigned_abs());
            place = match told.filter(|_| grid.flac).and_then(|place| i64::try_from(place).ok()) {
                Some(place) => place,
                None => (place + grid.frames / 2).div_euclid(grid.frames) * grid.frames,
            };
        }
        packets.into_iter().rev().for_each(|packet| self.packets.push_front(packet));
        let place = u64::try_from(place).map_err(|_| no("it is before the begin"))?;
        if place > frame {
            return Err(no("it went too far"));
        }
        self.decoded = place;
        Ok(place)
    }

    fn seek_by_symphonia(&mut self, origin: i64, target: u64) -> Result<(), Failure> {
        let no = |why: &str| bad("seek", why.to_owned());
        let place = i128::from(origin) + i128::from(target);
        let ticks = match self.time_base() {
            Some(base) => {
                place * i128::from(base.denom.get()) / (i128::from(base.numer.get()) * i128::from(self.rate))
            }
            None => place,
        };
        let ts = Timestamp::new(i64::try_from(ticks).map_err(|_| no("it is too far away"))?);
        let (track_id, Some(format)) = (self.id, &mut self.format) else {
            return Err(no("the file has ended"));
        };
        let sought = format.seek(SeekMode::Accurate, SeekTo::Timestamp { ts, track_id });
        sought.map(|_| ()).map_err(|error| no(&error.to_string()))
    }

    fn seek_matroska(&mut self, target: u64) -> Result<(), Failure> {
        let format = self.format.take().ok_or_else(|| bad("seek", "the file has ended"))?;
        let mut source = format.into_inner();
        // A packet's time is rounded to milliseconds.
        let nanoseconds = u128::from(target) * 1_000_000_000 / u128::from(self.rate);
        let nanoseconds = u64::try_from(nanoseconds).unwrap_or(u64::MAX).saturating_sub(1_000_000);
        let (place, bytes) = container::skip_matroska(&mut source, nanoseconds)?;
        let source = Patched::new(Box::new(source), place, bytes).map_err(|error| reading(&error))?;
        self.format = Some(probe(Box::new(source), self.track.container)?);
        Ok(())
    }

    /// In Matroska, whose places are in milliseconds: what they are multiples of.
    fn grid(&self) -> Option<Grid> {
        if !self.is(FORMAT_ID_MKV) {
            return None;
        }
        let frames = match self.codec() {
            CODEC_ID_AAC => 1024,
            CODEC_ID_OPUS => 120,
            CODEC_ID_MP3 if self.rate < 32_000 => 576,
            CODEC_ID_MP3 | CODEC_ID_MP2 => 1152,
            CODEC_ID_MP1 => 384,
            CODEC_ID_FLAC => {
                return self.blocks().map(|(_, block)| Grid { frames: block.max(1) as i64, flac: true });
            }
            _ => return None,
        };
        Some(Grid { frames, flac: false })
    }
}

/// What the places of packets are multiples of; FLAC's frames tell theirs.
#[derive(Clone, Copy)]
struct Grid {
    frames: i64,
    flac: bool,
}

/// Frames that a decoder needs before what it gives is what it gives when decoding from the begin.
fn settling(codec: AudioCodecId) -> u64 {
    match codec {
        // 80 ms, as its specification recommends, leave a difference that can be heard.
        CODEC_ID_OPUS => 48_000,
        // The bit reservoir reaches back ten frames at low rates, and the filters two.
        CODEC_ID_MP3 => 14 * 1152,
        CODEC_ID_MP1 | CODEC_ID_MP2 => 4 * 1152,
        CODEC_ID_AAC => 4 * 1024,
        CODEC_ID_VORBIS => 3 * VORBIS_BLOCK.unsigned_abs(),
        _ => 0,
    }
}
