//! Cuts features into patches.

mod grid;
#[cfg(test)]
mod tests;

use etude_pipeline::flow::{Block, Flow, Header, SignalType};
use etude_pipeline::operator::{
    self, Body, Context, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use grid::Grid;

use crate::Expect;

/// Cuts each clip into patches of `bins` × `frames` that do not overlap; each becomes a token, which is one frame of
/// the output.
///
/// `[planes · n_bins, n]` becomes `[planes · bins · frames, tokens]` with (n_bins / bins) · ⌊n / frames⌋ tokens: first
/// those of the lowest bins, one behind the other in time, then those of the bins above, and so on. Of the values of a
/// token the first plane comes first, of a plane the lowest bin, of a bin the first frame. That is the order of
/// `torch.nn.Unfold` and, with one plane, of the encoder `vit`. MusicFM stacks 4 frames: `{frames: 4}`.
///
/// Frames at the end that do not fill a patch are dropped and counted (`left_over_frames`); a clip that is shorter than
/// a patch gives none and is counted (`too_short`). A token is masked where any of its frames is. The hop becomes
/// hop · `frames`, from a token to the next in time; where bins are cut apart, a token's number is not its time. Of
/// audio a patch is a run of samples.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Patchify {
    /// Frames of a patch, 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    frames: u16,
    /// Bins of a patch, 1 to 65535; they have to divide the bins of a plane. All of them by default.
    #[serde(default)]
    #[schemars(range(min = 1, max = 65535))]
    bins: Option<u16>,
}

impl Declare for Patchify {
    const NAME: &'static str = "patchify";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Patchify {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(self.frames >= 1, "frames", "must be from 1 to 65535")?;
        Invalid::unless(self.bins != Some(0), "bins", "must be from 1 to 65535")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = crate::signal(inputs)?.clips()?.in_time()?;
        let channels = signal.one_width()?;
        let grid = Grid::of(self, channels, signal.planes);
        if grid.bands * grid.bins * grid.planes != usize::from(channels) {
            let bins = channels / signal.planes.max(1);
            let message = format!("`bins` does not divide the bins of a frame, {} of {bins}", grid.bins);
            return Err(Invalid::of("bins", message));
        }
        let message = format!("a patch has {} values, and a frame holds at most 65535", grid.values());
        let channels = u16::try_from(grid.values()).map_err(|_| Invalid::of("frames", message))?;
        let hop = signal.hop.checked_mul(self.frames.into());
        let long = || Invalid::of("frames", "`frames` makes the hop longer than 2^32 samples");
        let hop = hop.ok_or_else(long)?;
        if let Some(frames) = signal.frames.or(signal.most_frames).filter(|frames| grid.columns(*frames) == 0)
        {
            let message = format!("`frames` is more than the clips have, {} of {frames}", self.frames);
            return Err(Invalid::of("frames", message));
        }
        let tokens = |frames: u64| grid.columns(frames) * grid.bands as u64;
        let (frames, most_frames) = (signal.frames.map(tokens), signal.most_frames.map(tokens));
        let tokens = grid.bands > 1;
        Ok(Flow::Signal(SignalType { hop, channels: Some(channels), frames, most_frames, tokens, ..signal }))
    }

    fn body(&self) -> Body {
        let patchify = self.clone();
        Body::Map(Box::new(move |context| {
            Box::new(Work {
                patchify: patchify.clone(),
                context,
                grid: None,
                header: Header::default(),
                tokens: Block::default(),
                part: Block::default(),
                at: 0,
            })
        }))
    }
}

struct Work {
    patchify: Patchify,
    context: Context,
    /// None for a clip that is left out.
    grid: Option<Grid>,
    header: Header,
    tokens: Block,
    part: Block,
    /// Frames that have come.
    at: usize,
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        let grid = Grid::of(&self.patchify, header.channels, header.planes);
        let frames = header.frames.unwrap_or(0);
        let columns = grid.columns(frames);
        self.at = 0;
        self.grid = (columns > 0).then_some(grid);
        if columns == 0 {
            output.count("too_short", 1);
            return Ok(());
        }
        output.count("left_over_frames", frames - columns * grid.frames as u64);
        let tokens = columns as usize * grid.bands;
        self.tokens.resize(grid.values(), tokens);
        self.header.clone_from(header);
        self.header.hop = header.hop.saturating_mul(grid.frames as u32);
        self.header.channels = grid.values() as u16;
        self.header.frames = Some(tokens as u64);
        if let Some(mask) = &mut self.header.mask {
            grid.mask(mask, columns);
        }
        output.begin(&self.header)
    }

    fn block(&mut self, block: &mut Block, _: &mut dyn Output) -> Step {
        if let Some(grid) = &self.grid {
            grid.add(block, self.at, &mut self.tokens);
            self.at += block.frames();
        }
        Ok(())
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        if self.grid.take().is_none() {
            return Ok(());
        }
        let all = (0, self.tokens.frames());
        crate::give(&self.tokens, all, self.context.block, &mut self.part, output)?;
        output.end()
    }
}
