//! A dataset stage: one job, one folder of files.

use std::path::{Path, PathBuf};

use parquet::file::metadata::ParquetMetaDataReader;
use tokio_util::sync::CancellationToken;

use super::unit::digest;
use crate::error::Error;
use crate::event::Reporter;
use crate::operator::{Dataset, DatasetJob};
use crate::store::digest_file;
use crate::store::{Counts, Snapshot, Store, StoredFile};

/// Runs a job and keeps its files.
pub fn compute(
    store: &Store,
    dataset: &dyn Dataset,
    job: &DatasetJob,
    (fingerprint, inputs, again): (&str, &str, bool),
    reporter: &Reporter,
    cancel: &CancellationToken,
) -> Result<(Snapshot, Vec<f64>), Error> {
    let report = dataset.run(job, reporter, cancel)?;
    let folder = folder(fingerprint, inputs);
    // Another run may have ended with the same stage meanwhile; whose files they are has to be told.
    let _lock = store.lock()?;
    if !again && let Some(theirs) = store.snapshot(fingerprint, inputs)? {
        return Ok((theirs, report.seconds));
    }
    // A folder that is there is vouched for by no snapshot, or is to be made again: what was said of it is not so.
    store.forget_snapshot(fingerprint, inputs)?;
    store.publish_again(&job.output, &folder)?;
    let files = files(store, &folder, cancel)?;
    if files.is_empty() {
        return Err(Error::stage(&job.stage, "left no files"));
    }
    let parts: Vec<&str> =
        files.iter().flat_map(|file| [file_name(&file.path), file.digest.as_str()]).collect();
    let digest = digest(&parts);
    let rows = files.iter().map(|file| file.rows).sum();
    let mut counts = report.counts;
    counts.push(Counts { rows, ..Counts::default() });
    let snapshot = Snapshot {
        fingerprint: fingerprint.into(),
        inputs: inputs.into(),
        files,
        items: Vec::new(),
        digest,
        filtered: Vec::new(),
        rejected: Vec::new(),
        counts,
    };
    store.keep_snapshot(&snapshot)?;
    Ok((snapshot, report.seconds))
}

/// The folder of a dataset stage's files, below the store's root.
pub fn folder(fingerprint: &str, inputs: &str) -> String {
    format!("data/{fingerprint}/{inputs}")
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn files(store: &Store, folder: &str, cancel: &CancellationToken) -> Result<Vec<StoredFile>, Error> {
    let root = store.path(folder);
    let mut names: Vec<String> = std::fs::read_dir(&root)
        .map_err(Error::io(&root))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let path: PathBuf = root.join(&name);
            let bytes = std::fs::metadata(&path).map_err(Error::io(&path))?.len();
            let rows = if name.ends_with(".parquet") { rows(&path)? } else { 0 };
            Ok(StoredFile {
                counts: Vec::new(),
                path: format!("{folder}/{name}"),
                bytes,
                digest: digest_file(&path, cancel)?,
                rows,
            })
        })
        .collect()
}

fn rows(path: &Path) -> Result<u64, Error> {
    let file = std::fs::File::open(path).map_err(Error::io(path))?;
    Ok(ParquetMetaDataReader::new().parse_and_finish(&file)?.file_metadata().num_rows().unsigned_abs())
}
