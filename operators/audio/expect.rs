//! What operators expect of a signal.

use etude_pipeline::flow::{Flow, Masking, Sampling, SignalType, Unit};
use etude_pipeline::operator::{Inputs, Invalid};

/// The main input as a signal.
pub fn signal(inputs: &Inputs<'_>) -> Result<SignalType, String> {
    match inputs.one("from")? {
        Flow::Signal(signal) => Ok(signal.clone()),
        other => Err(format!("expects recordings or clips, not {other}")),
    }
}

/// What an operator expects of a signal, or what to do about it.
pub trait Expect: Sized {
    /// Audio, not features.
    fn audio(self) -> Result<Self, String>;

    /// Features, not audio.
    fn features(self) -> Result<Self, String>;

    /// Clips, which fit in memory.
    fn clips(self) -> Result<Self, String>;

    /// All frames of a clip: what was left out cannot be counted.
    fn complete(self) -> Result<Self, String>;

    /// Frames that follow each other in time, all of them.
    fn in_time(self) -> Result<Self, String>;

    /// No mask yet: the operator changes what would be masked, or when, or masks itself.
    fn unmasked(self) -> Result<Self, String>;

    /// One view of each clip: the operator would not keep several together.
    fn one_view(self) -> Result<Self, String>;

    /// One rate for all items.
    fn one_rate(&self) -> Result<u32, String>;

    /// One number of channels for all items.
    fn one_width(&self) -> Result<u16, String>;

    /// Frames that are the same for all items.
    fn sampled(&self) -> Result<Sampling, String>;
}

impl Expect for SignalType {
    fn audio(self) -> Result<Self, String> {
        unless(self.hop == 1, self, "expects audio, not features")
    }

    fn features(self) -> Result<Self, String> {
        unless(self.hop != 1, self, "expects features, such as those of `op: mel`, not audio")
    }

    fn clips(self) -> Result<Self, String> {
        let clips = self.unit == Unit::Clip;
        unless(clips, self, "expects clips, not whole recordings: put `op: segment` above it")
    }

    fn complete(self) -> Result<Self, String> {
        let all = self.masking != Masking::Dropped;
        let below =
            "expects clips with all their frames, and `op: drop_tokens` has left some out: put it below";
        unless(all, self, below)
    }

    fn in_time(self) -> Result<Self, String> {
        let signal = self.complete()?;
        let above = "expects frames that follow each other in time: put it above `op: patchify`";
        unless(!signal.tokens, signal, above)
    }

    fn unmasked(self) -> Result<Self, String> {
        let unmasked = self.masking == Masking::None;
        unless(unmasked, self, "expects clips that are not masked yet: put it above what masks them")
    }

    fn one_view(self) -> Result<Self, String> {
        unless(self.views == 1, self, "expects one view of each clip: put it above `op: crop`")
    }

    fn one_rate(&self) -> Result<u32, String> {
        Ok(self.rate.ok_or("expects one rate: put `op: resample` above it")?)
    }

    fn one_width(&self) -> Result<u16, String> {
        Ok(self.channels.ok_or("expects the same number of channels for all items")?)
    }

    fn sampled(&self) -> Result<Sampling, String> {
        let Self { hop, planes, .. } = *self;
        Ok(Sampling { rate: self.one_rate()?, hop, channels: self.one_width()?, planes })
    }
}

fn unless<T>(right: bool, value: T, message: &str) -> Result<T, String> {
    if right { Ok(value) } else { Err(message.into()) }
}

/// Errors: a list of views that names none.
pub fn check_views(views: Option<&[u32]>) -> Result<(), Invalid> {
    Invalid::unless(
        views.is_none_or(|views| !views.is_empty()),
        "views",
        "names no view: leave it out for all",
    )
}

/// Errors: a view is named that there is not.
pub fn suit_views(views: Option<&[u32]>, count: u32) -> Result<(), Invalid> {
    match views.into_iter().flatten().find(|view| **view >= count) {
        Some(view) => {
            Err(Invalid::of("views", format!("there is no view {view}: clips have {count}, counted from 0")))
        }
        None => Ok(()),
    }
}
