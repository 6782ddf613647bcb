//! The first pass over a recording.

use std::sync::Arc;

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Step, Stop, Survey};

use super::gain::Gain;
use crate::measure::Measure;

/// What is measured of a recording before its signals come, and the gain that follows from it.
pub(super) struct Recording {
    loudness: bool,
    item: Option<Arc<str>>,
    measure: Option<(Measure, u16, u32)>,
    /// The place of the next frame, and the end of what has been measured.
    at: u64,
    covered: u64,
    gain: Option<Gain>,
}

impl Recording {
    pub(super) fn new(loudness: bool) -> Self {
        Self { loudness, item: None, measure: None, at: 0, covered: 0, gain: None }
    }

    /// The gain for a signal of the recording that has been measured; some only for the first one.
    pub(super) fn gain(
        &mut self,
        header: &Header,
        of: impl FnOnce(&Measure) -> Gain,
    ) -> Result<Option<Gain>, Stop> {
        let measured = self.measure.as_ref().filter(|_| self.item.as_ref() == Some(&header.item));
        let Some((measure, ..)) = measured else {
            let message = "the recording was not measured before its signals came".into();
            return Err(Stop::Rejected { class: "normalise", offset: String::new(), message });
        };
        if self.gain.is_some() {
            return Ok(None);
        }
        self.gain = Some(of(measure));
        Ok(self.gain)
    }

    /// The gain that was found.
    pub(super) fn known(&self) -> Gain {
        self.gain.unwrap_or_default()
    }
}

impl Survey for Recording {
    fn item(&mut self) {
        *self = Self::new(self.loudness);
    }

    fn begin(&mut self, header: &Header) -> Step {
        self.item = Some(header.item.clone());
        self.at = header.start;
        match self.measure {
            None => {
                let measure = Measure::new(header, self.loudness)?;
                self.measure = Some((measure, header.channels, header.rate));
                Ok(())
            }
            Some((_, channels, rate)) if (channels, rate) == (header.channels, header.rate) => Ok(()),
            Some((_, channels, rate)) => Err(Stop::Rejected {
                class: "normalise",
                offset: format!("{:.3} s", header.start as f64 / f64::from(header.rate)),
                message: format!(
                    "expected {channels} channels at {rate} Hz as before, found {} at {} Hz",
                    header.channels, header.rate
                ),
            }),
        }
    }

    fn block(&mut self, block: &Block) -> Step {
        // What clips have in common counts once.
        let known = usize::try_from(self.covered.saturating_sub(self.at)).unwrap_or(usize::MAX);
        if let Some((measure, ..)) = &mut self.measure {
            measure.add(block, known.min(block.frames()), block.frames())?;
        }
        self.at += block.frames() as u64;
        self.covered = self.covered.max(self.at);
        Ok(())
    }

    fn end(&mut self) -> Step {
        Ok(())
    }
}
