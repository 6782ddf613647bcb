//! The audio operators: one folder each, one line each in [`OPERATORS`].

pub mod augment;
pub mod axis_shift;
pub mod bert_mask;
pub mod chroma;
mod collected;
pub mod compress;
pub mod cqt;
pub mod crop;
pub mod decode;
pub mod drop_tokens;
pub mod filter;
pub mod flac;
pub mod framed;
#[cfg(test)]
mod harness;
pub mod k_means;
pub mod mask;
pub mod measure;
pub mod mel;
pub mod metadata;
pub mod mfcc;
pub mod midi;
pub mod n_grams;
pub mod neighbours;
pub mod normalise;
pub mod notes;
pub mod patchify;
pub mod pool;
pub mod render;
pub mod resample;
pub mod scan;
pub mod segment;
pub mod shards;
pub mod spec_augment;
mod spectrum;
pub mod split;
pub mod sql;
pub mod standardise;
pub mod statistics;
pub mod stft;
mod stream;
pub mod tokens;
pub mod vectors;
mod whole;

use etude_pipeline::flow::{Block, Flow, Masking, SignalType, Unit};
use etude_pipeline::operator::{Declaration, Inputs, Invalid, Output, Port, Step};

/// All audio operators.
pub const OPERATORS: &[Declaration] = &[
    Declaration::of::<scan::Scan>(),
    Declaration::of::<metadata::Metadata>(),
    Declaration::of::<notes::Notes>(),
    Declaration::of::<sql::Sql>(),
    Declaration::of::<split::Split>(),
    Declaration::of::<decode::Decode>(),
    Declaration::of::<render::Render>(),
    Declaration::of::<resample::Resample>(),
    Declaration::of::<filter::Filter>(),
    Declaration::of::<segment::Segment>(),
    Declaration::of::<normalise::Normalise>(),
    Declaration::of::<shards::Shards>(),
    Declaration::of::<crop::Crop>(),
    Declaration::of::<neighbours::Neighbours>(),
    Declaration::of::<augment::Augment>(),
    Declaration::of::<stft::Stft>(),
    Declaration::of::<mel::Mel>(),
    Declaration::of::<mfcc::Mfcc>(),
    Declaration::of::<chroma::Chroma>(),
    Declaration::of::<cqt::Cqt>(),
    Declaration::of::<compress::Compression>(),
    Declaration::of::<standardise::Standardisation>(),
    Declaration::of::<n_grams::NGrams>(),
    Declaration::of::<spec_augment::SpecAugment>(),
    Declaration::of::<axis_shift::AxisShift>(),
    Declaration::of::<patchify::Patchify>(),
    Declaration::of::<mask::Mask>(),
    Declaration::of::<bert_mask::BertMask>(),
    Declaration::of::<drop_tokens::DropTokens>(),
    Declaration::of::<tokens::RandomProjection>(),
    Declaration::of::<tokens::Assign>(),
    Declaration::of::<statistics::Statistics>(),
    Declaration::of::<k_means::KMeans>(),
    Declaration::of::<pool::Pool>(),
];

/// The main input of an operator on signals.
const SIGNAL: Port = Port { name: "from", many: false, optional: false, about: "the signals" };

/// The main input as a signal.
fn signal(inputs: &Inputs<'_>) -> Result<SignalType, String> {
    match inputs.one("from")? {
        Flow::Signal(signal) => Ok(signal.clone()),
        other => Err(format!("expects recordings or clips, not {other}")),
    }
}

/// The main input as a signal whose frames follow each other in time, all of them.
fn whole_signal(inputs: &Inputs<'_>) -> Result<SignalType, String> {
    match signal(inputs)? {
        signal if signal.masking == Masking::Dropped => {
            Err("expects clips with all their frames, and `op: drop_tokens` has left some out: put it below"
                .into())
        }
        signal if signal.tokens => {
            Err("expects frames that follow each other in time: put it above `op: patchify`".into())
        }
        signal => Ok(signal),
    }
}

/// The main input as audio, not features.
pub fn audio(inputs: &Inputs<'_>) -> Result<SignalType, String> {
    match signal(inputs)? {
        signal if signal.hop == 1 => Ok(signal),
        _ => Err("expects audio, not features".into()),
    }
}

/// The main input as clips, which fit in memory.
pub fn clips(inputs: &Inputs<'_>) -> Result<SignalType, String> {
    match audio(inputs)? {
        signal if signal.unit == Unit::Clip => Ok(signal),
        _ => Err("expects clips, not whole recordings: put `op: segment` above it".into()),
    }
}

/// Errors: a list of views that names none.
fn check_views(views: Option<&[u32]>) -> Result<(), Invalid> {
    Invalid::unless(
        views.is_none_or(|views| !views.is_empty()),
        "views",
        "names no view: leave it out for all",
    )
}

/// Errors: views, which have to stay together, or a mask, which would have to be moved along, above an operator that does
/// neither.
fn one_unmasked(signal: &SignalType) -> Result<(), String> {
    match signal {
        SignalType { views: 2.., .. } => Err("expects one view of each clip: put it above `op: crop`".into()),
        signal => unmasked(signal),
    }
}

/// Errors: a mask above an operator that changes what is masked, or when.
fn unmasked(signal: &SignalType) -> Result<(), String> {
    match signal.masking {
        Masking::None => Ok(()),
        _ => Err("expects clips that are not masked yet: put it above what masks them".into()),
    }
}

/// Errors: a view is named that there is not.
fn suit_views(views: Option<&[u32]>, count: u32) -> Result<(), String> {
    match views.into_iter().flatten().find(|view| **view >= count) {
        Some(view) => Err(format!("there is no view {view}: clips have {count}, counted from 0")),
        None => Ok(()),
    }
}

/// Hands a clip on in blocks of at most `length` frames.
fn give(clip: &Block, length: usize, output: &mut dyn Output) -> Step {
    let mut from = 0;
    while from < clip.frames() {
        let to = clip.frames().min(from + length.max(1));
        output.block(clip.slice(from, to))?;
        from = to;
    }
    Ok(())
}
