//! What a scan has found so far.

use std::sync::Arc;

use etude_pipeline::operator::{Invalid, Item};
use etude_pipeline::place::{Listed, Place};
use globset::GlobSet;

use super::{Archives, wrong};

/// Items, and what decides whether something is one.
pub(super) struct Found {
    include: GlobSet,
    exclude: GlobSet,
    pub archives: Archives,
    items: Vec<Item>,
    others: u64,
}

impl Found {
    pub fn new(include: GlobSet, exclude: GlobSet, archives: Archives) -> Self {
        Self { include, exclude, archives, items: Vec::new(), others: 0 }
    }

    /// Whether something that was come across is to be taken.
    pub fn takes(&mut self, key: &str) -> bool {
        let takes = self.include.is_match(key) && !self.exclude.is_match(key);
        self.others += u64::from(!takes);
        takes
    }

    /// Whether something that was named, or has to be opened, is not to be left out.
    pub fn keeps(&mut self, key: &str) -> bool {
        let keeps = !self.exclude.is_match(key);
        self.others += u64::from(!keeps);
        keeps
    }

    /// Counts a file that is no recording.
    pub fn other(&mut self) {
        self.others += 1;
    }

    /// Files that were not taken.
    pub fn others(&self) -> u64 {
        self.others
    }

    pub fn add(&mut self, key: String, place: Place) {
        self.put(key, place, 0, "".into());
    }

    /// An object stands for its content before it is read.
    pub fn add_object(&mut self, key: String, object: Listed) {
        let size = object.place.length().unwrap_or(0);
        self.put(key, object.place, size, object.digest.into());
    }

    fn put(&mut self, key: String, place: Place, size: u64, digest: Arc<str>) {
        self.items.push(Item { key: Arc::from(key), place, size, digest, stamp: None, rows: None });
    }

    /// All items in the order of their keys, each of which there is once.
    pub fn sorted(mut self) -> Result<Vec<Item>, Invalid> {
        self.items.sort_by(|a, b| a.key.cmp(&b.key));
        match self.items.windows(2).find(|pair| pair[0].key == pair[1].key) {
            None => Ok(self.items),
            Some(pair) => Err(wrong(format!(
                "two recordings have the key {}: {} and {}",
                pair[0].key, pair[0].place, pair[1].place
            ))),
        }
    }
}
