//! Changes clips at random.

mod background;
mod band_pass;
mod biquad;
mod chain;
mod clip;
mod clipping;
mod convolution;
mod delay;
mod drawing;
mod fade;
mod functions;
mod gain;
mod high_pass;
mod impulse;
mod level;
mod low_pass;
mod noise;
mod pitch_shift;
mod polarity;
mod quantile;
mod range;
mod reverb;
mod reverse;
mod rolloff;
mod shelf;
mod shift;
mod side;
mod sounds;
mod step;
mod tanh_distortion;
mod time_mask;
mod time_stretch;
mod vocoder;
mod work;

use etude_pipeline::flow::{Flow, SignalType};
use etude_pipeline::operator::{Body, Declare, Inputs, Invalid, Operator, Port, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use step::Step;
use work::Work;

use crate::Expect;

/// Changes clips at random, by a chain of steps in the order in which they are given.
///
/// Each step applies with its own probability `p` and draws its own numbers, keyed on (seed, stage,
/// item, start, epoch, view) and the step's place in the chain: what is put behind it changes nothing of it.
/// Names and ranges are audiomentations' where it has them. All channels of a clip get the same, but for noise,
/// which is drawn for each.
///
/// What was drawn for a clip is kept under names such as `gain_db`, a step's and that of its number: fields of the
/// column `drawn`, empty where a step did not apply.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// The steps, each a name with its parameters.
    chain: Vec<Step>,
    /// The views that are changed, by number from 0 on; all of them unless given. The others stay as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    views: Option<Vec<u32>>,
}

impl Declare for Augment {
    const NAME: &'static str = "augment";
    const VERSION: u32 = 6;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL, side::BACKGROUND, side::IMPULSES];
}

impl Augment {
    /// Each stage beside the main one has a step that takes its clips, and each such step a stage.
    fn check_side(&self, inputs: &Inputs<'_>, signal: &SignalType) -> Result<(), Invalid> {
        let mut used = Vec::new();
        chain::each(&self.chain, "chain", &mut |at, step, change| {
            let Some(&Port { name, .. }) = change.port() else { return Ok(()) };
            used.push(name);
            let message = format!(
                "`{step}` takes clips of another stage: name one that `op: shards` keeps, `{name}: STAGE`"
            );
            Invalid::unless(!inputs.many(name).is_empty(), at, message)
        })?;
        for Port { name, .. } in &Self::PORTS[1..] {
            for flow in inputs.many(name) {
                let message =
                    format!("`{name}` names a stage, but the chain has no step that takes its clips");
                Invalid::unless(used.contains(name), name, message)?;
                side::suits(name, flow, signal).map_err(|message| Invalid::of(name, message))?;
            }
        }
        Ok(())
    }

    /// Whether a view is changed.
    fn changes(&self, view: u32) -> bool {
        self.views.as_ref().is_none_or(|views| views.contains(&view))
    }
}

impl Operator for Augment {
    fn check(&self) -> Result<(), Invalid> {
        crate::check_views(self.views.as_deref())?;
        chain::check_all(&self.chain, "chain", "chain")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let mut signal = crate::signal(inputs)?.audio()?.clips()?.unmasked()?;
        crate::suit_views(self.views.as_deref(), signal.views)?;
        self.check_side(inputs, &signal)?;
        chain::each(&self.chain, "chain", &mut |at, step, change| {
            if let Some(rate) = signal.rate {
                change.suits(rate).map_err(|message| Invalid::of(at, format!("{step}: {message}")))?;
            }
            Ok::<(), Invalid>(())
        })?;
        chain::names(&self.chain).iter().for_each(|name| signal.draws(name));
        Ok(Flow::Signal(signal))
    }

    fn random(&self) -> bool {
        true
    }

    fn memory(&self) -> u64 {
        let mut bytes = 0;
        let _ = chain::each(&self.chain, "chain", &mut |_, _, change| {
            if change.port().is_some_and(|port| *port == side::IMPULSES) {
                bytes = impulse::KEPT as u64;
            }
            Ok::<(), ()>(())
        });
        bytes
    }

    fn body(&self) -> Body {
        let augment = self.clone();
        Body::Map(Box::new(move |context| Box::new(Work::new(augment.clone(), context))))
    }
}

#[cfg(test)]
mod tests;
