//! Decodes in a helper process, so that a decoder that aborts, hangs or allocates without end costs one
//! recording and not the run.
//!
//! A helper is the program `etude` with the hidden command `decode-helper`. It serves one recording after
//! another and is replaced when it dies; there are as many as recordings that are read at a time. What it
//! says is handed on as it comes, so neither side holds a recording.

mod helper;
mod serve;
mod wire;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Context, Declare, Item, Output, Step, Stop};

use self::helper::{Helper, Next};
use self::wire::{Answer, Begin, Count, Frame, Kind, Request};
use super::Decode;
use super::limits::Spent;

pub use serve::serve;

/// How often the run looks whether it has been cancelled while the helper says nothing.
const PATIENCE: Duration = Duration::from_millis(50);

/// Helpers between two recordings. Any thread may take one: those that read ahead live for one recording.
/// They end with this process, which closes their input.
static IDLE: Mutex<Vec<Helper>> = Mutex::new(Vec::new());

fn idle() -> Option<Helper> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

fn keep(helper: Helper) {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(helper);
}

/// Reads one item to its end in a helper.
pub(super) fn read(decode: &Decode, item: &Item, context: &Context, output: &mut dyn Output) -> Step {
    let request = Request::of(decode, item, context);
    let spent = decode.limits.begin();
    let mut exchange = Exchange { item, context, spent, output, begun: None, frames: 0 };
    if let Some(helper) = idle() {
        match exchange.with(helper, &request) {
            // It may have died of an earlier recording, or of nothing: a fresh one will tell.
            Err(End::Lost(_)) if exchange.begun.is_none() => {}
            end => return exchange.step(end),
        }
    }
    let end = exchange.with(Helper::start()?, &request);
    exchange.step(end)
}

/// How an item ends early.
enum End {
    /// As the decoder, the run or an operator below says.
    Stop(Stop),
    /// The helper is gone, for this reason.
    Lost(String),
}

impl From<Stop> for End {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// One item in the helper's hands.
struct Exchange<'a> {
    item: &'a Item,
    context: &'a Context,
    spent: Spent<'a>,
    output: &'a mut dyn Output,
    /// Rate and channels of the signal, once it has begun.
    begun: Option<(u32, u16)>,
    /// Frames handed on.
    frames: u64,
}

impl Exchange<'_> {
    /// Sends the request and hands on what comes. The helper is kept only if it has told everything.
    fn with(&mut self, mut helper: Helper, request: &Request) -> Result<(), End> {
        if helper.ask(request).is_err() {
            return Err(helper.end());
        }
        loop {
            self.context.check()?;
            match helper.next(PATIENCE) {
                Next::Nothing => self.spent.time(&|| self.offset())?,
                Next::Ended => return Err(helper.end()),
                Next::Frame(frame) => {
                    helper.ready |= frame.kind == Kind::Ready;
                    if let Some(answer) = self.take(frame)? {
                        keep(helper);
                        return Ok(answer.step()?);
                    }
                }
            }
        }
    }

    /// Hands a frame on; gives the last one's answer.
    fn take(&mut self, frame: Frame) -> Result<Option<Answer>, End> {
        match frame.kind {
            Kind::Ready => {
                let version: u32 = frame.json().map_err(End::Lost)?;
                if version != Decode::VERSION {
                    let message = format!(
                        "the decode helper is of another version ({version} instead of {}): \
                         ETUDE_DECODER names it, or it lies beside this program",
                        Decode::VERSION
                    );
                    return Err(End::Stop(Stop::Transient { message }));
                }
            }
            Kind::Begin => {
                let begin: Begin = frame.json().map_err(End::Lost)?;
                if begin.channels == 0 || begin.rate == 0 {
                    return Err(End::Lost("the decoder began a signal without channels or rate".into()));
                }
                self.begun = Some((begin.rate, begin.channels));
                let Begin { start, rate, channels, frames } = begin;
                self.output.begin(&Header::audio(self.item.key.clone(), start, rate, channels, frames))?;
            }
            Kind::Block => {
                let channels = usize::from(self.begun.map_or(0, |(_, channels)| channels));
                let samples = frame.samples(channels).map_err(End::Lost)?;
                let mut block = Block::planar(channels, samples);
                self.frames += block.frames() as u64;
                self.output.block(&mut block)?;
            }
            Kind::Count => {
                let count: Count = frame.json().map_err(End::Lost)?;
                self.output.count(wire::name(&count.what), count.amount);
            }
            Kind::End => self.output.end()?,
            Kind::Done => {
                let mut answer = frame.json().map_err(End::Lost)?;
                // A panic outside the decoders does not know where it is.
                if let Answer::Rejected { offset, .. } = &mut answer
                    && offset.is_empty()
                {
                    *offset = self.offset();
                }
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }

    /// How far the item has come.
    fn offset(&self) -> String {
        let rate = self.begun.map_or(1, |(rate, _)| rate);
        format!("{:.3} s", self.frames as f64 / f64::from(rate))
    }

    fn step(&self, end: Result<(), End>) -> Step {
        match end {
            Ok(()) => Ok(()),
            Err(End::Stop(stop)) => Err(stop),
            Err(End::Lost(message)) => Err(Stop::Rejected { class: "crash", offset: self.offset(), message }),
        }
    }
}
