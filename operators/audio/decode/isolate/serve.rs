//! The helper's side: decodes what it is asked for until there is no one left to ask.

use std::io::{self, BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
#[cfg(unix)]
use std::time::Duration;

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Declare, Output, Step, Stop};
use etude_pipeline::run::describe;

use super::wire::{self, Answer, Begin, Count, Kind, Request};
use crate::decode::{Decode, read_here};

/// Bytes of address space that a helper may have: a decoder needs a few MiB beside the program itself.
#[cfg(unix)]
const MEMORY: u64 = 1 << 30;

/// How often a helper looks whether the program that started it is there.
#[cfg(unix)]
const WATCH: Duration = Duration::from_secs(1);

/// Serves requests from standard input on standard output until the input ends.
pub fn serve() -> io::Result<()> {
    #[cfg(unix)]
    bound()?;
    // A panic becomes a reject with its message: it need not be printed as well.
    std::panic::set_hook(Box::new(|_| {}));
    let mut output = io::stdout().lock();
    wire::say(&mut output, Kind::Ready, &Decode::VERSION)?;
    output.flush()?;
    let hook = Hook::from_environment();
    let mut buffer = Vec::new();
    for line in io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        let (decode, item, context) = request.open();
        let hook = hook.as_ref().filter(|hook| item.key.contains(&hook.key));
        let mut told = Told { to: &mut output, buffer: &mut buffer, hook };
        let step = catch_unwind(AssertUnwindSafe(|| read_here(&decode, &item, &context, &mut told)));
        let step = step.unwrap_or_else(|panic| {
            let message = describe(panic.as_ref());
            Err(Stop::Rejected { class: "panic", offset: String::new(), message })
        });
        wire::say(&mut output, Kind::Done, &Answer::of(step))?;
        output.flush()?;
    }
    Ok(())
}

/// Bounds the memory, and sees to it that the helper does not outlive the program that started it: one
/// that hangs would not notice the end of its input.
#[cfg(unix)]
fn bound() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = getrlimit(Resource::As).maximum.map_or(MEMORY, |maximum| maximum.min(MEMORY));
    setrlimit(Resource::As, Rlimit { current: Some(most), maximum: Some(most) })?;
    let parent = rustix::process::getppid();
    let watch = move || {
        while rustix::process::getppid() == parent {
            std::thread::sleep(WATCH);
        }
        std::process::exit(0);
    };
    std::thread::Builder::new().name("etude-watch".into()).spawn(watch)?;
    Ok(())
}

/// Tells the run what the decoder gives.
struct Told<'a, W: Write> {
    to: &'a mut W,
    buffer: &'a mut Vec<u8>,
    hook: Option<&'a Hook>,
}

impl<W: Write> Told<'_, W> {
    /// Who cannot be told anything any more has no use for the rest.
    fn said(result: io::Result<()>) -> Step {
        result.map_err(|_| Stop::Cancelled)
    }
}

impl<W: Write> Output for Told<'_, W> {
    fn begin(&mut self, header: &Header) -> Step {
        Self::said(wire::say(self.to, Kind::Begin, &Begin::from(header)))
    }

    fn block(&mut self, block: &mut Block) -> Step {
        Self::said(wire::samples(self.to, block, self.buffer))?;
        if let Some(hook) = self.hook {
            Self::said(self.to.flush())?;
            hook.act();
        }
        Ok(())
    }

    fn end(&mut self) -> Step {
        Self::said(wire::mark(self.to, Kind::End))
    }

    fn count(&mut self, what: &'static str, amount: u64) {
        // What cannot be told is noticed with the next block, or at the end.
        let _ = wire::say(self.to, Kind::Count, &Count { what: what.to_owned(), amount });
    }
}

/// What tests make of a helper after the first block of an item whose key contains `key`, by the
/// environment variable `ETUDE_TEST_ABORT`: `song` aborts, `alloc:song` allocates until it is ended,
/// `hang:song` does nothing any more.
struct Hook {
    deed: Deed,
    key: String,
}

enum Deed {
    Abort,
    Allocate,
    Hang,
}

impl Hook {
    fn from_environment() -> Option<Self> {
        let text = std::env::var("ETUDE_TEST_ABORT").ok().filter(|text| !text.is_empty())?;
        let (deed, key) = match text.split_once(':') {
            Some(("alloc", key)) => (Deed::Allocate, key),
            Some(("hang", key)) => (Deed::Hang, key),
            _ => (Deed::Abort, text.as_str()),
        };
        Some(Self { deed, key: key.to_owned() })
    }

    fn act(&self) {
        match self.deed {
            Deed::Abort => std::process::abort(),
            Deed::Allocate => {
                let mut all = Vec::new();
                loop {
                    all.push(std::hint::black_box(vec![0_u8; 16 << 20]));
                }
            }
            Deed::Hang => loop {
                std::thread::park();
            },
        }
    }
}
