//! Trains an encoder.

mod head;
mod mix;

use std::path::PathBuf;
use std::sync::Arc;

use etude_audio::Expect;
use etude_pipeline::flow::{ArtifactType, Flow, Masking, Sampling, SignalType};
use etude_pipeline::operator::{Body, Declare, Inputs, Invalid, Operator, Port, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::encoder::Encoder;
use crate::objective::{Bands, Needs, Objective, Views};
use crate::optimizer::{Optimizer, Schedule};
use crate::range::{above_zero, within};
use crate::worker::Worker;

pub use etude_audio::mask::Spans as Mask;
pub use head::{HIDDEN, Norm, Predictor, Projector, Quantizer, Teacher};
pub use mix::{BatchMix, Mixup};

/// The name of the format.
pub const CHECKPOINT: &str = "checkpoint";

/// What operators draw that move sound within a clip.
const MOVES: [&str; 4] = ["time_stretch_rate", "shift_seconds", "reverse_applied", "axis_shift_frames"];

/// Where codes come from that an objective predicts.
pub const TARGETS: &str = "targets";
/// Where features come from that an objective predicts.
pub const FEATURES: &str = "features";
/// Both.
pub const SIDES: [&str; 2] = [TARGETS, FEATURES];

/// Trains an encoder on clips that shards keep, of audio or of features; gives a checkpoint.
///
/// The item operators between the shards and this stage run again every epoch with that epoch's
/// randomness. The checkpoint holds `model.safetensors`, `initial.safetensors` (the weights before
/// the first step), `teacher.safetensors` where there is one, `model.json` (how to rebuild the encoder) and
/// `metrics.parquet` (a row a step). The same seed and number of threads give the same weights, however often the
/// training was killed and resumed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// The encoder.
    pub encoder: Encoder,
    /// What leads from vectors to what an objective compares; where one does.
    #[serde(default)]
    pub projector: Option<Projector>,
    /// What leads from a projection to a guess at another one; where an objective makes one.
    #[serde(default)]
    pub predictor: Option<Predictor>,
    /// A copy of encoder and projector that follows them; where an objective looks at one.
    #[serde(default)]
    pub teacher: Option<Teacher>,
    /// Each view, of audio, with a part of another clip of the batch mixed in, at random.
    #[serde(default)]
    pub batch_mix: Option<BatchMix>,
    /// Each view, of audio or of features, mixed with that of another clip of the batch.
    #[serde(default)]
    pub mixup: Option<Mixup>,
    /// Which frames the encoder does not see, where an objective asks for them and the clips do not say it themselves
    /// (`op: mask`, `op: bert_mask`): a learned vector stands for them. All clips of a batch have as many masked frames as the one that
    /// has the fewest: of the others some are drawn that are seen after all, as fairseq does it.
    #[serde(default)]
    pub mask: Option<Mask>,
    /// What makes targets of frames; where an objective has such targets.
    #[serde(default)]
    pub quantizer: Option<Quantizer>,
    /// What training makes small.
    pub objective: Objective,
    /// How gradients become steps.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// How the learning rate changes.
    #[serde(default)]
    pub schedule: Schedule,
    /// What the length of all gradients together is brought down to where it is greater, above 0.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub clip_norm: Option<f64>,
    /// Clips of a batch, 2 to 65536. What does not fill a last step of an epoch is left out.
    #[serde(default = "default_batch")]
    #[schemars(range(min = 2, max = 65536))]
    pub batch: usize,
    /// Batches whose gradients are added up to one step, 1 to 65536: their mean counts.
    #[serde(default = "default_accumulate")]
    #[schemars(range(min = 1, max = 65536))]
    pub accumulate: usize,
    /// How often each clip is seen, 1 to 1000000. Either this or `steps`.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub epochs: Option<usize>,
    /// How many steps are taken, 1 to 1000000000. Either this or `epochs`.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub steps: Option<usize>,
    /// What is shuffled.
    #[serde(default)]
    pub unit: Unit,
    /// Megabytes (2^20) of shards whose clips are shuffled together, 1 to 1048576. Shards come in an order drawn for each epoch, and
    /// clips within as many of them as that holds, at least one. Of a store behind a URL about three times as much is
    /// brought to this machine at once; without it, all of it is, and a clip is as likely anywhere in an epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub window: Option<u64>,
    /// The numbers that layers compute with.
    #[serde(default)]
    pub precision: Precision,
    /// Weights to begin with, instead of `init_from`: a `.safetensors` file. Tensors that it lacks are drawn; one of another shape is an error.
    #[serde(default)]
    #[schemars(extend("x-kind" = "input"))]
    pub init_file: Option<PathBuf>,
    /// Where it is trained: `auto`, `cpu` or `cuda:N`.
    #[serde(default)]
    #[schemars(extend("x-kind" = "location"))]
    pub device: Device,
    /// Whether a GPU gives the same bits each time, which makes some operations slower; one that cannot ends the training with its
    /// name. A CPU does so in any case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("x-kind" = "location"))]
    pub deterministic: bool,
    /// Seconds between two saved states, 1 to 86400: what a training that is killed loses at most, or a step where that takes
    /// longer.
    #[serde(default = "default_save")]
    #[schemars(range(min = 1, max = 86400), extend("x-kind" = "location"))]
    pub save: f64,
    /// A folder for TensorBoard's event files.
    #[serde(default)]
    #[schemars(extend("x-kind" = "location"))]
    pub tensorboard: Option<PathBuf>,
}

