//! What shards of the same fingerprint already know of the items of a bucket.
//!
//! A shard's name says which items went into it, so a bucket that changed has another name. The rows of its
//! unchanged items are copied from whichever shard has them: one of the same bucket before the change, or
//! of a shorter or longer prefix before the corpus grew or shrank. No run has to have published that shard.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use super::engine::Engine;
use super::footer::{Fate, Footer};
use super::items::{ALL, Bucket};
use super::unit::Unit;
use crate::error::Error;
use crate::operator::Item;
use crate::spec::Pipeline;
use crate::store::{Snapshot, Store, StoredFile};

/// A bucket, and what is known of its items.
#[derive(Debug, Clone)]
pub struct Task {
    pub bucket: Bucket,
    /// What its shard says, where that exists.
    pub shard: Option<Arc<(Footer, u64)>>,
    /// What other shards say of each item; as long as the bucket.
    pub known: Vec<Option<Box<Known>>>,
    /// Whether the shard is written again although it exists.
    pub again: bool,
}

/// What a shard says of an item.
#[derive(Debug, Clone)]
pub struct Known {
    /// Below the store's root.
    pub shard: Arc<str>,
    pub fate: Fate,
}

/// Which outcomes are computed again although they are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Again {
    #[default]
    Nothing,
    /// Rejected items.
    Rejected,
    /// All items.
    Everything,
}

impl Task {
    /// Whether its shard has to be written.
    pub fn due(&self) -> bool {
        self.shard.is_none() || self.again
    }

    /// The indices of the items to be computed.
    pub fn computed(&self) -> impl Iterator<Item = usize> {
        let due = self.due();
        self.known.iter().enumerate().filter(move |(_, known)| due && known.is_none()).map(|(index, _)| index)
    }

    /// The items to be computed.
    pub fn computed_items(&self) -> impl Iterator<Item = &Item> {
        self.computed().map(|index| &self.bucket.items[index])
    }

    /// Forgets what shards say that turned out to be damaged.
    pub fn distrust(&mut self, shard: &str) {
        for known in &mut self.known {
            if known.as_ref().is_some_and(|known| &*known.shard == shard) {
                *known = None;
            }
        }
    }
}

impl Engine {
    /// Which of a unit's outcomes are to be computed again: the most that is asked of any of its stages.
    pub(super) fn again(&self, pipeline: &Pipeline, unit: &Unit) -> Again {
        let asked = |stage: usize| self.options.again.get(&pipeline.stages[stage].name).copied();
        let again = unit.stages().into_iter().filter_map(asked).max().unwrap_or_default();
        // What takes everything at once rejects no items.
        if unit.items || again == Again::Everything { again } else { Again::Nothing }
    }

    /// The same of one bucket.
    pub(super) fn task(&self, bucket: Bucket, again: Again) -> Result<Task, Error> {
        let mut tasks = self.tasks(vec![bucket], again, None)?;
        tasks.pop().ok_or_else(|| Error::Other("a bucket has no task".into()))
    }

    /// What is known of each bucket. Of those whose shards exist nothing else is looked at.
    /// Of those that the last snapshot lists, it is the snapshot that is asked instead of their footers.
    pub(super) fn tasks(
        &self,
        buckets: Vec<Bucket>,
        again: Again,
        old: Option<&Snapshot>,
    ) -> Result<Vec<Task>, Error> {
        let ours = |old: &&Snapshot| {
            buckets.first().and_then(|bucket| bucket.path.split('/').nth(1)) == Some(&old.fingerprint)
        };
        let mut listed = old.filter(ours).map(listed).unwrap_or_default();
        let mut folders: Option<BTreeSet<String>> = None;
        let mut tasks = Vec::with_capacity(buckets.len());
        let paths: Vec<&str> = buckets.iter().map(|bucket| bucket.path.as_str()).collect();
        let sizes = self.store.sizes(&paths)?;
        for (bucket, size) in buckets.into_iter().zip(sizes) {
            let known = listed.remove(bucket.path.as_str()).filter(|(bytes, _)| size == Some(*bytes));
            let shard = match known {
                Some((_, footer)) => Some(Arc::new(footer)),
                None if size.is_none() => None,
                None => match Footer::read(&self.store, &bucket.path) {
                    Ok(read) => Some(Arc::new(read)),
                    Err(error) => absent(error)?,
                },
            };
            let mut task = Task {
                known: vec![None; bucket.items.len()],
                bucket,
                shard,
                again: again == Again::Everything,
            };
            if let Some(shard) = &task.shard
                && again == Again::Rejected
            {
                task.again = !shard.0.rejected.is_empty();
            }
            if task.due() && again != Again::Everything {
                let folders = match &mut folders {
                    Some(folders) => folders,
                    None => folders.insert(folders_of(&self.store, &task.bucket)?),
                };
                let shards = shards(&self.store, &task.bucket, folders)?;
                find(&self.store, &mut task, shards, again)?;
            }
            tasks.push(task);
        }
        Ok(tasks)
    }
}

