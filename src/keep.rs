//! What becomes of a store: garbage, and damage.

use std::collections::BTreeMap;

use etude_pipeline::run::Verified;
use etude_pipeline::store::{Garbage, Reason};
use etude_pipeline::{Error, Size};

use crate::table::Table;

/// What can be removed, or was.
pub fn garbage(garbage: &[Garbage], applied: bool, json: bool) -> Result<String, Error> {
    if json {
        let lines = garbage.iter().map(|entry| serde_json::to_string(entry).map(|line| line + "\n"));
        return Ok(lines.collect::<Result<_, _>>()?);
    }
    let mut reasons: BTreeMap<Reason, (u64, u64)> = BTreeMap::new();
    for entry in garbage {
        let (count, bytes) = reasons.entry(entry.reason).or_default();
        (*count, *bytes) = (*count + 1, *bytes + entry.bytes);
    }
    let mut table = Table::default();
    for (reason, (count, bytes)) in &reasons {
        let reason = match reason {
            Reason::OldRun => "records of runs before the last ones",
            Reason::OldResult => "what only such runs ended with",
            Reason::Unfinished => "shards that no run ended with",
            Reason::Scratch => "scratch of runs that were killed",
            Reason::Resume => "states of trainings that nobody went on with for a week",
        };
        table.row([Size(*bytes).to_string(), format!("{count} files"), reason.to_owned()]);
    }
    let bytes: u64 = garbage.iter().map(|entry| entry.bytes).sum();
    let last = match (garbage.len(), applied) {
        (0, _) => "nothing to remove".to_owned(),
        (_, true) => format!("{} removed", Size(bytes)),
        (_, false) => format!("{} can be removed: `etude gc --apply`", Size(bytes)),
    };
    Ok(format!("{table}{last}\n"))
}

/// How many files are damaged.
pub fn damaged(verified: &Verified) -> String {
    match verified.damaged.len() {
        1 => "1 file is damaged".into(),
        many => format!("{many} files are damaged"),
    }
}

/// What was found to be damaged.
pub fn verified(verified: &Verified, repaired: bool, json: bool) -> Result<String, Error> {
    if json {
        return Ok(serde_json::to_string(verified)? + "\n");
    }
    let mut text: String =
        verified.damaged.iter().map(|damage| format!("{}: {}\n", damage.path, damage.message)).collect();
    let (files, bytes, damaged) = (verified.files, Size(verified.bytes), verified.damaged.len());
    text += &format!("{files} files, {bytes}: {damaged} damaged");
    if repaired && damaged > 0 {
        text += " and removed; what belongs to other parameters is computed when a run needs it";
    }
    Ok(text + "\n")
}
