//! By what was learnt of a corpus.

use etude_pipeline::flow::{Block, Flow, Header, SignalType};
use etude_pipeline::operator::{Context, Map, Output, Step, Stop};

use super::PORT;
use super::moments::{parts, scale};
use crate::Expect;
use crate::statistics::{self, FORMAT};

/// Errors: it is not what `statistics` leaves, or of other channels.
pub fn suits(flow: &Flow, signal: &SignalType) -> Result<(), String> {
    match flow {
        Flow::Artifact(artifact) if artifact.format == FORMAT => match signal.sampled()? {
            sampling if sampling == artifact.sampling => Ok(()),
            sampling => {
                Err(format!("`{PORT}` was learnt of {}, and these signals are {sampling}", artifact.sampling))
            }
        },
        other => Err(format!("`{PORT}` expects a stage of `op: statistics`, not {other}")),
    }
}

/// Standardises each channel.
pub struct Corpus {
    context: Context,
    /// Of each channel the mean, in two parts, and what is left of it is multiplied by; once it was read.
    channels: Vec<((f32, f32), f32)>,
}

impl Corpus {
    pub fn new(context: Context) -> Self {
        Self { context, channels: Vec::new() }
    }

    fn read(&mut self) -> Result<(), Stop> {
        let transient = |error: etude_pipeline::Error| Stop::Transient { message: error.to_string() };
        let missing = || Stop::Transient { message: format!("`{PORT}` names no stage") };
        let input = self.context.side(PORT).first().ok_or_else(missing)?;
        let learnt = statistics::read(input.folder().map_err(transient)?).map_err(transient)?;
        let moments = learnt.mean.iter().zip(&learnt.std);
        self.channels = moments.map(|(mean, std)| (parts(*mean), scale(std * std))).collect();
        Ok(())
    }
}

impl Map for Corpus {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        if self.channels.is_empty() {
            self.read()?;
        }
        if self.channels.len() != usize::from(header.channels) {
            let (learnt, here) = (self.channels.len(), header.channels);
            let message = format!("`{PORT}` was learnt of {learnt} channels, and this signal has {here}");
            return Err(Stop::Transient { message });
        }
        output.begin(header)
    }

    fn block(&mut self, block: &mut Block, output: &mut dyn Output) -> Step {
        for (channel, ((high, low), scale)) in self.channels.iter().enumerate() {
            block.channel_mut(channel).iter_mut().for_each(|value| *value = (*value - high - low) * scale);
        }
        output.block(block)
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        output.end()
    }
}
