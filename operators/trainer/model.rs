//! What is trained: an encoder, the heads behind it, and the objectives.

use burn::module::Module;
use etude_learning::train::{Mask, Quantizer as QuantizerParameters, Train};
use etude_pipeline::flow::{self, Masking, Sampling};
use tch::Tensor;

use crate::encoder::{Clips, Encoder, Places};
use crate::error::Error;
use crate::head::{Masked, Perceptron, Quantizer, Teacher};
use crate::objective::{COUNTED, Loss, Objective, Outputs, Setting};
use crate::pass::Pass;
use crate::scope::Scope;
use crate::torch::{Named, named};

/// An encoder with its heads and objectives. The names of its fields are those of its tensors in a checkpoint.
#[derive(Module, Debug)]
pub struct Model {
    pub encoder: Encoder,
    projector: Option<Perceptron>,
    predictor: Option<Perceptron>,
    quantizer: Option<Quantizer>,
    objectives: Vec<Objective>,
    #[module(skip)]
    weights: Vec<f64>,
    #[module(skip)]
    mask: Option<Mask>,
    #[module(skip)]
    frames: Option<etude_learning::encoder::Frames>,
}

/// The views of a batch of clips.
pub struct Batch {
    /// Rows are views: all first views, then all second views, and so on; `[views · clips, samples]`, or of features
    /// `[views · clips, planes, bins, frames]`.
    pub values: Tensor,
    pub views: usize,
    /// The number of each clip in the data, and of its recording.
    pub clips: Vec<i64>,
    pub items: Vec<i64>,
    /// What is masked in each view, or was left out, where the data says so.
    pub masks: Option<Vec<flow::Mask>>,
    /// What such masks are.
    pub masking: Masking,
    /// What other stages give to the frames of what the encoder sees, `[clips, frames, values]`: codes, and features. What is no
    /// number is not there.
    pub targets: Option<Tensor>,
    pub features: Option<Tensor>,
}

/// What a batch came to.
pub struct Step {
    /// The weighted sum of the objectives, and what they measure.
    pub loss: Loss,
    /// The vectors of the first two views, for the watch.
    pub vectors: Tensor,
    /// Their projections, where there are any.
    pub projections: Option<Tensor>,
}

impl Model {
    /// The model that `train` describes; `seed` names its initial values.
    /// `sides` are how many codes and how many features other stages give to a frame.
    pub fn new(train: &Train, clips: usize, sampling: Sampling, sides: [usize; 2], scope: &Scope) -> Self {
        let needs = train.objective.needs();
        let encoder = Encoder::new(&train.encoder, sampling, &scope.at("encoder"));
        let projection = needs.projector.then(|| train.projector.clone().unwrap_or_default());
        let outputs = projection.as_ref().map_or(0, |projector| projector.outputs);
        let frames = train.encoder.frames();
        let setting = Setting { clips, outputs, sampling, frames, sides };
        let terms = train.objective.terms();
        let objectives = terms
            .iter()
            .enumerate()
            .filter_map(|(index, term)| Objective::new(term, &setting, &scope.at("objectives").at(index)));
        Self {
            objectives: objectives.collect(),
            weights: terms.iter().map(|term| term.chosen().weight()).collect(),
            projector: projection.map(|projector| {
                Perceptron::projector(&projector, train.encoder.width(), &scope.at("projector"))
            }),
            predictor: needs.predictor.then(|| {
                let predictor = train.predictor.clone().unwrap_or_default();
                Perceptron::predictor(&predictor, outputs, &scope.at("predictor"))
            }),
            quantizer: frames.filter(|_| needs.quantizer).map(|frames| {
                let quantizer: QuantizerParameters = train.quantizer.clone().unwrap_or_default();
                Quantizer::new(&quantizer, frames.features, frames.width, &scope.at("quantizer"))
            }),
            mask: needs.mask.then(|| train.mask.clone().unwrap_or_default()),
            frames,
            encoder,
        }
    }

    /// The teacher that `train` describes, as the model is now.
    pub fn teacher(&self, train: &Train, sampling: Sampling, scope: &Scope) -> Option<Teacher> {
        if !train.objective.needs().teacher {
            return None;
        }
        let encoder = Encoder::new(&train.encoder, sampling, &scope.at("encoder"));
        let projector = train.projector.clone().unwrap_or_default();
        let projector = Perceptron::projector(&projector, train.encoder.width(), &scope.at("projector"));
        Some(Teacher::new(encoder, projector, &named(self)))
    }

