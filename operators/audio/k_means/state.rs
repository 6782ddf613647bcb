//! What is kept of learning, so that a run that was killed goes on as if it had not been.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use etude_pipeline::Error;
use etude_pipeline::operator::ChainReport;
use serde::{Deserialize, Serialize};

use super::fit::Fit;

/// The version of a state.
const VERSION: u32 = 1;

const FILE: &str = "state";

/// Where it is kept, if it is.
pub struct State {
    folder: Option<PathBuf>,
}

/// The first line of the file, a line of JSON. Behind it stand the centroids, as 32-bit floats, and their frames, as
/// 64-bit integers, the lowest byte first: nothing that matters goes through decimals.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    version: u32,
    width: usize,
    clusters: usize,
    steps: u64,
    since: u64,
    /// The bits of the number.
    inertia: Option<u64>,
    report: ChainReport,
}

impl State {
    pub fn of(folder: Option<&Path>) -> Self {
        Self { folder: folder.map(Path::to_owned) }
    }

    /// Keeps it in the place of the one before.
    pub fn keep(&self, fit: &Fit) -> Result<(), Error> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let head = Head {
            version: VERSION,
            width: fit.width,
            clusters: fit.counts.len(),
            steps: fit.steps,
            since: fit.since,
            inertia: fit.inertia.map(f64::to_bits),
            report: fit.report.clone(),
        };
        let mut bytes = serde_json::to_vec(&head)?;
        bytes.push(b'\n');
        fit.centres.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
        fit.counts.iter().for_each(|count| bytes.extend(count.to_le_bytes()));
        let (partial, complete) = (folder.join("partial"), folder.join(FILE));
        let write = || {
            let mut file = File::create(&partial)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&partial, &complete)?;
            File::open(folder)?.sync_all()
        };
        write().map_err(Error::io(&complete))
    }

    /// What was kept; none where nothing was, or something else than this version keeps.
    pub fn read(&self, clusters: usize) -> Option<Fit> {
        let bytes = fs::read(self.folder.as_ref()?.join(FILE)).ok()?;
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let head: Head = serde_json::from_slice(&bytes[..end]).ok()?;
        let (centres, counts) = bytes[end + 1..].split_at_checked(4 * clusters.checked_mul(head.width)?)?;
        let (centres, rest) = (centres.as_chunks().0, counts.as_chunks());
        let (counts, []) = rest else { return None };
        if (head.version, head.clusters, counts.len()) != (VERSION, clusters, clusters) || head.width == 0 {
            return None;
        }
        Some(Fit {
            width: head.width,
            centres: centres.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
            counts: counts.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect(),
            steps: head.steps,
            since: head.since,
            inertia: head.inertia.map(f64::from_bits),
            report: head.report,
        })
    }
}
