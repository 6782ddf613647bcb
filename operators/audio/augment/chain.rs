//! How steps are put together.

use std::fmt::Write;

use etude_pipeline::operator::{Invalid, Step as Outcome};
use etude_pipeline::random::Random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clip::Clip;
use super::drawing::Drawing;
use super::range::half;
use super::side::Side;
use super::step::{Change, Does, Step};

/// Applies one of several steps.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneOf {
    /// The probability that any is applied.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// The steps; their own `p` are how likely they are beside each other, as albumentations has it. That which is drawn
    /// applies.
    of: Vec<Step>,
}

/// Applies several steps together, or none of them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Apply {
    /// The probability that they are applied; each then with its own `p`.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    p: f64,
    /// The steps, in order.
    of: Vec<Step>,
}

/// What all steps draw with.
pub struct Source<'a> {
    /// Samples a second.
    pub rate: u32,
    /// The numbers of the step at a place in the chain.
    pub random: &'a dyn Fn(&str) -> Random,
    pub side: &'a mut Side,
}

impl Step {
    fn p(&self) -> f64 {
        match self.does() {
            Does::Change(change) => change.p(),
            Does::OneOf(OneOf { p, .. }) | Does::Apply(Apply { p, .. }) => *p,
        }
    }

    /// How many numbers it notes, with those within it.
    fn numbers(&self) -> usize {
        match self.does() {
            Does::Change(change) => change.draws().len(),
            Does::OneOf(OneOf { of, .. }) | Does::Apply(Apply { of, .. }) => numbers(of),
        }
    }

    fn check(&self, at: &str) -> Result<(), Invalid> {
        let at = format!("{at}.{}", self.name());
        Invalid::unless((0.0..=1.0).contains(&self.p()), &format!("{at}.p"), "must be from 0 to 1")?;
        match self.does() {
            Does::Change(change) => change.check().map_err(|Invalid { parameter, message }| Invalid {
                parameter: format!("{at}.{parameter}"),
                message,
            }),
            Does::OneOf(OneOf { of, .. }) => {
                check_all(of, &format!("{at}.of"), "of")?;
                let several = of.len() > 1;
                let message = "needs at least two steps: one alone applies with its own `p`";
                Invalid::unless(several, &format!("{at}.of"), message)?;
                let some = of.iter().any(|step| step.p() > 0.0);
                Invalid::unless(some, &format!("{at}.of"), "needs a step whose `p` is more than 0")
            }
            Does::Apply(Apply { of, .. }) => check_all(of, &format!("{at}.of"), "of"),
        }
    }

    /// Applies it with its probability, or in any case.
    fn apply(
        &self,
        always: bool,
        at: &mut String,
        clip: &mut Clip,
        source: &mut Source<'_>,
        drawn: &mut [Option<f64>],
    ) -> Outcome {
        let mut random = (source.random)(at);
        if !random.chance(self.p()) && !always {
            return Ok(());
        }
        match self.does() {
            Does::Change(change) => {
                change.apply(clip, &mut Drawing { rate: source.rate, random, side: source.side, drawn })
            }
            Does::OneOf(OneOf { of, .. }) => {
                let chosen = chosen(of, &mut random);
                let (before, one) = (numbers(&of[..chosen]), of[chosen].numbers());
                let drawn = &mut drawn[before..before + one];
                within(at, chosen, |at| of[chosen].apply(true, at, clip, source, drawn))
            }
            Does::Apply(Apply { of, .. }) => apply_all(of, at, clip, source, drawn),
        }
    }
}

/// Draws one of several steps, as likely as their `p` are beside each other.
fn chosen(of: &[Step], random: &mut Random) -> usize {
    let first = of.first().map_or(0.0, Step::p);
    if of.iter().all(|step| step.p() == first) {
        return random.below(of.len() as u64) as usize;
    }
    let mut place = random.uniform() * of.iter().map(Step::p).sum::<f64>();
    let within = |step: &Step| {
        place -= step.p();
        place < 0.0
    };
    of.iter().position(within).or_else(|| of.iter().rposition(|step| step.p() > 0.0)).unwrap_or(0)
}

/// The names of all numbers that steps note, in order: the step's and the number's.
pub fn names(steps: &[Step]) -> Vec<String> {
    let mut names = Vec::new();
    let _ = each(steps, "", &mut |_, step, change| {
        names.extend(change.draws().iter().map(|number| format!("{step}_{number}")));
        Ok::<(), ()>(())
    });
    names
}

/// How many numbers steps note together.
pub fn numbers(steps: &[Step]) -> usize {
    steps.iter().map(Step::numbers).sum()
}

/// Errors: no steps, or a parameter of one out of its range.
pub fn check_all(steps: &[Step], at: &str, name: &str) -> Result<(), Invalid> {
    Invalid::unless(!steps.is_empty(), at, format!("`{name}` needs at least one step"))?;
    steps.iter().enumerate().try_for_each(|(index, step)| step.check(&format!("{at}.{index}")))
}

/// Applies steps in order to a clip of at least one frame. What they draw is noted in as many places as
/// [`numbers`] says.
pub fn apply_all(
    steps: &[Step],
    at: &mut String,
    clip: &mut Clip,
    source: &mut Source<'_>,
    mut drawn: &mut [Option<f64>],
) -> Outcome {
    for (index, step) in steps.iter().enumerate() {
        let (own, others) = drawn.split_at_mut(step.numbers());
        within(at, index, |at| step.apply(false, at, clip, source, own))?;
        drawn = others;
    }
    Ok(())
}

/// Does something at a place within another, such as `chain.2` within `chain`.
fn within<T>(at: &mut String, index: usize, work: impl FnOnce(&mut String) -> T) -> T {
    let length = at.len();
    // A string takes everything.
    let _ = write!(at, ".{index}");
    let done = work(at);
    at.truncate(length);
    done
}

/// What looks at a change, with its place in the file and its name.
pub type See<'a, E> = dyn FnMut(&str, &'static str, &dyn Change) -> Result<(), E> + 'a;

/// Goes through all changes in the order in which they note numbers, each with its place in the file and its name.
pub fn each<E>(steps: &[Step], at: &str, see: &mut See<'_, E>) -> Result<(), E> {
    for (index, step) in steps.iter().enumerate() {
        let at = format!("{at}.{index}.{}", step.name());
        match step.does() {
            Does::Change(change) => see(&at, step.name(), change)?,
            Does::OneOf(OneOf { of, .. }) | Does::Apply(Apply { of, .. }) => {
                each(of, &format!("{at}.of"), see)?;
            }
        }
    }
    Ok(())
}
