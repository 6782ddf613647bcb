//! `etude inspect`: what a stage gives for an item, as a page for a browser.

mod page;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use etude_pipeline::Error;
use etude_pipeline::flow::{Block, Flow, Header, Masking};
use etude_pipeline::run::{Engine, Extent, Inspected};
use etude_pipeline::spec::Pipeline;
use serde_json::Value;

use page::{Bounds, Page, Rows, Shown};

/// Other items that the page names.
const OTHERS: usize = 50;

/// Writes the page of a stage.
pub fn inspect(
    engine: &Engine,
    pipeline: &Pipeline,
    stage: &str,
    item: Option<&str>,
    extent: Extent,
    path: &Path,
) -> Result<(), Error> {
    let inspected = engine.inspect(pipeline, stage, item, extent)?;
    let page = page(pipeline, stage, inspected)?;
    let bounds = Bounds { signals: extent.signals, seconds: extent.seconds };
    let io = |source| Error::Io { path: path.to_owned(), source };
    let mut file = BufWriter::new(File::create(path).map_err(io)?);
    page::write(&page, &bounds, &mut file).and_then(|()| file.flush()).map_err(io)
}

fn page(pipeline: &Pipeline, stage: &str, inspected: Inspected) -> Result<Page, Error> {
    let stage = &pipeline.stages[pipeline.find(stage)?];
    let Inspected { items, item, signals, left_out, columns, table, mut notes, shortened } = inspected;
    if shortened {
        notes.push("signals go on behind what is shown: `--seconds` shows more of them".into());
    }
    // A mask of what was left out counts the frames that there were, and would lie over others.
    let dropped = matches!(&stage.flow, Flow::Signal(signal) if signal.masking == Masking::Dropped);
    if dropped {
        notes.push(
            "frames were left out: those that are kept are shown one behind the other, and no mask".into(),
        );
    }
    let own = |key: &str| Some(key) != item.as_deref();
    let rows = table.map(|(columns, rows)| {
        let cell =
            |row: &serde_json::Map<String, Value>, name: &String| row.get(name).map_or(String::new(), text);
        let rows = rows.iter().map(|row| columns.iter().map(|name| cell(row, name)).collect()).collect();
        Rows { columns, rows, left_out }
    });
    let mut clip = 0;
    let shown = signals.into_iter().enumerate().map(|(number, (header, samples))| {
        clip += u64::from(header.view == 0 && number > 0);
        let header = if dropped { Header { mask: None, ..header } } else { header };
        shown(header, &samples, clip, &columns)
    });
    Ok(Page {
        pipeline: pipeline.name.clone(),
        stage: stage.name.clone(),
        operator: stage.declaration.name.to_owned(),
        parameters: parameters(&stage.parameters()),
        item: item.as_deref().map(str::to_owned),
        items: items.iter().map(|key| key.to_string()).filter(|key| own(key)).take(OTHERS).collect(),
        signals: shown.collect(),
        left_out: if rows.is_some() { 0 } else { left_out },
        table: rows,
        notes,
    })
}

fn shown(header: Header, samples: &Block, clip: u64, columns: &[(String, String)]) -> Shown {
    Shown {
        item: header.item.to_string(),
        start: header.start,
        rate: header.rate,
        hop: header.hop,
        planes: header.planes,
        frames: header.frames.unwrap_or(samples.frames() as u64),
        view: header.view,
        clip,
        drawn: header.drawn.into_iter().map(|(name, number)| (name.to_string(), number)).collect(),
        mask: header.mask.map(|mask| mask.covered.to_vec()).unwrap_or_default(),
        columns: columns.to_vec(),
        samples: (0..samples.channels()).map(|channel| samples.channel(channel).to_vec()).collect(),
    }
}

/// Parameters a line each, as they would stand in a pipeline file.
fn parameters(values: &Value) -> String {
    let line = |(name, value): (&String, &Value)| format!("{name}: {value}\n");
    values.as_object().map(|values| values.iter().map(line).collect()).unwrap_or_default()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
