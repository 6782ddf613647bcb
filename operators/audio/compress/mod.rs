//! Compresses the range of features.

mod decibels;
mod function;
mod logarithm;
#[cfg(test)]
mod tests;

use etude_pipeline::flow::{Block, Flow};
use etude_pipeline::operator::{Body, Declare, Inputs, Invalid, Operator, Port, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::whole::Each;

pub use decibels::{Db, Of};
pub use function::{Compress, Log, Log1p, Log10};

/// Compresses the range of features: their logarithm, or decibels.
///
/// Each value on its own, but for `top_db`, which looks at the whole clip. For magnitudes or powers: values below 0
/// count as 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Compression {
    /// The function.
    function: Compress,
}

impl Declare for Compression {
    const NAME: &'static str = "compress";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Compression {
    fn check(&self) -> Result<(), Invalid> {
        self.function.check("function")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = crate::signal(inputs)?;
        if signal.hop == 1 {
            return Err("expects features, such as those of `op: mel`, not audio".into());
        }
        self.function.suits(signal.unit).map_err(Invalid::by("function"))?;
        Ok(Flow::Signal(signal))
    }

    fn body(&self) -> Body {
        let function = self.function;
        Body::Map(Box::new(move |context| {
            function.map(context.block).unwrap_or_else(|| Box::new(Each(|_: &mut Block| {})))
        }))
    }
}
