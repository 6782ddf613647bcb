//! Garbage: what no kept run ended with and no live run uses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use super::{Entry, Store, resume, scratch};
use crate::error::Error;

/// Why something is garbage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The record of a run before the last ones.
    OldRun,
    /// A snapshot, or a file of one, that no kept run ended with.
    OldResult,
    /// A file that no snapshot names: of a run that was killed, or replaced since.
    Unfinished,
    /// Scratch of a run that was killed.
    Scratch,
    /// The state of work that nobody has gone on with for a week.
    Resume,
}

/// Something that can be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Garbage {
    pub reason: Reason,
    /// Below the store's root.
    pub path: String,
    pub bytes: u64,
}

/// What is kept.
#[derive(Default)]
struct Kept {
    /// By fingerprint and inputs.
    outputs: BTreeSet<(String, String)>,
    /// Records that cannot be read: nobody knows what those runs ended with, so all is kept.
    unreadable: Vec<String>,
}

/// What a collection found.
#[derive(Debug, Default)]
pub struct Collection {
    pub garbage: Vec<Garbage>,
    /// Records of runs that are damaged, because of which all results are kept.
    pub unreadable: Vec<String>,
}

impl Store {
    /// What can be removed when what the last `keep` runs of each stage ended with is kept. With `apply` it is removed: first
    /// the records, then the snapshots, then the files, so that at no moment anything names what is gone.
    pub fn gc(&self, keep: usize, apply: bool) -> Result<Collection, Error> {
        if !self.is_there()? {
            return Ok(Collection::default());
        }
        // A run that begins now waits until this is over; one that is under way holds a lease.
        let exclusive = if apply { Some(self.lock()?) } else { None };
        let mut garbage = Vec::new();
        let kept = self.old_runs(keep, &mut garbage)?;
        // What a live run uses is kept whole.
        let mut whole = self.leased(apply)?;
        if !kept.unreadable.is_empty() {
            whole.extend(self.names("data")?);
            whole.extend(self.names("snapshots")?);
        }
        let files = self.old_snapshots(&kept, &mut whole, &mut garbage)?;
        self.old_files(&files, &whole, &mut garbage)?;
        let left = scratch::abandoned(&self.path(scratch::FOLDER));
        garbage.extend(left.iter().map(|folder| left_folder(Reason::Scratch, scratch::FOLDER, folder)));
        let left = resume::abandoned(&self.path(resume::FOLDER));
        garbage.extend(left.iter().map(|folder| left_folder(Reason::Resume, resume::FOLDER, folder)));
        if let Some(exclusive) = exclusive {
            for entry in &garbage {
                exclusive.check()?;
                self.remove(&entry.path)?;
            }
            self.home.tidy(&|fingerprint| whole.contains(fingerprint))?;
        }
        Ok(Collection { garbage, unreadable: kept.unreadable })
    }

    /// What the runs that are kept ended with. Each stage keeps what its last runs ended with, so that runs that
    /// ended early do not push out what an earlier one came to.
    fn old_runs(&self, keep: usize, garbage: &mut Vec<Garbage>) -> Result<Kept, Error> {
        let mut kept = Kept::default();
        let mut runs = BTreeMap::<(String, String), usize>::new();
        for entry in self.all("runs")?.into_iter().rev() {
            let Some(number) = entry.path.rsplit('/').next().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let Some(record) = self.run(number)? else {
                kept.unreadable.push(entry.path);
                continue;
            };
            let mut last = false;
            for (name, stage) in record.stages {
                let count = runs.entry((record.pipeline.clone(), name)).or_default();
                if *count < keep {
                    *count += 1;
                    last = true;
                    kept.outputs.insert((stage.fingerprint, stage.inputs));
                }
            }
            if !last {
                garbage.push(Garbage { reason: Reason::OldRun, path: entry.path, bytes: entry.bytes });
            }
        }
        Ok(kept)
    }

    /// The files that kept snapshots name, and whether any other snapshot names them. A snapshot that should be
    /// there and cannot be read could be made again: its fingerprint is kept whole.
    fn old_snapshots(
        &self,
        kept: &Kept,
        whole: &mut BTreeSet<String>,
        garbage: &mut Vec<Garbage>,
    ) -> Result<BTreeMap<String, bool>, Error> {
        let mut files = BTreeMap::new();
        let mut missing = kept.outputs.clone();
        for Entry { path, bytes, .. } in self.all("snapshots")? {
            let Some((fingerprint, inputs)) = path.trim_start_matches("snapshots/").split_once('/') else {
                continue;
            };
            let output = (fingerprint.to_owned(), inputs.to_owned());
            let keep = kept.outputs.contains(&output) || whole.contains(fingerprint);
            if let Ok(Some(snapshot)) = self.snapshot_at(&path) {
                missing.remove(&output);
                for file in snapshot.files {
                    *files.entry(file.path).or_insert(false) |= keep;
                }
            }
            if !keep {
                garbage.push(Garbage { reason: Reason::OldResult, path, bytes });
            }
        }
        whole.extend(missing.into_iter().map(|(fingerprint, _)| fingerprint));
        Ok(files)
    }

    fn old_files(
        &self,
        files: &BTreeMap<String, bool>,
        leased: &BTreeSet<String>,
        garbage: &mut Vec<Garbage>,
    ) -> Result<(), Error> {
        for Entry { path, bytes, .. } in self.all("data")? {
            let fingerprint = path.split('/').nth(1).unwrap_or_default();
            if leased.contains(fingerprint) {
                continue;
            }
            let reason = match files.get(&path) {
                Some(true) => continue,
                Some(false) => Reason::OldResult,
                None => Reason::Unfinished,
            };
            garbage.push(Garbage { reason, path, bytes });
        }
        Ok(())
    }
}

fn left_folder(reason: Reason, root: &str, folder: &Path) -> Garbage {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    Garbage { reason, path: format!("{root}/{name}"), bytes: size_of(folder) }
}

/// Bytes of a file, or of all files in a folder.
fn size_of(path: &Path) -> u64 {
    let Ok(found) = std::fs::metadata(path) else { return 0 };
    if !found.is_dir() {
        return found.len();
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| size_of(&entry.path())).sum()
}
