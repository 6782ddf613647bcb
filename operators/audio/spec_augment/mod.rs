//! Hides times and frequencies of features.

mod fill;
mod part;
#[cfg(test)]
mod tests;

use std::ops::Range;

use etude_pipeline::flow::{Block, Flow, Header};
use etude_pipeline::operator::{
    self, Body, Context, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Expect;
use crate::collected::Collected;
use crate::drawn::Notes;
use fill::Fill;
use part::part;

/// Masks stretches of time and bands of frequency of features (SpecAugment, Park et al. 2019, without time warping).
///
/// The width of each mask is drawn first, every whole number of its range as likely, then its place, every one at which
/// it fits as likely; masks may overlap. All planes of the channels have the same masks. Sizes stay. Unless given, the
/// numbers are those of the paper's policy `SS` (Switchboard strong). Where each mask begins and how wide it is are noted, such as
/// `time_mask_start` and `time_mask_frames`, of the second mask `time_mask_start_2`. Keyed on (seed, stage, item, start, epoch, view).
/// It hides, and asks nobody to predict what was there: `mask` and `bert_mask` are for that.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpecAugment {
    /// How many masks in time, 0 to 100.
    #[serde(default = "two")]
    #[schemars(range(min = 0, max = 100))]
    time_masks: u32,
    /// The least and the most frames of a mask in time, 0 to 1000000; no more than the clip has.
    #[serde(default = "time_width")]
    time_width: [u64; 2],
    /// The most of the clip that one mask in time covers, 0 to 1.
    #[serde(default = "time_share")]
    #[schemars(range(min = 0, max = 1))]
    time_share: f64,
    /// How many masks in frequency, 0 to 100.
    #[serde(default = "two")]
    #[schemars(range(min = 0, max = 100))]
    frequency_masks: u32,
    /// The least and the most bins of a mask in frequency, 0 to 65535; no more than a plane has.
    #[serde(default = "frequency_width")]
    frequency_width: [u64; 2],
    /// What stands in a mask.
    #[serde(default)]
    fill: Fill,
    /// The views that are masked; all by default.
    #[serde(default)]
    views: Option<Vec<u32>>,
}

fn two() -> u32 {
    2
}

fn time_width() -> [u64; 2] {
    [0, 70]
}

fn time_share() -> f64 {
    0.2
}

fn frequency_width() -> [u64; 2] {
    [0, 27]
}

impl Declare for SpecAugment {
    const NAME: &'static str = "spec_augment";
    const VERSION: u32 = 2;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for SpecAugment {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(self.time_masks <= 100, "time_masks", "must be from 0 to 100")?;
        let within = |name: &str, [low, high]: [u64; 2], most: u64| {
            let message = format!("must be [least, most], whole numbers with 0 ≤ least ≤ most ≤ {most}");
            Invalid::unless(low <= high && high <= most, name, message)
        };
        within("time_width", self.time_width, 1_000_000)?;
        Invalid::unless((0.0..=1.0).contains(&self.time_share), "time_share", "must be from 0 to 1")?;
        Invalid::unless(self.frequency_masks <= 100, "frequency_masks", "must be from 0 to 100")?;
        within("frequency_width", self.frequency_width, 65535)?;
        let some = self.time_masks + self.frequency_masks > 0;
        Invalid::unless(some, "time_masks", "and `frequency_masks` are both 0: nothing is masked")?;
        let counts = |masks: u32, given: bool, name: &str, of: &str| {
            Invalid::unless(masks > 0 || !given, name, format!("counts for nothing with `{of}: 0`"))
        };
        counts(self.time_masks, self.time_width != time_width(), "time_width", "time_masks")?;
        counts(self.time_masks, self.time_share != time_share(), "time_share", "time_masks")?;
        let given = self.frequency_width != frequency_width();
        counts(self.frequency_masks, given, "frequency_width", "frequency_masks")?;
        crate::check_views(self.views.as_deref())
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let mut signal = crate::signal(inputs)?.features()?.clips()?.in_time()?.unmasked()?;
        crate::suit_views(self.views.as_deref(), signal.views)?;
        self.names().for_each(|name| signal.draws(name));
        Ok(Flow::Signal(signal))
    }

