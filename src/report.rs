//! What a run shows: bars on a terminal, plain lines otherwise, JSON when asked for.
//!
//! Results go to standard output, everything else to standard error.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use etude_pipeline::event::{Event, Status, Summary};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Map, Value};

/// Without a terminal, how often progress is told.
const LINES: Duration = Duration::from_secs(10);

/// Shows a run.
pub struct Report {
    json: bool,
    bar: ProgressBar,
    state: Mutex<State>,
}

struct State {
    begin: Instant,
    told: Instant,
    rejects: u64,
}

/// Rejects beyond this are in the summary only.
const REJECTS: u64 = 20;

impl Report {
    /// For people, or as JSON.
    pub fn new(json: bool) -> Self {
        let bar = if json || !std::io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr())
        };
        // Nothing to be seen before a stage begins.
        bar.set_style(style("{msg}"));
        let now = Instant::now();
        Self { json, bar, state: Mutex::new(State { begin: now, told: now, rejects: 0 }) }
    }

    /// Shows an event.
    pub fn event(&self, event: Event) {
        if self.json {
            if let Ok(line) = serde_json::to_string(&event) {
                crate::commands::print(&(line + "\n"));
            }
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { stage, items } => {
                (state.begin, state.told) = (Instant::now(), Instant::now());
                self.bar.set_style(style("{prefix:12} [{bar:24}] {pos}/{len} {msg}"));
                self.bar.reset();
                self.bar.set_length(items);
                self.bar.set_position(0);
                self.bar.set_prefix(stage);
                self.bar.set_message("");
            }
            Event::Progress { stage, items, total, seconds } => {
                let elapsed = state.begin.elapsed().as_secs_f64().max(1e-3);
                let message = format!(
                    "{:.2} h of audio, {:.0} x real time{}",
                    seconds / 3600.0,
                    seconds / elapsed,
                    left(items, total, elapsed)
                );
                if self.bar.is_hidden() {
                    if state.told.elapsed() >= LINES {
                        state.told = Instant::now();
                        self.line(&format!("{stage}: {items} of {total}, {message}"));
                    }
                } else {
                    self.bar.set_length(total);
                    self.bar.set_position(items);
                    self.bar.set_message(message);
                }
            }
            Event::Rejected { stage, item, class, offset, message } => {
                state.rejects += 1;
                if state.rejects <= REJECTS {
                    let place = if offset.is_empty() { String::new() } else { format!(", {offset}") };
                    self.line(&format!("{stage}: rejected {item}{place}: {class}: {message}"));
                }
            }
            Event::Message { stage, text, .. } => self.line(&format!("{stage}: {text}")),
            Event::Result { stage, columns, rows } => {
                let text = table(&columns, &rows);
                self.bar.suspend(|| crate::commands::print(&format!("{stage}\n{text}")));
            }
            Event::Stage { stage, summary } if summary.status != Status::Reused => {
                self.line(&format!("{stage}: {}", describe(&summary)));
            }
            _ => {}
        }
    }

    /// A line on standard error.
    pub fn line(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    /// No more progress.
    pub fn close(&self) {
        self.bar.finish_and_clear();
    }

    /// The summary.
    pub fn finished(&self, stages: BTreeMap<String, Summary>) {
        if self.json {
            self.event(Event::Finished { stages });
            return;
        }
        let told = self.state.lock().unwrap_or_else(PoisonError::into_inner).rejects;
        if told > REJECTS {
            self.line(&format!("{} more rejects: --json lists all", told - REJECTS));
        }
        let count = |status| stages.values().filter(|summary| summary.status == status).count();
        let rejected: u64 = stages.values().map(|summary| summary.rejected).sum();
        let filtered: u64 = stages.values().map(|summary| summary.filtered).sum();
        self.line(&format!(
            "finished: {} stages computed, {} partial, {} reused; {filtered} items filtered, {rejected} rejected",
            count(Status::Computed),
            count(Status::Partial),
            count(Status::Reused),
        ));
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

fn left(items: u64, total: u64, elapsed: f64) -> String {
    if items == 0 || total <= items {
        return String::new();
    }
    format!(", {:.0} s left", elapsed * (total - items) as f64 / items as f64)
}

fn describe(summary: &Summary) -> String {
    let status = if summary.status == Status::Partial { "partial" } else { "computed" };
    let mut text =
        format!("{status}, {} items in, {} out, {} rows", summary.items_in, summary.items, summary.rows);
    if summary.status == Status::Partial {
        text += &format!(", {} computed", summary.computed);
    }
    if summary.filtered > 0 {
        text += &format!(", {} filtered", summary.filtered);
    }
    if summary.rejected > 0 {
        text += &format!(", {} rejected", summary.rejected);
    }
    for (what, amount) in &summary.counters {
        text += &format!(", {amount} {}", what.replace('_', " "));
    }
    if summary.seconds >= 0.005 {
        text += &format!(", {:.2} s", summary.seconds);
    }
    text
}

/// Rows as aligned text.
fn table(names: &[String], rows: &[Map<String, Value>]) -> String {
    let cell = |value: Option<&Value>| match value {
        Some(Value::Number(number)) if number.is_f64() => {
            format!("{:.3}", number.as_f64().unwrap_or(f64::NAN))
        }
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    };
    let mut lines: Vec<Vec<String>> = vec![names.to_vec()];
    lines.extend(rows.iter().map(|row| names.iter().map(|name| cell(row.get(name))).collect()));
    let widths: Vec<usize> = (0..names.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:width$}"),
            _ => format!("{cell:>width$}"),
        });
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}
