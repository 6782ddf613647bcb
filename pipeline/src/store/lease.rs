//! Leases: what a run uses is kept as long as it runs.

use std::collections::BTreeSet;

use super::Store;
use super::home::Held;
use crate::error::Error;

/// The fingerprints that a run uses, held until it is dropped.
#[derive(Debug)]
pub struct Lease(Box<dyn Held>);

impl Lease {
    /// Whether it was lost, such as by a machine that slept: others have taken this run for dead.
    pub fn is_lost(&self) -> bool {
        self.0.check().is_err()
    }
}

impl Store {
    /// Holds fingerprints. To be called before the store is asked whether it has anything of them. Waits for a
    /// `gc` that is under way.
    pub fn lease(&self, fingerprints: &[&str]) -> Result<Lease, Error> {
        let _exclusive = self.lock()?;
        self.home.lease(&fingerprints.join("\n")).map(Lease)
    }

    /// The fingerprints that live runs hold. With `apply`, under the store's lock, the leases of killed ones are
    /// removed.
    pub(super) fn leased(&self, apply: bool) -> Result<BTreeSet<String>, Error> {
        let texts = self.home.leases(apply)?;
        Ok(texts.iter().flat_map(|text| text.lines()).map(str::to_owned).collect())
    }
}
