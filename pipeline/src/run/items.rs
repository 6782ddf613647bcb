//! The items that a unit works on, in buckets.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::unit::digest_all;
use crate::operator::Item;
use crate::place::Place;
use crate::store::{Snapshot, Store};

/// A bucket: the unit of a shard file.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// Its shard, below the store's root.
    pub path: String,
    /// Sorted by key.
    pub items: Vec<Item>,
}

/// The name of the bucket of all items.
pub const ALL: &str = "all";

/// The items that a snapshot holds, as items for what stands below it.
pub fn items_of(store: &Store, snapshot: &Snapshot) -> Vec<Item> {
    let files: Vec<Arc<Path>> = snapshot.files.iter().map(|file| store.path(&file.path).into()).collect();
    let item = |entry: &crate::store::ItemEntry| Item {
        key: entry.item.clone(),
        place: Place::File(files[entry.file].clone()),
        size: entry.bytes,
        digest: entry.output.clone(),
        stamp: None,
        rows: Some((entry.first, entry.rows)),
    };
    snapshot.items.iter().map(item).collect()
}

/// The items that a unit works on. Those that a snapshot holds are made when they are asked for: where there is nothing
/// to do they are not.
#[derive(Debug)]
pub struct Items {
    made: OnceLock<Arc<Vec<Item>>>,
    of: Option<(Store, Arc<Snapshot>)>,
}

impl Items {
    pub fn of(store: &Store, snapshot: &Arc<Snapshot>) -> Self {
        Self { made: OnceLock::new(), of: Some((store.clone(), snapshot.clone())) }
    }

    pub fn get(&self) -> &Arc<Vec<Item>> {
        self.made.get_or_init(|| {
            let of = self.of.as_ref();
            Arc::new(of.map(|(store, snapshot)| items_of(store, snapshot)).unwrap_or_default())
        })
    }

    pub fn count(&self) -> u64 {
        match &self.of {
            Some((_, snapshot)) => snapshot.items.len() as u64,
            None => self.get().len() as u64,
        }
    }
}

impl From<Arc<Vec<Item>>> for Items {
    fn from(made: Arc<Vec<Item>>) -> Self {
        Self { made: made.into(), of: None }
    }
}

/// The digest of a set of items: keys and contents.
pub fn digest_items(items: &[Item]) -> String {
    digest_all(items.iter().flat_map(|item| [&*item.key, &*item.digest]))
}

/// Cuts sorted items into buckets by the first bits of their keys' hashes. The number of bits
/// depends on the total size alone, so that a corpus that doubles splits each bucket in two.
pub fn buckets(fingerprint: &str, items: &[Item], target: u64) -> Vec<Bucket> {
    let total: u64 = items.iter().map(|item| item.size).sum();
    let bits = total.div_ceil(target.max(1)).max(1).next_power_of_two().trailing_zeros().min(16);
    let group = |item: &Item| {
        let hash = blake3::hash(item.key.as_bytes());
        let first = u32::from_be_bytes([hash.as_bytes()[0], hash.as_bytes()[1], 0, 0]);
        if bits == 0 { 0 } else { (first >> (32 - bits)) as usize }
    };
    let places: Vec<usize> = items.iter().map(group).collect();
    let mut counts = vec![0; 1 << bits];
    places.iter().for_each(|place| counts[*place] += 1);
    // Of many items it matters that no more room is taken than they need.
    let mut groups: Vec<Vec<Item>> = counts.into_iter().map(Vec::with_capacity).collect();
    items.iter().zip(places).for_each(|(item, place)| groups[place].push(item.clone()));
    let bucket = |(group, items): (usize, Vec<Item>)| {
        let name =
            if bits == 0 { ALL.to_owned() } else { format!("{group:0width$b}", width = bits as usize) };
        Bucket { path: format!("data/{fingerprint}/{name}/{}.parquet", digest_items(&items)), items }
    };
    groups.into_iter().enumerate().filter(|(_, items)| !items.is_empty()).map(bucket).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(key: &str, size: u64) -> Item {
        let place = Place::at(key);
        Item { key: Arc::from(key), place, size, digest: key.into(), stamp: None, rows: None }
    }

    #[test]
    fn a_corpus_that_doubles_splits_buckets_in_two() {
        let items = |n: usize| (0..n).map(|i| item(&format!("{i}.wav"), 10)).collect::<Vec<_>>();
        let few = buckets("f", &items(100), 250);
        let many = buckets("f", &items(200), 250);
        assert_eq!((few.len(), many.len()), (4, 8));
        let name = |bucket: &Bucket| bucket.path.split('/').nth(2).unwrap().to_owned();
        for bucket in &many {
            let parent = few.iter().find(|parent| name(bucket).starts_with(&name(parent))).unwrap();
            let old = |item: &Item| item.key.trim_end_matches(".wav").parse::<usize>().unwrap() < 100;
            assert!(bucket.items.iter().filter(|item| old(item)).all(|item| parent.items.contains(item)));
        }
    }

    #[test]
    fn the_path_depends_on_keys_and_contents_only() {
        let path = |digest: &str, size| {
            let item = Item { digest: digest.into(), ..item("a", size) };
            buckets("f", &[item], 100)[0].path.clone()
        };
        assert_eq!(path("x", 1), path("x", 2));
        assert_ne!(path("x", 1), path("y", 1));
    }
}