    /// The loss of a batch.
    pub fn step(&self, pass: &Pass, batch: &Batch, teacher: Option<&Teacher>) -> Result<Step, Error> {
        let size = batch.values.size();
        let (rows, count) = (size[0] as usize, size.last().map_or(0, |count| *count as usize));
        // Where masked frames are predicted, a second view is what the encoder sees, and the first one tells what was
        // there. With one view the encoder does not see the masked frames at all.
        let pair = self.mask.is_some() && batch.views == 2;
        let (whole, seen) = match pair {
            true => {
                let views = batch.values.chunk(2, 0);
                (views[0].shallow_clone(), views[1].shallow_clone())
            }
            false => (batch.values.shallow_clone(), batch.values.shallow_clone()),
        };
        let device = seen.device();
        let masked = match (&self.mask, self.frames, &batch.masks) {
            (Some(_), Some(frames), Some(masks)) => {
                let last = &masks[rows - seen.size()[0] as usize..];
                Some(Masked::of_clips(last, frames, count, pass, device)?)
            }
            (Some(mask), Some(frames), None) => {
                Some(Masked::draw(mask, [seen.size()[0] as usize, frames.count(count)], pass, device))
            }
            _ => None,
        };
        let places = batch.masks.as_ref().filter(|_| batch.masking == Masking::Dropped);
        let places = places.map(|dropped| Places::new(dropped, count, device));
        // Where something else stands there, it is seen as it is.
        let unseen = masked.as_ref().filter(|_| batch.masking != Masking::Filled);
        let unseen = unseen.map(|masked| &masked.unseen);
        let clips = Clips { values: &seen, mask: unseen, places: places.as_ref() };
        let encoded = self.encoder.encode(pass, &clips);
        let projections = self.projector.as_ref().map(|projector| projector.forward(pass, &encoded.vector));
        let predictions = self.predictor.as_ref().zip(projections.as_ref());
        let quantised = match (&self.quantizer, &encoded.frames, &masked) {
            (Some(quantizer), Some(frames), Some(masked)) => {
                Some(quantizer.quantise(pass, &masked.pick(&frames.features)))
            }
            _ => None,
        };
        let outputs = Outputs {
            views: batch.views,
            clips: batch.clips.clone(),
            items: batch.items.clone(),
            predictions: predictions.map(|(predictor, projections)| predictor.forward(pass, projections)),
            projections,
            taught: teacher.map(|teacher| teacher.project(pass, &clips)),
            frames: encoded.frames,
            masked,
            quantised,
            targets: batch.targets.as_ref().map(Tensor::shallow_clone),
            features: batch.features.as_ref().map(Tensor::shallow_clone),
            whole,
        };
        let loss = self.loss(pass, &outputs).ok_or_else(|| {
            Error::Input("an objective lacks what it needs, although the parameters were checked".into())
        })?;
        let projections = outputs.projections.map(|projections| projections.detach());
        Ok(Step { loss, vectors: encoded.vector.detach(), projections })
    }

    fn loss(&self, pass: &Pass, outputs: &Outputs) -> Option<Loss> {
        let mut sum: Option<Loss> = None;
        for (objective, weight) in self.objectives.iter().zip(&self.weights) {
            let Loss { value, measures } = objective.loss(pass, outputs, self.quantizer.as_ref())?;
            let value = value * *weight;
            sum = Some(match sum {
                None => Loss { value, measures },
                Some(mut so_far) => {
                    for (name, measure) in measures {
                        // A second accuracy is another one.
                        let taken = |name: &str| so_far.measures.iter().any(|(known, _)| known == name);
                        let others = (2..).map(|number| format!("{name}_{number}"));
                        let free = std::iter::once(name.clone()).chain(others).find(|name| !taken(name));
                        let name = free.unwrap_or(name);
                        so_far.measures.push((name, measure));
                    }
                    Loss { value: so_far.value + value, measures: so_far.measures }
                }
            });
        }
        sum
    }

    /// What a checkpoint keeps: everything but what the objectives count from step to step.
    pub fn kept(&self) -> Named {
        named(self)
            .into_iter()
            .filter(|(name, _)| !COUNTED.iter().any(|counted| name.ends_with(counted)))
            .collect()
    }
}

#[cfg(test)]
mod tests;