/// What is shuffled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Clips.
    #[default]
    Clip,
    /// Recordings: their clips stay together.
    Item,
}

/// The numbers that layers compute with. Weights, gradients, norms and losses are f32 in either case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits with the range of 32 (bfloat16), in convolutions, linear layers and attention.
    Bf16,
}

fn default_batch() -> usize {
    64
}

fn default_accumulate() -> usize {
    1
}

/// Seconds between two saved states.
pub fn default_save() -> f64 {
    60.0
}

impl Declare for Train {
    const NAME: &'static str = "train";
    const VERSION: u32 = 6;
    const SCOPE: Scope = Scope::Dataset;
    const PORTS: &'static [Port] = &[
        Port { name: "from", many: false, optional: false, about: "views of clips that shards keep" },
        Port {
            name: "init_from",
            many: false,
            optional: true,
            about: "a training with whose weights this one begins",
        },
        Port {
            name: TARGETS,
            many: false,
            optional: true,
            about: "codes of the frames of the same clips, which an objective predicts: `assign` or `random_projection`",
        },
        Port {
            name: FEATURES,
            many: false,
            optional: true,
            about: "features of the frames of the same clips, which an objective predicts, such as `cqt`",
        },
    ];
}

impl Train {
    /// The heads that the objective asks for, and no others.
    fn check_heads(&self) -> Result<(), Invalid> {
        let needs = self.objective.needs();
        let name = self.objective.name();
        let head = |there: bool, needed: bool, parameter: &str| {
            Invalid::unless(!there || needed, parameter, format!("is not used: {name} needs none"))
        };
        head(self.projector.is_some(), needs.projector, "projector")?;
        head(self.predictor.is_some(), needs.predictor, "predictor")?;
        head(self.teacher.is_some(), needs.teacher, "teacher")?;
        head(self.mask.is_some(), needs.mask, "mask")?;
        head(self.quantizer.is_some(), needs.quantizer, "quantizer")?;
        let frames = self.encoder.frames();
        // Frames of features are their own targets.
        let samples = frames.filter(|_| !self.encoder.takes_tokens());
        if let (Some(bands), Some(frames)) = (self.bands().map(Bands::count).max(), samples) {
            let most = frames.field / 2 + 1;
            let message = format!("{bands} mel bands do not fit a frame of {} samples", frames.field);
            Invalid::unless(frames.field >= 16 && bands <= most, "objective", message)?;
        }
        let frames = frames.is_some();
        let message = format!(
            "gives no vector a frame, which {name} needs: take one that does, wav2vec2 of audio or transformer of features"
        );
        Invalid::unless(!needs.mask || frames, &format!("encoder.{}", self.encoder.name()), message)
    }

