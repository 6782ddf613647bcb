//! What other stages give to an encoder's frames: codes, or features.

use etude_learning::encoder::Frames;
use etude_pipeline::flow::Header;

use super::clips::{Clips, Reader, Signal};
use crate::error::Error;

/// How another stage is read beside the clips.
#[derive(Debug, Clone)]
pub struct Side {
    /// The port that it stands at.
    pub port: &'static str,
    /// The encoder's frames, and how many a clip has.
    pub frames: Frames,
    pub count: usize,
    /// Values of a frame.
    pub channels: usize,
    /// How many different codes there are, if that is what it gives.
    pub codes: Option<usize>,
}

impl Side {
    /// Adds the values of a clip's frames, all of a frame and then those of the next; no numbers for frames that lie behind
    /// the last one that there is.
    ///
    /// Errors: there are none for the clip, or a code is not among those that were said.
    pub fn read(
        &self,
        (clips, reader): (&Clips, &mut Reader),
        clip: u64,
        view: &Header,
        values: &mut Vec<f32>,
    ) -> Result<(), Error> {
        let (mut found, mut signals): (Option<Signal>, usize) = (None, 0);
        clips.read(reader, &[clip], |signal| {
            found = Some(signal);
            signals += 1;
        })?;
        let wrong =
            |what: String| Error::Input(format!("{}@{}: `{}` {what}", view.item, view.start, self.port));
        let signal =
            found.filter(|_| signals == 1).ok_or_else(|| wrong(format!("gives {signals} signals, not 1")))?;
        if signal.header.item != view.item || usize::from(signal.header.channels) != self.channels {
            let Header { item, channels, .. } = &signal.header;
            return Err(wrong(format!("has {channels} values of {item}, not {} of the clip", self.channels)));
        }
        let first = values.len();
        for frame in 0..self.count {
            let place = self.place(frame, view, &signal.header).filter(|place| *place < signal.frames);
            let of = |channel: usize| place.map(|place| signal.values[channel * signal.frames + place]);
            let number = |value: Option<f32>| value.is_none_or(|value| !value.is_nan());
            if !(0..self.channels).all(|channel| number(of(channel))) {
                return Err(wrong("gives what is no number".into()));
            }
            values.extend((0..self.channels).map(|channel| of(channel).unwrap_or(f32::NAN)));
        }
        let known = || values[first..].iter().filter(|value| !value.is_nan());
        if known().next().is_none() {
            return Err(wrong("has no frame that lies within the clip".into()));
        }
        let no_code =
            |value: &&f32, codes: usize| **value < 0.0 || value.fract() != 0.0 || **value >= codes as f32;
        match self.codes.and_then(|codes| Some((codes, known().find(|value| no_code(value, codes))?))) {
            Some((codes, value)) => Err(wrong(format!(
                "gives {value}, and `codes` of the objective says that there are {codes}, from 0 on"
            ))),
            None => Ok(()),
        }
    }

    /// The stage's frame in which an encoder's frame begins (fairseq's rule); none before the first one.
    fn place(&self, frame: usize, view: &Header, target: &Header) -> Option<usize> {
        let begin = view.start + (frame * self.frames.hop) as u64 * u64::from(view.hop);
        let from = begin.checked_sub(target.start)?;
        usize::try_from(from / u64::from(target.hop.max(1))).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(hop: usize) -> Side {
        let frames = Frames { field: 400, hop, features: 1, width: 1 };
        Side { port: "targets", frames, count: 3, channels: 1, codes: Some(10) }
    }

    fn header(start: u64, hop: u32, frames: u64) -> Header {
        Header { hop, ..Header::audio("a".into(), start, 16_000, 1, Some(frames)) }
    }

    #[test]
    fn a_frame_begins_within_its_target() {
        let view = header(8000, 1, 16_000);
        let places = |codes: &Side, view: &Header, target: &Header| {
            (0..5).map(|frame| codes.place(frame, view, target)).collect::<Vec<_>>()
        };
        // 20 ms of audio, codes every 10 ms.
        assert_eq!(places(&codes(320), &view, &header(8000, 160, 98)), [0, 2, 4, 6, 8].map(Some));
        // A view that begins in the middle of its clip, and codes at another pace.
        assert_eq!(places(&codes(320), &view, &header(0, 512, 98)), [15, 16, 16, 17, 18].map(Some));
        // Features are counted in their own frames; codes may be of several of them.
        assert_eq!(places(&codes(2), &header(0, 160, 98), &header(0, 320, 49)), [0, 1, 2, 3, 4].map(Some));
        assert_eq!(places(&codes(1), &header(0, 160, 98), &header(0, 640, 24)), [0, 0, 0, 0, 1].map(Some));
        // What begins before there are codes has none.
        assert_eq!(codes(320).place(0, &header(0, 1, 16_000), &header(8000, 160, 98)), None);
    }
}