    fn random(&self) -> bool {
        true
    }

    fn body(&self) -> Body {
        let augment = self.clone();
        Body::Map(Box::new(move |context| {
            let clip = Collected::default();
            Box::new(Work {
                augment: augment.clone(),
                context,
                masks: Masks::default(),
                masked: false,
                planes: 1,
                notes: Notes::new(augment.names()),
                header: Header::default(),
                clip,
            })
        }))
    }
}

/// The stretches and bands that are masked in a view.
#[derive(Default)]
struct Masks {
    times: Vec<Range<usize>>,
    bands: Vec<Range<usize>>,
}

struct Work {
    augment: SpecAugment,
    context: Context,
    masks: Masks,
    /// Whether the view is masked, or passes as it is.
    masked: bool,
    planes: usize,
    notes: Notes,
    header: Header,
    clip: Collected,
}

impl SpecAugment {
    /// The names of what is drawn for each of the masks in time, and in frequency.
    const NAMES: [[&str; 2]; 2] =
        [["time_mask_start", "time_mask_frames"], ["frequency_mask_start", "frequency_mask_bins"]];

    fn draw(&self, header: &Header, context: &Context, masks: &mut Masks) {
        let mut random = context.random(&header.item, header.start, header.view);
        let bins = usize::from(header.channels / header.planes.max(1));
        let frames = usize::try_from(header.frames.unwrap_or(0)).unwrap_or(usize::MAX);
        let most = (self.time_share * frames as f64) as usize;
        let times = (0..self.time_masks).map(|_| part(self.time_width, most, frames, &mut random));
        masks.times.extend(times);
        let bands = (0..self.frequency_masks).map(|_| part(self.frequency_width, bins, bins, &mut random));
        masks.bands.extend(bands);
    }

    /// The names of what is drawn for all masks.
    fn names(&self) -> impl Iterator<Item = &'static str> {
        let [time, frequency] = Self::NAMES;
        let names = |names: [&'static str; 2], count: u32| (0..count).flat_map(move |_| names);
        names(time, self.time_masks).chain(names(frequency, self.frequency_masks))
    }

    /// Masks a clip.
    fn apply(&self, masks: &Masks, planes: usize, clip: &mut Block) {
        let (bins, frames) = (clip.channels() / planes, clip.frames());
        if bins == 0 || frames == 0 {
            return;
        }
        for plane in clip.samples_mut().chunks_exact_mut(bins * frames) {
            let value = self.fill.value(plane);
            for band in &masks.bands {
                plane[band.start * frames..band.end * frames].fill(value);
            }
            for row in plane.chunks_exact_mut(frames) {
                masks.times.iter().for_each(|time| row[time.clone()].fill(value));
            }
        }
    }
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        self.masked = self.augment.views.as_ref().is_none_or(|views| views.contains(&header.view));
        self.masks.times.clear();
        self.masks.bands.clear();
        self.planes = usize::from(header.planes.max(1));
        if self.masked {
            self.augment.draw(header, &self.context, &mut self.masks);
            self.clip.begin(header);
        }
        self.header.clone_from(header);
        let parts = self.masks.times.iter().chain(&self.masks.bands);
        let numbers = parts.flat_map(|part| [Some(part.start as f64), Some(part.len() as f64)]);
        self.notes.note(&mut self.header, numbers);
        output.begin(&self.header)
    }

    fn block(&mut self, block: &mut Block, output: &mut dyn Output) -> Step {
        if !self.masked {
            return output.block(block);
        }
        self.clip.push(block);
        Ok(())
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        if !self.masked {
            return output.end();
        }
        let clip = self.clip.clip();
        self.augment.apply(&self.masks, self.planes, clip);
        self.clip.give(self.context.block, output)?;
        output.end()
    }
}