    /// The mel bands that objectives predict.
    fn bands(&self) -> impl Iterator<Item = Bands> {
        self.objective.terms().into_iter().filter_map(|term| term.chosen().bands())
    }

    /// The training that this one begins with fits the clips.
    fn check_begin(&self, inputs: &Inputs<'_>, sampling: Sampling) -> Result<(), String> {
        match inputs.one("init_from") {
            Err(_) => Ok(()),
            Ok(_) if self.init_file.is_some() => {
                Err("`init_from` and `init_file` both name weights to begin with".into())
            }
            Ok(Flow::Artifact(artifact)) if artifact.format == CHECKPOINT => match artifact.sampling {
                trained if trained == sampling => Ok(()),
                trained => Err(format!("`init_from` was trained on {trained}, the clips are {sampling}")),
            },
            Ok(other) => Err(format!("`init_from` expects a {CHECKPOINT}, not {other}")),
        }
    }

    /// What the objective predicts is there.
    fn check_targets(&self, signal: &SignalType, sampling: Sampling, frames: u64) -> Result<(), Invalid> {
        let (needs, name) = (self.objective.needs(), self.objective.name());
        if !sampling.is_audio() && self.bands().any(|Bands(said)| said.is_some()) {
            return Err(Invalid::of(
                "objective",
                format!("`n_mels` of {name} is not used: the clips are {sampling} already"),
            ));
        }
        match signal.masking {
            masking if masking.hides() && !needs.mask => {
                return Err(Invalid::of(
                    "objective",
                    format!(
                        "{name} predicts no masked frames, and what is masked with `fill: learned` would be seen: choose \
                     another fill, or another objective"
                    ),
                ));
            }
            Masking::Dropped if needs.mask => {
                return Err(Invalid::of(
                    "objective",
                    format!("{name} predicts masked frames, and `op: drop_tokens` keeps none of them"),
                ));
            }
            Masking::None => {}
            _ if self.mask.is_some() => {
                let message = "`mask` is not used: the clips say themselves which frames are masked";
                return Err(Invalid::of("mask", message));
            }
            _ => return Ok(()),
        }
        if let (true, Some(all)) = (needs.mask, self.encoder.frames()) {
            let (count, span) = (all.count(frames as usize), self.mask.clone().unwrap_or_default().length);
            if count <= span {
                let message = format!(
                    "clips have {count} frames, which one masked span of {span} covers: nothing is left to see"
                );
                return Err(Invalid::of("mask.length", message));
            }
        }
        Ok(())
    }

    /// What the objective predicts of other stages is there.
    fn check_sides(&self, inputs: &Inputs<'_>, clips: &SignalType) -> Result<(), Invalid> {
        let needs: [fn(Needs) -> bool; 2] = [|needs| needs.targets, |needs| needs.features];
        for (port, needs) in SIDES.into_iter().zip(needs) {
            let terms = self.objective.terms();
            let term = terms.iter().find(|term| needs(term.needs())).map(|term| term.name());
            match (inputs.one(port), term) {
                (Err(_), None) => {}
                (Err(_), Some(name)) => {
                    let message =
                        format!("{name} predicts `{port}` of another stage: name it, `{port}: STAGE`");
                    return Err(Invalid::of("objective", message));
                }
                (Ok(_), None) => {
                    let name = self.objective.name();
                    return Err(Invalid::of(
                        port,
                        format!("`{port}` is not used: {name} does not predict it"),
                    ));
                }
                (Ok(Flow::Signal(side)), Some(_)) => {
                    suits(side, clips).map_err(|message| Invalid::of(port, format!("`{port}` {message}")))?;
                }
                (Ok(other), Some(_)) => {
                    return Err(Invalid::of(port, format!("`{port}` expects what frames have, not {other}")));
                }
            }
        }
        let needs = self.objective.needs();
        if self.mixup.is_some() && (needs.targets || needs.features) {
            let message = "`mixup` would mix clips, and what other stages give to them not: `batch_mix` keeps that of the \
                           clip";
            return Err(Invalid::of("mixup", message));
        }
        Ok(())
    }

