//! The end of a FLAC file.

use symphonia::core::codecs::audio::well_known::CODEC_ID_FLAC;
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use super::Coded;
use crate::decode::container::Tail;

impl Coded {
    /// The last frame of a FLAC file with something behind it.
    pub(super) fn rescue(&mut self) -> Option<Packet> {
        let native = self.codec() == CODEC_ID_FLAC && self.track.container == "flac";
        if !native || self.packets.front().is_some() {
            return None;
        }
        let mut source = self.format.take()?.into_inner();
        let (_, block) = self.blocks()?;
        let place = u64::try_from(self.origin.unwrap_or(0)).ok()?.checked_add(self.decoded)?;
        let tail = Tail::read(&mut source, self.bytes, place, block)?;
        let left = self.promised.map(|promised| promised.saturating_sub(self.decoded));
        let place = Timestamp::new(i64::try_from(place).ok()?);
        for frame in tail.frames().take(1000) {
            let packet = Packet::new(self.id, place, Duration::ZERO, frame);
            let frames = self.decoder.decode(&packet).map_or(0, |decoded| decoded.frames() as u64);
            if frames > 0 && left.is_none_or(|left| left == frames) {
                return Some(packet);
            }
        }
        None
    }

    /// The shortest and the longest block of FLAC, but for the last.
    pub(super) fn blocks(&self) -> Option<(u64, u64)> {
        let info = self.decoder.codec_params().extra_data.as_deref()?;
        let block = |at: usize| Some(u64::from(u16::from_be_bytes([*info.get(at)?, *info.get(at + 1)?])));
        Some((block(0)?, block(2)?))
    }
}
