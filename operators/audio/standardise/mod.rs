//! Brings features to mean 0 and deviation 1.

mod corpus;
mod moments;
#[cfg(test)]
mod tests;

use etude_pipeline::flow::{Block, Flow, Unit};
use etude_pipeline::operator::{Body, Context, Declare, Inputs, Invalid, Map, Operator, Port, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::whole::{Each, Whole};
use corpus::Corpus;

pub use moments::FLOOR;

/// Brings values to mean 0 and deviation 1: (x − mean) / (deviation + 10⁻⁵), of the population's deviation.
///
/// Of features, or of audio over the clip or a corpus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Standardisation {
    /// What has a mean and a deviation of its own.
    over: Over,
}

/// What has a mean and a deviation of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// Each frame, over its channels.
    Frame,
    /// Each clip, over all channels and frames. Recordings have to be cut first.
    Clip,
    /// Each channel, over a whole corpus: as the stage of `statistics` at the port `statistics` has learnt them.
    Corpus,
}

/// What is brought to mean 0 and deviation 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standardise {
    /// Nothing.
    None,
    /// Each frame, over its bands.
    Frame,
    /// Each clip as a whole.
    Clip,
}

impl Standardise {
    /// What has a mean and a deviation of its own, if anything is standardised.
    pub fn over(self) -> Option<Over> {
        match self {
            Self::None => None,
            Self::Frame => Some(Over::Frame),
            Self::Clip => Some(Over::Clip),
        }
    }
}

impl Over {
    /// An error if there is nothing of that kind.
    pub fn suits(self, unit: Unit) -> Result<(), String> {
        match (self, unit) {
            (Self::Clip, Unit::Recording) => {
                Err("clips are standardised, and these are recordings: put `op: segment` above".into())
            }
            _ => Ok(()),
        }
    }

    /// Standardises frames; of clips, all of one.
    pub fn apply(self, block: &mut Block) {
        match self {
            Self::Frame => moments::frames(block),
            Self::Clip => moments::all(block.samples_mut()),
            // What is learnt of a corpus is not in a block: `map` has it.
            Self::Corpus => {}
        }
    }

    /// What standardises signals. Clips come in blocks of at most `block` frames.
    pub fn map(self, context: &Context) -> Box<dyn Map> {
        let change = move |block: &mut Block| self.apply(block);
        match self {
            Self::Frame => Box::new(Each(change)),
            Self::Clip => Box::new(Whole::new(context.block, change)),
            Self::Corpus => Box::new(Corpus::new(context.clone())),
        }
    }
}

impl Declare for Standardisation {
    const NAME: &'static str = "standardise";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[
        crate::SIGNAL,
        Port {
            name: PORT,
            many: false,
            optional: true,
            about: "what `statistics` has learnt of a corpus, for `over: corpus`",
        },
    ];
}

/// Where what was learnt of a corpus is read from.
const PORT: &str = "statistics";

impl Operator for Standardisation {
    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = crate::signal(inputs)?;
        self.over.suits(signal.unit).map_err(Invalid::by("over"))?;
        match (self.over, inputs.one(PORT)) {
            (Over::Corpus, Ok(flow)) => {
                corpus::suits(flow, &signal).map_err(Invalid::by(PORT))?;
            }
            (Over::Corpus, Err(_)) => {
                let message = "`over: corpus` needs `statistics:`, a stage of `op: statistics`";
                return Err(Invalid::of("over", message));
            }
            (_, Ok(_)) => return Err(Invalid::of(PORT, "`statistics` is read with `over: corpus` only")),
            (_, Err(_)) => {}
        }
        let several = self.over != Over::Frame || signal.channels != Some(1);
        Invalid::unless(several, "over", "a frame of one channel has no deviation: say `over: clip`")?;
        Ok(Flow::Signal(signal))
    }

    fn body(&self) -> Body {
        let over = self.over;
        Body::Map(Box::new(move |context| over.map(&context)))
    }
}
