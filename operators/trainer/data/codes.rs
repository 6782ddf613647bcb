//! Codes of another stage as targets of an encoder's frames.

use etude_learning::encoder::Frames;
use etude_pipeline::flow::Header;

use super::clips::{Clips, Reader, Signal};
use crate::error::Error;

/// How codes are read.
#[derive(Debug, Clone)]
pub struct Codes {
    /// The encoder's frames, and how many a clip has.
    pub frames: Frames,
    pub count: usize,
    /// Codes of a frame, and how many different ones there are.
    pub channels: usize,
    pub most: usize,
}

impl Codes {
    /// Adds the codes of a clip's frames, all of a frame and then those of the next.
    ///
    /// Errors: there are none for a frame, or one is not among those that were said.
    pub fn read(
        &self,
        (targets, reader): (&Clips, &mut Reader),
        clip: u64,
        view: &Header,
        codes: &mut Vec<i64>,
    ) -> Result<(), Error> {
        let mut found: Option<Signal> = None;
        targets.read(reader, &[clip], |signal| found = Some(signal))?;
        let signal =
            found.filter(|signal| signal.frames > 0 && usize::from(signal.header.channels) == self.channels);
        let signal = signal.ok_or_else(|| {
            Error::Input(format!("clip {clip} gives no codes at `targets`, {} each", self.channels))
        })?;
        for frame in 0..self.count {
            let place = self.place(frame, view, &signal.header);
            let Some(place) = place.filter(|place| *place < signal.frames) else {
                return Err(Error::Input(format!(
                    "clip {clip} has {} frames of codes at `targets`, which do not reach its frame {frame}",
                    signal.frames
                )));
            };
            for values in signal.values.chunks_exact(signal.frames) {
                let code = values[place];
                if code < 0.0 || code.fract() != 0.0 || code >= self.most as f32 {
                    return Err(Error::Input(format!(
                        "`targets` gives {code}, and `codes` of the objective says that there are {}, from 0 on",
                        self.most
                    )));
                }
                codes.push(code as i64);
            }
        }
        Ok(())
    }

    /// The frame of codes that begins nearest to an encoder's frame; of a last one that has begun behind their end by
    /// less than a hop, the last.
    fn place(&self, frame: usize, view: &Header, target: &Header) -> Option<usize> {
        let begin = view.start + (frame * self.frames.hop) as u64 * u64::from(view.hop);
        let (from, hop) = (begin.checked_sub(target.start)?, u64::from(target.hop.max(1)));
        let nearest = (from + hop / 2) / hop;
        let last = target.frames?.checked_sub(1)?;
        let place = if nearest > last && nearest - last <= self.reach(view, hop) { last } else { nearest };
        usize::try_from(place).ok()
    }

    /// Frames of codes that an encoder's frame is long: so many may be missing behind the last one.
    fn reach(&self, view: &Header, hop: u64) -> u64 {
        (self.frames.field.max(self.frames.hop) as u64 * u64::from(view.hop)).div_ceil(hop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(hop: usize) -> Codes {
        let frames = Frames { field: 400, hop, features: 1, width: 1 };
        Codes { frames, count: 3, channels: 1, most: 10 }
    }

    fn header(start: u64, hop: u32, frames: u64) -> Header {
        Header { hop, ..Header::audio("a".into(), start, 16_000, 1, Some(frames)) }
    }

    #[test]
    fn the_frame_that_begins_nearest_is_the_target() {
        // 20 ms of audio, codes every 10 ms.
        let view = header(8000, 1, 16_000);
        let places = |codes: &Codes, view: &Header, target: &Header| {
            (0..5).map(|frame| codes.place(frame, view, target)).collect::<Vec<_>>()
        };
        assert_eq!(places(&codes(320), &view, &header(8000, 160, 98)), [0, 2, 4, 6, 8].map(Some));
        // A view that begins in the middle of its clip, and codes at another pace.
        assert_eq!(places(&codes(320), &view, &header(0, 512, 98)), [16, 16, 17, 18, 18].map(Some));
        // Features are counted in their own frames.
        assert_eq!(places(&codes(2), &header(0, 160, 98), &header(0, 320, 49)), [0, 1, 2, 3, 4].map(Some));
        // What begins before there are codes has none; what begins right behind them has the last.
        assert_eq!(codes(320).place(0, &header(0, 1, 16_000), &header(8000, 160, 98)), None);
        let last = codes(320).place(49, &header(0, 1, 16_000), &header(0, 160, 98));
        assert_eq!(last, Some(97));
        assert_eq!(codes(320).place(60, &header(0, 1, 32_000), &header(0, 160, 98)), Some(120));
    }
}
