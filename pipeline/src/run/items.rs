//! The items that a unit works on, in buckets.

use std::sync::Arc;

use super::unit::digest;
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
    let item = |entry: &crate::store::ItemEntry| Item {
        key: Arc::from(entry.item.as_str()),
        place: Place::File(store.path(&snapshot.files[entry.file].path)),
        size: entry.bytes,
        digest: entry.output.clone(),
        stamp: None,
        rows: Some((entry.first, entry.rows)),
    };
    snapshot.items.iter().map(item).collect()
}

/// The digest of a set of items: keys and contents.
pub fn digest_items(items: &[Item]) -> String {
    let parts: Vec<&str> = items.iter().flat_map(|item| [&*item.key, item.digest.as_str()]).collect();
    digest(&parts)
}

/// Cuts sorted items into buckets by the first bits of their keys' hashes. The number of bits
/// depends on the total size alone, so that a corpus that doubles splits each bucket in two.
pub fn buckets(fingerprint: &str, items: &[Item], target: u64) -> Vec<Bucket> {
    let total: u64 = items.iter().map(|item| item.size).sum();
    let bits = total.div_ceil(target.max(1)).max(1).next_power_of_two().trailing_zeros().min(16);
    let mut groups: Vec<Vec<Item>> = vec![Vec::new(); 1 << bits];
    for item in items {
        let hash = blake3::hash(item.key.as_bytes());
        let first = u32::from_be_bytes([hash.as_bytes()[0], hash.as_bytes()[1], 0, 0]);
        let group = if bits == 0 { 0 } else { first >> (32 - bits) };
        groups[group as usize].push(item.clone());
    }
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
        let place = Place::File(key.into());
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
