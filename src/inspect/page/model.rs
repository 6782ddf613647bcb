//! What the script reads.

use std::io;

use serde::Serialize;

use super::encode::Encoded;
use super::{Page, Shown};

/// What it reads of a signal.
#[derive(Serialize)]
struct Model<'a> {
    /// Where it is not the page's.
    item: Option<&'a str>,
    start: u64,
    rate: u32,
    hop: u32,
    channels: usize,
    planes: usize,
    frames: u64,
    held: usize,
    view: u32,
    clip: u64,
    drawn: Vec<(&'a str, Option<String>)>,
    mask: Vec<(u64, u64)>,
    columns: &'a [(String, String)],
    low: f32,
    high: f32,
    not_finite: usize,
}

impl<'a> Model<'a> {
    fn new(page: &Page, encoded: &Encoded<'a>) -> Self {
        let Shown { item, start, rate, hop, frames, view, clip, drawn, columns, .. } = encoded.signal;
        Self {
            item: (page.item.as_ref() != Some(item)).then_some(item),
            start: *start,
            rate: *rate,
            hop: *hop,
            channels: encoded.channels(),
            planes: encoded.planes(),
            frames: *frames,
            held: encoded.held,
            view: *view,
            clip: *clip,
            drawn: drawn.iter().map(|(name, value)| (name.as_str(), value.map(number))).collect(),
            mask: encoded.mask(),
            columns,
            low: encoded.low,
            high: encoded.high,
            not_finite: encoded.not_finite,
        }
    }
}

/// What the script reads of all signals.
pub fn json(page: &Page, signals: &[Encoded]) -> io::Result<String> {
    let models: Vec<Model> = signals.iter().map(|encoded| Model::new(page, encoded)).collect();
    // Within a script element only `<` could end it.
    Ok(serde_json::to_string(&models)?.replace('<', "\\u003c"))
}

/// A number to five significant digits; whole numbers in full.
pub fn number(value: f64) -> String {
    let value = value + 0.0; // No negative zero.
    let size = value.abs();
    match size {
        size if size.is_nan() => "NaN".into(),
        f64::INFINITY => if value > 0.0 { "∞" } else { "-∞" }.into(),
        size if value.fract() == 0.0 && size < 1e15 => format!("{value:.0}"),
        size if !(1e-4..1e15).contains(&size) => format!("{value:.4e}"),
        size => {
            let decimals = (4.0 - size.log10().floor()).max(0.0) as usize;
            let text = format!("{value:.decimals$}");
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            } else {
                text
            }
        }
    }
}
