//! The stages beside the main input that a chain takes clips from.

use etude_pipeline::flow::{Flow, SignalType, Unit};
use etude_pipeline::operator::{Context, Port, Stop};

use super::impulse::{self, Impulses};
use super::sounds::{Sounds, Stored};

/// Where `background` takes its clips from.
pub const BACKGROUND: Port = Port {
    name: "background",
    many: false,
    optional: true,
    about: "clips that the step `background` mixes in: `shards` of the same rate",
};

/// Where `impulse` takes its clips from.
pub const IMPULSES: Port = Port {
    name: "impulses",
    many: false,
    optional: true,
    about: "impulse responses for the step `impulse`: `shards` of the same rate",
};

/// Clips of other stages, opened once a worker.
#[derive(Default)]
pub struct Side {
    pub background: Option<Box<dyn Sounds>>,
    pub impulses: Option<Impulses>,
}

impl Side {
    /// Opens the stages that the file names.
    pub fn open(context: &Context) -> Result<Self, Stop> {
        let stage = |port: Port| context.side(port.name).first().map(|input| Stored::open(port.name, input));
        Ok(Self {
            background: stage(BACKGROUND).transpose()?.map(|stored| Box::new(stored) as Box<dyn Sounds>),
            impulses: stage(IMPULSES)
                .transpose()?
                .map(|stored| Impulses::new(Box::new(stored), impulse::KEPT)),
        })
    }
}

/// That there are no clips, which is said before anything runs.
pub fn missing(port: &Port) -> Stop {
    Stop::Transient { message: format!("`{}` names no stage", port.name) }
}

/// Whether a stage gives clips that can be used beside others.
pub fn suits(port: &str, flow: &Flow, signal: &SignalType) -> Result<(), String> {
    let side = match flow {
        Flow::Signal(side) if side.hop == 1 && side.unit == Unit::Clip => side,
        other => return Err(format!("`{port}` expects clips that `op: shards` keeps, not {other}")),
    };
    if let (Some(here), Some(there)) = (signal.rate, side.rate) {
        same_rate(port, here, there)?;
    }
    if let (Some(here), Some(there)) = (signal.channels, side.channels) {
        same_channels(port, usize::from(here), usize::from(there))?;
    }
    Ok(())
}

/// Errors: another rate.
pub fn same_rate(port: &str, here: u32, there: u32) -> Result<(), String> {
    if here == there {
        return Ok(());
    }
    Err(format!(
        "clips at `{port}` have {there} Hz, and these {here} Hz: put `op: resample` above its shards"
    ))
}

/// Errors: neither one channel nor as many.
pub fn same_channels(port: &str, here: usize, there: usize) -> Result<(), String> {
    if there == 1 || here == there {
        return Ok(());
    }
    Err(format!(
        "clips at `{port}` have {there} channels, and these {here}: decode them with `channels: mono`"
    ))
}
