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
mod drawn;
pub mod drop_tokens;
mod expect;
pub mod filter;
pub mod flac;
pub mod framed;
#[cfg(test)]
mod harness;
mod held;
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

use etude_pipeline::flow::Block;
use etude_pipeline::operator::{Declaration, Output, Port, Step};

pub use expect::{Expect, signal};
use expect::{check_views, suit_views};

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

/// Hands the frames `from..to` of a clip on in blocks of at most `length`, which are put together in `part`.
fn give(
    clip: &Block,
    (mut from, to): (usize, usize),
    length: usize,
    part: &mut Block,
    output: &mut dyn Output,
) -> Step {
    while from < to {
        let end = to.min(from + length.max(1));
        part.copy(clip, from, end);
        output.block(part)?;
        from = end;
    }
    Ok(())
}

/// Hands so many frames of zeros on in blocks of at most `length`.
fn give_zeros(
    channels: usize,
    mut frames: u64,
    length: usize,
    part: &mut Block,
    output: &mut dyn Output,
) -> Step {
    while frames > 0 {
        let count = usize::try_from(frames).unwrap_or(usize::MAX).min(length.max(1));
        part.resize(channels, count);
        part.samples_mut().fill(0.0);
        output.block(part)?;
        frames -= count as u64;
    }
    Ok(())
}