    /// Whether it predicts what a clip has at masked frames.
    fn predicts_clips(&self) -> bool {
        let mut needs = self.objective.terms().into_iter().map(|term| term.needs());
        // What says too little to be alone predicts nothing, unless it quantises what it sees.
        needs.any(|needs| {
            needs.mask && !needs.targets && !needs.features && (!needs.partial || needs.quantizer)
        })
    }

    /// What is mixed can be.
    fn check_mixing(&self, signal: &SignalType) -> Result<(), String> {
        let mixes = self.batch_mix.is_some() || self.mixup.is_some();
        if self.objective.needs().mask && signal.views == 2 && mixes {
            return Err("`batch_mix` and `mixup` would mix each view with another clip, and the first view is to tell \
                        what is masked in the second"
                .into());
        }
        if mixes && signal.masking == Masking::Dropped {
            return Err(
                "`batch_mix` and `mixup` would mix tokens of different places: `op: drop_tokens` leaves out \
                        others of each clip"
                    .into(),
            );
        }
        if self.batch_mix.is_some() && signal.hop != 1 {
            return Err("`batch_mix` adds sounds at a ratio of their levels, and the clips are features: \
                        `mixup` takes those"
                .into());
        }
        Ok(())
    }

    fn check_views(&self, views: u32, masking: Masking) -> Result<(), String> {
        let name = self.objective.name();
        let needs = self.objective.needs();
        match needs.views {
            // Codes of another stage are there, whatever has been put in their place.
            Views::One if views == 1 && !self.predicts_clips() => Ok(()),
            // What the first view has at the masked frames of the second.
            Views::One
                if views == 2
                    && matches!(masking, Masking::Filled | Masking::Mixed)
                    && needs.mask
                    && !needs.quantizer =>
            {
                Ok(())
            }
            _ if views == 1 && matches!(masking, Masking::Filled | Masking::Mixed) && needs.mask => {
                Err(format!(
                    "{name} predicts what is at masked frames, where something else has been put: take \
                 `fill: learned` (and `random: 0` of `op: bert_mask`), or put `op: crop` with `views: 2` above what masks and give that `views: [1]`"
                ))
            }
            Views::One if views == 2 && masking != Masking::None && needs.mask => Err(format!(
                "{name} makes its targets of what the encoder gives at masked frames: take one view, and `fill: learned`"
            )),
            Views::One if views != 1 => Err(format!(
                "{name} looks at one view of each clip, not {views}: put `op: crop` with `views: 1` above it"
            )),
            Views::Two if views != 2 => Err(format!(
                "the objective compares 2 views of each clip, not {views}: put `op: crop` with `views: 2` above it"
            )),
            Views::Some if views < 2 && self.unit == Unit::Clip => Err(format!(
                "{name} compares clips of one recording or views of one clip, and has one view: put `op: crop` with \
                 `views: 2` above it, or set `unit: item`"
            )),
            _ => Ok(()),
        }
    }
}

