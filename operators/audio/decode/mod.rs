//! Decodes recordings.

mod about;
mod codec;
mod coded;
mod container;
mod failure;
mod gather;
pub mod isolate;
mod limits;
mod mix;
mod open;
mod pcm;
mod range;
mod source;
mod stream;

use std::path::Path;

use etude_pipeline::flow::{Flow, Header, SignalType, Unit};
use etude_pipeline::operator::{
    self, Body, Context, Declare, Inputs, Invalid, Item, Operator, Output, Port, Scope, Step, Stop,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use failure::guarded;
use gather::Gather;
use source::Watch;

pub use about::{About, about};
pub use failure::Failure;
pub use limits::Limits;
pub use range::Range;
pub use stream::Stream;

/// Decodes recordings: WAV (also RF64 and W64), AIFF, CAF, AU, FLAC, MP3 (also layers 1 and 2), Ogg Vorbis,
/// Opus, AAC-LC and ALAC, in their own files or in Ogg, MP4, Matroska and WebM.
///
/// Encoder delay and padding are trimmed where the file tells them. What kind of file it is is
/// read from its content, not from its name; a codec that is not decoded is rejected by its name.
/// Samples are 32-bit floats, full scale is ±1.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decode {
    /// What becomes of several channels.
    #[serde(default)]
    channels: Channels,
    /// The part of each recording that is decoded: all of it unless given. It is sought. Formats without
    /// loss, and WAV, give exactly what a cut of the whole recording would give; with other codecs the
    /// decoder begins earlier and has settled where the range begins: what differs from that cut is at least
    /// 90 dB down. A recording that ends before the range begins is filtered.
    #[serde(default)]
    range: Option<Range>,
    /// What becomes of a recording that is damaged.
    #[serde(default)]
    on_damage: OnDamage,
    /// What one recording may take.
    #[serde(default)]
    limits: Limits,
    /// Whether each recording is decoded in a process of its own, so that a decoder that aborts or takes
    /// all memory costs one recording and not the run. It is slower; the result is the same.
    #[serde(default)]
    #[schemars(extend("x-kind" = "location"))]
    isolate: bool,
}

/// What becomes of several channels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// All are kept, in the order of WAV.
    #[default]
    Keep,
    /// Their mean.
    Mono,
    /// The first one.
    First,
}

/// What becomes of a recording that is damaged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDamage {
    /// It is rejected.
    #[default]
    Drop,
    /// What can be decoded before and behind the damage is kept, and each damaged place is counted
    /// (`skipped_packets`). A recording of which nothing can be decoded is rejected all the same.
    Keep,
}

impl Declare for Decode {
    const NAME: &'static str = "decode";
    const VERSION: u32 = 5;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] =
        &[Port { name: "from", many: false, optional: false, about: "the items of a scan" }];
}

impl Operator for Decode {
    fn check(&self) -> Result<(), Invalid> {
        self.range.as_ref().map_or(Ok(()), Range::check)?;
        self.limits.check()
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        match inputs.one("from")? {
            Flow::Items => {}
            other => return Err(format!("expects the items of a scan, not {other}").into()),
        }
        let channels = if self.channels == Channels::Keep { None } else { Some(1) };
        Ok(Flow::Signal(SignalType::audio(None, channels, Unit::Recording)))
    }

    fn body(&self) -> Body {
        let decode = self.clone();
        Body::Read(Box::new(move |context| Box::new(Reader { decode: decode.clone(), context })))
    }
}

struct Reader {
    decode: Decode,
    context: Context,
}

impl operator::Read for Reader {
    fn read(&mut self, item: &Item, output: &mut dyn Output) -> Step {
        if self.decode.isolate {
            isolate::read(&self.decode, item, &self.context, output)
        } else {
            read_here(&self.decode, item, &self.context, output)
        }
    }
}

/// Decodes an item in this process.
pub fn read_here(decode: &Decode, item: &Item, context: &Context, output: &mut dyn Output) -> Step {
    let watch = Watch::default();
    watch.judge(read_watched(decode, item, context, output, &watch))
}

fn read_watched(
    decode: &Decode,
    item: &Item,
    context: &Context,
    output: &mut dyn Output,
    watch: &Watch,
) -> Step {
    let spent = decode.limits.begin();
    let at = |seconds: f64| format!("{seconds:.3} s, {}", watch.place());
    let opening = |failure: Failure| stop(failure, watch.place());
    let extension = Path::new(&*item.key).extension().and_then(|extension| extension.to_str());
    let open = || {
        let source = item.open()?;
        spent.bytes(source.length())?;
        let source = watch.source(source);
        guarded(|| Stream::of(Box::new(source), extension, decode.channels)).map_err(opening)
    };
    let mut stream = open()?;
    let mut start = 0;
    if let Some(range) = &decode.range {
        let (from, to) = range.frames(stream.rate());
        start = from;
        if from == 0 {
            stream.cut(from, to);
        } else if guarded(|| stream.seek(from, to)).is_err() {
            // What cannot be sought is decoded from its begin.
            stream = open()?;
            stream.cut(from, to);
        }
    }
    let channels = stream.channels();
    let places = u16::try_from(channels).unwrap_or(u16::MAX);
    let mut header = Some(Header::audio(item.key.clone(), start, stream.rate(), places, None));
    let mut gather = Gather::new(channels, context.block);
    let mut skipped = 0;
    let rate = f64::from(stream.rate());
    loop {
        context.check()?;
        let seconds = stream.position() as f64 / rate;
        spent.time(&|| at(seconds))?;
        match guarded(|| stream.packet()) {
            Ok(None) => break,
            Ok(Some([plane, ..])) if plane.is_empty() => {}
            Ok(Some(planes)) => {
                if let Some(header) = header.take() {
                    output.begin(&header)?;
                }
                gather.push(planes, output)?;
                if let Err(stop) = spent.frames(stream.frames(), &|| at(seconds)) {
                    gather.flush(output)?;
                    return Err(stop);
                }
            }
            Err(Failure::Bad { class, .. }) if decode.on_damage == OnDamage::Keep => {
                skipped += 1;
                // Nothing follows, nothing that belongs to what came before, or nothing to be relied on.
                if matches!(class, "truncated" | "format" | "panic") {
                    break;
                }
            }
            Err(failure) => {
                // What stands below may have a word to say on what came before, whatever the block length.
                gather.flush(output)?;
                return Err(stop(failure, at(seconds)));
            }
        }
    }
    if let Some(header) = header {
        return Err(nothing(decode, &header));
    }
    gather.flush(output)?;
    output.count("skipped_packets", skipped);
    output.count("not_finite_samples", stream.not_finite());
    output.end()
}

/// Why an item gives no frame at all.
fn nothing(decode: &Decode, header: &Header) -> Stop {
    match &decode.range {
        Some(range) => Stop::Filtered {
            reason: format!("nothing lies in the range of {}, at {} Hz", range.describe(), header.rate),
        },
        None => stop(failure::bad("empty", "the file has no audio frame"), "0.000 s".into()),
    }
}

fn stop(failure: Failure, offset: String) -> Stop {
    match failure {
        Failure::Io(message) => Stop::Transient { message },
        Failure::Bad { class, message } => Stop::Rejected { class, offset, message },
    }
}
