use std::sync::{Arc, OnceLock};

use etude_pipeline::flow::{Block, Flow, Header, SignalType};
use etude_pipeline::operator::{self, Body, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::products::Lanes;
use super::quantiser::Quantiser;
use super::stack::{self, Stack};
use super::{put, side_by_side};

use crate::Expect;

/// Names frames by a frozen random quantiser: targets of masked prediction (BEST-RQ, Chiu et al. 2022, arXiv
/// 2202.01855).
///
/// A frame, or `stack` of them put behind each other, is multiplied by a random matrix (Xavier's uniform, from as many
/// values as a stack has to `dim`) and named after the nearest of `entries` random vectors of length 1: that of the
/// greatest product, whatever the frame's own length. Bring values to mean 0 and deviation 1 above it (`standardise`),
/// or few names are ever used.
///
/// There is a channel for each of `codebooks` quantisers, with names from 0 to `entries` − 1, and a frame for each
/// complete stack, `stack` hops apart. A mask then covers the stacks of which it covers a frame. Matrices and vectors
/// depend on `seed` and the sizes alone, on no stage and no data: stages with the same `seed` give the same names. With
/// `stack: 1` and the `seed` that a checkpoint's description has, they are those of the objective
/// `masked_cross_entropy` that stands first in its `train`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomProjection {
    /// Quantisers, each of its own, 1 to 64.
    #[serde(default = "default_codebooks")]
    #[schemars(range(min = 1, max = 64))]
    codebooks: usize,
    /// Vectors of a codebook, 2 to 65536. All codebooks together have at most 2²⁶ values (256 MiB).
    #[serde(default = "default_entries")]
    #[schemars(range(min = 2, max = 65536))]
    entries: usize,
    /// Values of such a vector, 1 to 1024.
    #[serde(default = "default_dim")]
    #[schemars(range(min = 1, max = 1024))]
    dim: usize,
    /// Frames that get one name together, 1 to 64.
    #[serde(default = "default_stack")]
    #[schemars(range(min = 1, max = 64))]
    stack: usize,
    /// What matrices and vectors are drawn by.
    #[serde(default)]
    seed: u64,
}

fn default_codebooks() -> usize {
    1
}

fn default_entries() -> usize {
    8192
}

fn default_dim() -> usize {
    16
}

fn default_stack() -> usize {
    1
}

/// Values that all codebooks may have, and all matrices.
const MOST: usize = 1 << 26;

impl Declare for RandomProjection {
    const NAME: &'static str = "random_projection";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for RandomProjection {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless((1..=64).contains(&self.codebooks), "codebooks", "must be from 1 to 64")?;
        Invalid::unless((2..=65536).contains(&self.entries), "entries", "must be from 2 to 65536")?;
        Invalid::unless((1..=1024).contains(&self.dim), "dim", "must be from 1 to 1024")?;
        Invalid::unless((1..=64).contains(&self.stack), "stack", "must be from 1 to 64")?;
        let values = self.codebooks * self.entries * self.dim;
        let message =
            format!("is too large: all codebooks together may have {MOST} values, and have {values}");
        Invalid::unless(values <= MOST, "entries", message)
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        // What was left out cannot be counted in stacks.
        let signal = crate::signal(inputs)?;
        let signal = if self.stack > 1 { signal.in_time()? } else { signal };
        let channels = signal.one_width()?;
        let values = self.codebooks * self.dim * usize::from(channels) * self.stack;
        let message = format!("the matrices would have {values} values, and may have {MOST}");
        Invalid::unless(values <= MOST, "dim", message)?;
        let stack = self.stack as u64;
        Ok(Flow::Signal(SignalType {
            hop: hop(signal.hop, self.stack).map_err(Invalid::by("stack"))?,
            channels: Some(u16::try_from(self.codebooks).map_err(|error| error.to_string())?),
            planes: 1,
            frames: signal.frames.map(|frames| frames / stack),
            most_frames: signal.most_frames.map(|frames| frames / stack),
            ..signal
        }))
    }

    fn body(&self) -> Body {
        let quantiser = self.clone();
        // Threads share what is drawn, as long as all signals have as many channels.
        let drawn = Arc::new(OnceLock::new());
        Body::Map(Box::new(move |_| {
            Box::new(Work {
                stack: Stack::new(quantiser.stack),
                quantiser: quantiser.clone(),
                shared: drawn.clone(),
                drawn: None,
                rows: Vec::new(),
                projected: Vec::new(),
                header: Header::default(),
                names: Block::default(),
            })
        }))
    }
}

/// The samples from one stack to the next.
fn hop(hop: u32, stack: usize) -> Result<u32, String> {
    let product = u32::try_from(stack).ok().and_then(|stack| hop.checked_mul(stack));
    product.ok_or_else(|| format!("`stack` is too large: {stack} times a hop of {hop} samples"))
}

struct Work {
    quantiser: RandomProjection,
    stack: Stack,
    shared: Arc<OnceLock<Arc<Drawn>>>,
    drawn: Option<Arc<Drawn>>,
    rows: Vec<Lanes>,
    projected: Vec<Lanes>,
    header: Header,
    names: Block,
}

/// The quantisers for signals of that many channels.
struct Drawn {
    channels: u16,
    quantisers: Vec<Quantiser>,
}

impl Work {
    fn draw(&self, channels: u16) -> Arc<Drawn> {
        let RandomProjection { codebooks, entries, dim, stack, seed } = self.quantiser;
        let draw = || {
            let quantisers = Quantiser::draw(seed, codebooks, usize::from(channels) * stack, entries, dim);
            Arc::new(Drawn { channels, quantisers })
        };
        let shared = self.shared.get_or_init(draw);
        if shared.channels == channels { shared.clone() } else { draw() }
    }
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        if self.drawn.as_ref().is_none_or(|drawn| drawn.channels != header.channels) {
            self.drawn = Some(self.draw(header.channels));
        }
        self.stack.begin(usize::from(header.channels));
        let size = self.quantiser.stack as u64;
        self.header.clone_from(header);
        self.header.frames = header.frames.map(|frames| frames / size);
        // A mask of what was left out counts more frames than there are.
        if size > 1 {
            stack::mask(&mut self.header, size);
        }
        self.header.hop = header.hop * self.quantiser.stack as u32;
        self.header.channels = self.quantiser.codebooks as u16;
        self.header.planes = 1;
        output.begin(&self.header)
    }

    fn block(&mut self, block: &mut Block, output: &mut dyn Output) -> Step {
        let Some(drawn) = &self.drawn else { return Ok(()) };
        let stacks = self.stack.push(block);
        if stacks.frames() == 0 {
            return Ok(());
        }
        let names = &mut self.names;
        names.resize(drawn.quantisers.len(), stacks.frames());
        side_by_side(stacks, &mut self.rows, |from, frames| {
            for (channel, quantiser) in drawn.quantisers.iter().enumerate() {
                put(&quantiser.name(frames, &mut self.projected), &mut names.channel_mut(channel)[from..]);
            }
        });
        output.block(&mut self.names)
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        output.end()
    }
}
