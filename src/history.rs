//! What past runs did, and what the store holds.

use etude_pipeline::event::Status;
use etude_pipeline::run::Engine;
use etude_pipeline::spec::Pipeline;
use etude_pipeline::store::{RunRecord, StageRecord, Store};
use etude_pipeline::{Error, Size};
use serde_json::json;

use crate::table::{Table, moment, seconds};

/// Past runs, the last first.
pub fn log(store: &Store, last: usize, json: bool) -> Result<String, Error> {
    let (mut text, mut table) = (String::new(), Table::default());
    for number in store.run_numbers()?.into_iter().rev().take(last) {
        let Some(run) = store.run(number)? else {
            let told = "is damaged: `etude verify FILE --repair` removes it";
            if json {
                text += &(json!({"run": number, "error": told}).to_string() + "\n");
            } else {
                let empty = String::new;
                table.row([number.to_string(), told.to_owned(), empty(), empty(), empty(), empty(), empty()]);
            }
            continue;
        };
        let computed: Vec<&str> = run
            .stages
            .iter()
            .filter(|(_, stage)| !stage.why.is_empty())
            .map(|(name, _)| name.as_str())
            .collect();
        let rejected: u64 = run.stages.values().map(|stage| stage.rejected).sum();
        if json {
            let line = json!({
                "run": number, "pipeline": run.pipeline, "started": run.started, "seconds": run.seconds,
                "computed": computed, "reused": run.stages.len() - computed.len(), "rejected": rejected,
                "error": run.error, "stages": run.stages.iter().map(|(name, stage)| {
                    (name.clone(), json!({"items": stage.items, "computed": stage.computed}))
                }).collect::<serde_json::Map<_, _>>(),
            });
            text += &(line.to_string() + "\n");
            continue;
        }
        table.row([
            number.to_string(),
            moment(run.started),
            run.pipeline.clone(),
            seconds(run.seconds),
            what(&run, &computed),
            if rejected > 0 { format!("{rejected} rejected") } else { String::new() },
            run.error.as_deref().map_or_else(String::new, |error| format!("error: {error}")),
        ]);
    }
    Ok(if json { text } else { table.to_string() })
}

fn what(run: &RunRecord, computed: &[&str]) -> String {
    match (computed.len(), run.stages.len()) {
        (0, 0) => "nothing ended".into(),
        (0, all) => format!("{all} reused"),
        (_, all) if all == computed.len() => format!("computed {}", computed.join(", ")),
        (some, all) => format!("computed {}; {} reused", computed.join(", "), all - some),
    }
}

/// What the store holds of each stage that keeps something.
pub fn status(engine: &Engine, pipeline: &Pipeline, json: bool) -> Result<String, Error> {
    let mut table = Table::default();
    let mut stages = serde_json::Map::new();
    for planned in engine.plan(pipeline)? {
        let stage = &pipeline.stages[pipeline.find(&planned.stage)?];
        if !stage.materialises() {
            continue;
        }
        let is_current = |record: &StageRecord| {
            planned.output.as_ref().is_some_and(|(fingerprint, inputs)| {
                record.fingerprint == *fingerprint && record.inputs == *inputs
            })
        };
        let record = match engine.store.last_record_where(&pipeline.name, &planned.stage, is_current)? {
            Some(record) => Some(record),
            None => engine.store.last_record(&pipeline.name, &planned.stage)?,
        };
        let state = match (planned.action, &record) {
            (Status::Reused, _) => "current",
            (_, Some(_)) => "stale",
            (_, None) => "missing",
        };
        if json {
            let last = record.as_ref().map(|record| {
                json!({
                    "items": record.items, "rejected": record.rejected, "bytes": record.bytes,
                    "seconds": record.seconds,
                })
            });
            stages.insert(planned.stage.clone(), json!({"state": state, "last": last}));
            continue;
        }
        let cells = record.map_or_else(Default::default, |record| {
            let rejected =
                if record.rejected > 0 { format!("{} rejected", record.rejected) } else { String::new() };
            [format!("{} items", record.items), rejected, Size(record.bytes).to_string()]
        });
        let [items, rejected, bytes] = cells;
        table.row([planned.stage, state.to_owned(), items, rejected, bytes, planned.why.join("; ")]);
    }
    Ok(if json { json!({ "stages": stages }).to_string() + "\n" } else { table.to_string() })
}
