//! Leases: what a run uses is kept as long as it runs.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};

use super::{Store, file};
use crate::error::Error;

/// The fingerprints that a run uses, held until it is dropped. The kernel lets go of them with the process.
#[derive(Debug)]
pub struct Lease {
    path: std::path::PathBuf,
    _lock: File,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

const FOLDER: &str = "leases";

impl Store {
    /// Holds fingerprints. To be called before the store is asked whether it has anything of them. Waits for a
    /// `gc` that is under way.
    pub fn lease(&self, fingerprints: &[&str]) -> Result<Lease, Error> {
        let folder = self.path(FOLDER);
        file::create_folder(self.disk(), &folder)?;
        let _exclusive = self.lock()?;
        let named =
            tempfile::Builder::new().prefix("run-").tempfile_in(&folder).map_err(Error::io(&folder))?;
        let (mut file, path) = named.keep().map_err(|error| Error::io(&folder)(error.error))?;
        let held = file.lock().and_then(|()| file.write_all(fingerprints.join("\n").as_bytes()));
        held.map_err(Error::io(&path))?;
        Ok(Lease { path, _lock: file })
    }

    /// The fingerprints that live runs hold. With `apply`, under the store's lock, the leases of killed ones are
    /// removed.
    pub(super) fn leased(&self, apply: bool) -> Result<BTreeSet<String>, Error> {
        let mut leased = BTreeSet::new();
        for name in self.names(FOLDER)? {
            let path = self.path(&format!("{FOLDER}/{name}"));
            let Ok(mut file) = File::open(&path) else { continue };
            if file.try_lock().is_ok() {
                if apply {
                    let _ = fs::remove_file(&path);
                }
                continue;
            }
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(Error::io(&path))?;
            leased.extend(text.lines().map(str::to_owned));
        }
        Ok(leased)
    }
}
