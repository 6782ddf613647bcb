//! The page of `etude inspect`: one HTML file that shows and plays what a stage gives, with everything in it.
//!
//! Rust writes what is text, and the samples as base64; `web` draws and plays them. The page asks for nothing outside
//! itself, which its content security policy makes sure of.

mod encode;
mod html;
mod model;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use encode::Encoded;

/// What a stage gives, to be shown.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub pipeline: String,
    pub stage: String,
    pub operator: String,
    /// The stage's parameters as they would stand in a pipeline file.
    pub parameters: String,
    /// The item that was looked at; none for a table of all.
    pub item: Option<String>,
    /// Some other items, for reference.
    pub items: Vec<String>,
    pub signals: Vec<Shown>,
    /// Signals that were not collected.
    pub left_out: u64,
    pub table: Option<Rows>,
    /// What there is to say besides, such as what was counted or why an item was rejected.
    pub notes: Vec<String>,
}

/// A signal: what its header says, and its samples.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    pub item: String,
    /// The first frame's place in the recording, in samples at `rate`.
    pub start: u64,
    pub rate: u32,
    /// Samples from one frame to the next: 1 for audio, more for features.
    pub hop: u32,
    /// Planes that the channels are made of.
    pub planes: u16,
    /// Frames of the whole signal; `samples` may hold fewer.
    pub frames: u64,
    pub view: u32,
    /// Which clip it is a view of: signals of one number stand in one row.
    pub clip: u64,
    /// What was drawn, by name; none where a step did not apply.
    pub drawn: Vec<(String, Option<f64>)>,
    /// The frames that a mask covers: from, and up to but not including.
    pub mask: Vec<(u64, u64)>,
    /// The other columns of its row.
    pub columns: Vec<(String, String)>,
    /// A row of samples a channel.
    pub samples: Vec<Vec<f32>>,
}

/// Rows of a table, as text.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// Rows that were not collected.
    pub left_out: u64,
}

/// How much goes into a page.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// At most so many signals.
    pub signals: usize,
    /// At most so many seconds of each.
    pub seconds: f64,
}

/// Bytes of all samples of a page, at 16 bits each. Signals that would take more are all cut to the same share.
const BYTES: usize = 32 << 20;

impl Bounds {
    /// Frames of a signal that its seconds allow.
    pub fn frames(&self, rate: u32, hop: u32) -> usize {
        (self.seconds * f64::from(rate) / f64::from(hop.max(1))).ceil().max(1.0) as usize
    }
}

const HTML: &str = include_str!("web/page.html");
const STYLE: &str = include_str!("web/page.css");
const SCRIPTS: [&str; 12] = [
    include_str!("web/samples.js"),
    include_str!("web/spectrum.js"),
    include_str!("web/colour.js"),
    include_str!("web/figure.js"),
    include_str!("web/lanes.js"),
    include_str!("web/player.js"),
    include_str!("web/facts.js"),
    include_str!("web/card.js"),
    include_str!("web/arrange.js"),
    include_str!("web/shared.js"),
    include_str!("web/keys.js"),
    include_str!("web/page.js"),
];

/// Writes the page.
pub fn write(page: &Page, bounds: &Bounds, output: &mut impl Write) -> io::Result<()> {
    let shown = &page.signals[..page.signals.len().min(bounds.signals)];
    let share = BYTES / 2 / shown.len().max(1);
    let signals: Vec<Encoded> = shown.iter().map(|signal| Encoded::new(signal, bounds, share)).collect();
    let mut rest = HTML;
    while let Some((before, slot)) = rest.split_once("{{") {
        let (name, after) = slot.split_once("}}").unwrap_or((slot, ""));
        output.write_all(before.as_bytes())?;
        match name {
            "title" => output.write_all(html::title(page).as_bytes())?,
            "style" => output.write_all(STYLE.as_bytes())?,
            "head" => output.write_all(html::head(page).as_bytes())?,
            "notes" => output.write_all(html::notes(page, &signals).as_bytes())?,
            "table" => page.table.iter().try_for_each(|rows| html::table(rows, output))?,
            "items" => output.write_all(html::items(page).as_bytes())?,
            "model" => output.write_all(model::json(page, &signals)?.as_bytes())?,
            "samples" => signals.iter().try_for_each(|signal| samples(signal, output))?,
            "script" => SCRIPTS.iter().try_for_each(|script| output.write_all(script.as_bytes()))?,
            other => return Err(io::Error::other(format!("the page has no part {other}"))),
        }
        rest = after;
    }
    output.write_all(rest.as_bytes())
}

fn samples(signal: &Encoded, output: &mut impl Write) -> io::Result<()> {
    write!(output, "<script type=\"text/plain\" class=\"samples\">")?;
    signal.write(output)?;
    writeln!(output, "</script>")
}
