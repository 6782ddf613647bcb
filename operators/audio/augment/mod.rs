//! Changes clips at random.

mod band_pass;
mod biquad;
mod clipping;
mod delay;
mod fade;
mod gain;
mod high_pass;
mod low_pass;
mod noise;
mod pitch_shift;
mod polarity;
mod range;
mod reverb;
mod reverse;
mod shift;
mod step;
mod tanh_distortion;
mod time_mask;

use etude_pipeline::flow::{Block, Flow, Header};
use etude_pipeline::operator::{
    self, Body, Context, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step as Outcome,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use step::{Draw, Step};

/// Changes clips at random, by a chain of steps in the order in which they are given.
///
/// Each step applies with its own probability `p` and draws its own numbers, keyed on (seed, stage,
/// item, start, epoch, view) and the step's place in the chain: what is put behind it changes nothing of it.
/// Names and ranges are audiomentations' where it has them. All channels of a clip get the same, but for noise,
/// which is drawn for each.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// The steps, each a name with its parameters.
    chain: Vec<Step>,
}

impl Declare for Augment {
    const NAME: &'static str = "augment";
    const VERSION: u32 = 2;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Augment {
    fn check(&self) -> Result<(), Invalid> {
        step::check_all(&self.chain, "chain", "chain")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, String> {
        let signal = crate::clips(inputs)?;
        if let Some(rate) = signal.rate {
            self.chain.iter().try_for_each(|step| step.suits(rate))?;
        }
        Ok(Flow::Signal(signal))
    }

    fn random(&self) -> bool {
        true
    }

    fn body(&self) -> Body {
        let augment = self.clone();
        Body::Map(Box::new(move |context| {
            Box::new(Work { augment: augment.clone(), context, header: None, planes: Vec::new() })
        }))
    }
}

/// What a step does may depend on the whole clip, so a clip is collected first.
struct Work {
    augment: Augment,
    context: Context,
    header: Option<Header>,
    planes: Vec<Vec<f32>>,
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, _: &mut dyn Output) -> Outcome {
        self.planes.resize_with(usize::from(header.channels), Vec::new);
        self.planes.iter_mut().for_each(Vec::clear);
        self.header = Some(header.clone());
        Ok(())
    }

    fn block(&mut self, block: Block, _: &mut dyn Output) -> Outcome {
        for (channel, plane) in self.planes.iter_mut().enumerate() {
            plane.extend_from_slice(block.channel(channel));
        }
        Ok(())
    }

    fn end(&mut self, output: &mut dyn Output) -> Outcome {
        let Some(header) = self.header.take() else { return Ok(()) };
        let mut clip = Block::planar(self.planes.len(), self.planes.concat());
        let random = |place: &str| {
            let key = format!("{place}\0{}", header.item);
            self.context.random(&key, header.start, header.view)
        };
        let draw = Draw { rate: header.rate, random: &random };
        step::apply_all(&self.augment.chain, "chain", &mut clip, &draw);
        output.begin(&header)?;
        crate::give(&clip, self.context.block, output)?;
        output.end()
    }
}

#[cfg(test)]
mod tests;