impl Operator for Train {
    fn check(&self) -> Result<(), Invalid> {
        self.encoder.check()?;
        self.objective.check()?;
        self.optimizer.check()?;
        self.schedule.check()?;
        self.projector.as_ref().map_or(Ok(()), Projector::check)?;
        self.predictor.as_ref().map_or(Ok(()), Predictor::check)?;
        self.teacher.as_ref().map_or(Ok(()), Teacher::check)?;
        self.mask.as_ref().map_or(Ok(()), |mask| mask.check("mask."))?;
        self.batch_mix.as_ref().map_or(Ok(()), BatchMix::check)?;
        self.mixup.as_ref().map_or(Ok(()), Mixup::check)?;
        self.quantizer.as_ref().map_or(Ok(()), Quantizer::check)?;
        self.check_heads()?;
        self.clip_norm.map_or(Ok(()), |norm| above_zero("clip_norm", norm, f64::MAX))?;
        within("batch", &self.batch, 2..=65536)?;
        self.window.map_or(Ok(()), |window| within("window", &window, 1..=1_048_576))?;
        within("accumulate", &self.accumulate, 1..=65536)?;
        let one = self.epochs.is_some() != self.steps.is_some();
        Invalid::unless(one, "epochs", "or `steps` has to be set, and not both")?;
        self.epochs.map_or(Ok(()), |epochs| within("epochs", &epochs, 1..=1_000_000))?;
        self.steps.map_or(Ok(()), |steps| within("steps", &steps, 1..=1_000_000_000))?;
        within("save", &self.save, 1.0..=86400.0)
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = crate::encoder::clips(inputs)?;
        let sampling = signal.sampled()?;
        let frames =
            signal.frames.ok_or("expects clips of equal length: segment with `tail: drop` or `pad`")?;
        self.check_begin(inputs, sampling).map_err(Invalid::by("init_from"))?;
        self.encoder.check_signal(sampling, frames).map_err(Invalid::by("encoder"))?;
        if !self.encoder.takes_tokens() {
            in_time(&signal, &self.encoder.name()).map_err(Invalid::by("encoder"))?;
        }
        self.check_targets(&signal, sampling, frames)?;
        self.check_sides(inputs, &signal)?;
        let mixing = if self.batch_mix.is_some() { "batch_mix" } else { "mixup" };
        self.check_mixing(&signal).map_err(Invalid::by(mixing))?;
        self.check_views(signal.views, signal.masking)?;
        let (tokens, width) = (self.encoder.takes_tokens(), self.encoder.width());
        Ok(Flow::Artifact(ArtifactType { format: CHECKPOINT, sampling, tokens, width }))
    }

    fn random(&self) -> bool {
        true
    }

    fn body(&self) -> Body {
        Body::Dataset(Arc::new(Worker { resumes: true, asks: self.window.is_some() }))
    }
}

/// Errors: frames that do not follow each other in time, to an encoder that expects them to.
pub fn in_time(signal: &SignalType, encoder: &str) -> Result<(), String> {
    let (what, op) = match signal {
        SignalType { masking: Masking::Dropped, .. } => ("all frames of a clip", "drop_tokens"),
        SignalType { tokens: true, .. } => ("frames that follow each other in time", "patchify"),
        _ => return Ok(()),
    };
    Err(format!("{encoder} expects {what}; the encoder `transformer` takes what `op: {op}` gives"))
}

/// Errors: what another stage gives to frames is not of these clips.
fn suits(side: &SignalType, clips: &SignalType) -> Result<(), String> {
    let side = side.clone().features()?.clips()?.in_time()?.one_view()?;
    let sampling = side.sampled()?;
    if Some(sampling.rate) != clips.rate {
        return Err(format!("is {sampling}, and the clips have {} Hz", clips.rate.unwrap_or_default()));
    }
    if clips.tokens || clips.masking == Masking::Dropped {
        return Err("follows the time, and the clips are tokens".into());
    }
    if !matches!(side.masking, Masking::None | Masking::Marked) {
        return Err("is of what a mask was filled with: take it of clips that are not masked".into());
    }
    // What both have drawn may have been drawn above the shards: the worker looks at their chains.
    let both = clips.drawn.iter().zip(&side.drawn).take_while(|(clip, side)| clip == side).count();
    let mut drawn = clips.drawn[both..].iter().chain(&side.drawn[both..]);
    match drawn.find(|name| MOVES.iter().any(|moves| name.starts_with(moves))) {
        Some(name) => Err(format!(
            "and the clips part: `{name}` moves sound within one of them. Put it above the shards, or leave it out"
        )),
        None => Ok(()),
    }
}
