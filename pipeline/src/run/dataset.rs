//! A dataset stage: one job, one folder of files.

use std::path::Path;

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
    let mut files = files(&job.output, cancel)?;
    if files.is_empty() {
        return Err(Error::stage(&job.stage, "left no files"));
    }
    let parts: Vec<&str> = files.iter().flat_map(|file| [file.path.as_str(), file.digest.as_str()]).collect();
    let digest = digest(&parts);
    // What does not give the same bytes everywhere has another folder, so that no two are mixed.
    let folder = format!("data/{fingerprint}/{inputs}-{}", &digest[..CONTENT]);
    for file in &mut files {
        file.path = format!("{folder}/{}", file.path);
    }
    // Another run may have ended with the same stage meanwhile; whose files they are has to be told.
    let lock = store.lock()?;
    if !again && let Some(theirs) = store.snapshot(fingerprint, inputs)? {
        return Ok((theirs, report.seconds));
    }
    if !is_there(store, &files, cancel)? {
        // What is there was left by a run that was killed, or is damaged: nothing is to name it.
        store.forget_snapshot(fingerprint, inputs)?;
        store.publish_folder(&job.output, &folder)?;
    }
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
    lock.check()?;
    store.set_snapshot(&snapshot)?;
    Ok((snapshot, report.seconds))
}

/// Digits of the content's digest in a folder's name.
const CONTENT: usize = 16;

/// Whether the store has the same files.
fn is_there(store: &Store, files: &[StoredFile], cancel: &CancellationToken) -> Result<bool, Error> {
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    for (file, size) in files.iter().zip(store.sizes(&paths)?) {
        if size != Some(file.bytes) || digest_file(&store.fetch(&file.path)?, cancel)? != file.digest {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The files of a folder, their paths below it.
fn files(folder: &Path, cancel: &CancellationToken) -> Result<Vec<StoredFile>, Error> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .map_err(Error::io(folder))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    let file = |name: String| {
        let path = folder.join(&name);
        let bytes = std::fs::metadata(&path).map_err(Error::io(&path))?.len();
        let rows = if name.ends_with(".parquet") { rows(&path)? } else { 0 };
        Ok(StoredFile { counts: Vec::new(), path: name, bytes, digest: digest_file(&path, cancel)?, rows })
    };
    names.into_iter().map(file).collect()
}

fn rows(path: &Path) -> Result<u64, Error> {
    let file = std::fs::File::open(path).map_err(Error::io(path))?;
    Ok(ParquetMetaDataReader::new().parse_and_finish(&file)?.file_metadata().num_rows().unsigned_abs())
}