/// Looks again for items of a bucket that are not known, in shards that are not known to be damaged.
pub fn search(
    store: &Store,
    task: &mut Task,
    damaged: &HashSet<Arc<str>>,
    again: Again,
) -> Result<(), Error> {
    if again == Again::Everything {
        return Ok(());
    }
    let mut shards = shards(store, &task.bucket, &folders_of(store, &task.bucket)?)?;
    shards.retain(|shard| !damaged.contains(shard.as_str()));
    find(store, task, shards, again)
}

/// What a snapshot says of each of its shards, as their footers would, but for the counts of single items: the
/// bytes, the footer, and the number of rows.
fn listed(snapshot: &Snapshot) -> HashMap<&str, (u64, (Footer, u64))> {
    let footer = |file: &StoredFile| Footer { counts: vec![file.counts.clone()], ..Footer::default() };
    let mut footers: Vec<Footer> = snapshot.files.iter().map(footer).collect();
    for entry in &snapshot.items {
        if let Some(footer) = footers.get_mut(entry.file) {
            footer.items.push(entry.clone());
        }
    }
    for entry in &snapshot.filtered {
        if let Some(footer) = footers.get_mut(entry.file) {
            footer.filtered.push(entry.clone());
        }
    }
    for entry in &snapshot.rejected {
        if let Some(footer) = footers.get_mut(entry.file) {
            footer.rejected.push(entry.clone());
        }
    }
    let of = |(file, footer)| {
        let file: &StoredFile = file;
        (file.path.as_str(), (file.bytes, (footer, file.rows)))
    };
    snapshot.files.iter().zip(footers).filter(|(file, _)| !file.counts.is_empty()).map(of).collect()
}

/// The folder of a fingerprint, and the bucket's name in it.
fn parts(bucket: &Bucket) -> Option<(&str, &str)> {
    let (folder, _) = bucket.path.rsplit_once('/')?;
    folder.rsplit_once('/')
}

/// The buckets that a fingerprint has shards of.
fn folders_of(store: &Store, bucket: &Bucket) -> Result<BTreeSet<String>, Error> {
    let names = parts(bucket).map_or(Ok(Vec::new()), |(fingerprint, _)| store.names(fingerprint))?;
    Ok(names.into_iter().collect())
}

/// Nothing, where a shard is not there or is none; any other error may pass.
fn absent<T>(error: Error) -> Result<Option<T>, Error> {
    match error {
        Error::Store { .. } => Ok(None),
        Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        other => Err(other),
    }
}

/// The shards of a bucket, of those that it was split from, and of those that it was split into; the newest
/// first.
fn shards(store: &Store, bucket: &Bucket, folders: &BTreeSet<String>) -> Result<Vec<String>, Error> {
    let Some((fingerprint, name)) = parts(bucket) else { return Ok(Vec::new()) };
    let bits = if name == ALL { "" } else { name };
    let above = (1..bits.len()).map(|length| &bits[..length]).chain([ALL]);
    let above = above.filter(|folder| folders.contains(*folder));
    let below = folders.range(bits.to_owned()..).map(String::as_str);
    let below = below.take_while(|folder| folder.starts_with(bits)).filter(|folder| *folder != ALL);
    let mut found: Vec<(SystemTime, String)> = Vec::new();
    for folder in above.chain(below) {
        let entries = store.all(&format!("{fingerprint}/{folder}"))?;
        found.extend(entries.into_iter().map(|entry| (entry.modified, entry.path)));
    }
    found.sort_by(|a, b| b.cmp(a));
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Looks for the items of a bucket that are not known in shards. A shard that cannot be read knows nothing.
fn find(store: &Store, task: &mut Task, shards: Vec<String>, again: Again) -> Result<(), Error> {
    let mut wanted: HashMap<&str, (usize, &str)> = HashMap::new();
    for (index, item) in
        task.bucket.items.iter().enumerate().filter(|(index, _)| task.known[*index].is_none())
    {
        wanted.insert(&item.key, (index, &item.digest));
    }
    for shard in shards {
        if wanted.is_empty() {
            break;
        }
        // Of a few items most shards know nothing: that is told without taking their footers apart.
        let digests: Vec<&str> = wanted.values().map(|(_, digest)| *digest).collect();
        let few = digests.len() <= 16;
        let wants = |text: &str| !few || digests.iter().any(|digest| text.contains(digest));
        let footer = match Footer::read_if(store, &shard, wants) {
            Ok(Some((footer, _))) => footer,
            Ok(None) => continue,
            Err(error) => {
                absent::<()>(error)?;
                continue;
            }
        };
        let shard: Arc<str> = shard.into();
        for fate in footer.fates() {
            if again == Again::Rejected && matches!(fate, Fate::Rejected(_)) {
                continue;
            }
            let (key, input) = fate.of();
            let Some(&(index, digest)) = wanted.get(key) else { continue };
            if digest == input {
                wanted.remove(key);
                task.known[index] = Some(Box::new(Known { shard: shard.clone(), fate }));
            }
        }
    }
    Ok(())
}
