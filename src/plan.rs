//! How a plan is shown.

use std::collections::BTreeMap;

use etude_pipeline::event::Status;
use etude_pipeline::run::{Estimate, ItemCounts, Planned};
use etude_pipeline::{Error, Size};
use serde_json::json;

use crate::table::Table;

/// A plan for people, or as JSON.
pub fn render(planned: &[Planned], json: bool) -> Result<String, Error> {
    if json {
        let stages: BTreeMap<&str, &Planned> =
            planned.iter().map(|stage| (stage.stage.as_str(), stage)).collect();
        return Ok(serde_json::to_string(&json!({ "stages": stages }))? + "\n");
    }
    let mut table = Table::default();
    for stage in planned {
        let action = match stage.action {
            Status::Computed => "compute",
            Status::Partial => "partial",
            Status::Reused => "reuse",
        };
        let estimate = stage.estimate.map_or_else(String::new, told);
        table.row([
            stage.stage.clone(),
            stage.operator.to_owned(),
            action.to_owned(),
            items(&stage.items),
            estimate,
            stage.why.join("; "),
        ]);
    }
    Ok(table.to_string())
}

fn items(items: &ItemCounts) -> String {
    let ItemCounts { reused, new, changed, removed } = *items;
    let parts = [("reused", reused), ("new", new), ("changed", changed), ("removed", removed)];
    let parts: Vec<String> =
        parts.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{count} {what}")).collect();
    parts.join(", ")
}

fn told(estimate: Estimate) -> String {
    format!("about {}, {}", crate::table::seconds(estimate.seconds), Size(estimate.bytes))
}
