//! Clips of another stage, of which a step reads one at random.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use etude_pipeline::Error;
use etude_pipeline::flow::Block;
use etude_pipeline::operator::{DatasetInput, Stop};

use super::shelf::Shelf;
use super::side;

/// What a clip is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    pub rate: u32,
    pub channels: usize,
    pub frames: usize,
}

impl Shape {
    /// Errors: a rate or channels that do not go with a clip's. Where stages know them, this was said before.
    pub fn suits(&self, port: &str, rate: u32, channels: usize) -> Result<(), Stop> {
        side::same_rate(port, rate, self.rate)
            .and_then(|()| side::same_channels(port, channels, self.channels))
            .map_err(|message| Stop::Transient { message })
    }
}

/// The clips of a stage.
pub trait Sounds: Send {
    /// How many there are.
    fn count(&self) -> u64;

    /// What one is.
    fn shape(&mut self, index: u64) -> Result<Shape, Stop>;

    /// Some frames of one.
    fn read(&mut self, index: u64, frames: Range<usize>) -> Result<Block, Stop>;
}

/// Clips in shards, in the order of items, however these are spread over shards.
pub struct Stored {
    /// Each is opened when a clip of it is wanted.
    shards: Vec<(Arc<Path>, Option<Shelf>)>,
    /// Which shard, the first row, the number of rows.
    items: Vec<(usize, u64, u64)>,
    /// The number of clips up to each item's last.
    ends: Vec<u64>,
}

impl Stored {
    /// The clips of a stage. Errors: it keeps no clips, or none.
    pub fn open(port: &str, input: &DatasetInput) -> Result<Self, Stop> {
        let wrong = |message: String| Stop::Transient { message };
        let DatasetInput::Signal(signal) = input else {
            return Err(wrong(format!("`{port}` names no stage of clips")));
        };
        let count = |sum: &mut u64, item: &(usize, u64, u64)| {
            *sum += item.2;
            Some(*sum)
        };
        let ends: Vec<u64> = signal.items.iter().scan(0, count).collect();
        if ends.last().is_none_or(|clips| *clips == 0) {
            return Err(wrong(format!("`{}`, which `{port}` names, keeps no clip", signal.stage)));
        }
        let shards = signal.shards.iter().map(|path| (Arc::from(path.as_path()), None)).collect();
        Ok(Self { shards, items: signal.items.clone(), ends })
    }

    /// The shard of a clip, and its row there.
    fn find(&mut self, index: u64) -> Result<(&Shelf, usize), Stop> {
        let transient = |error: Error| Stop::Transient { message: error.to_string() };
        let item = self.ends.partition_point(|end| *end <= index);
        let (shard, first, rows) = self.items[item];
        let row = first + index + rows - self.ends[item];
        let (path, shelf) = &mut self.shards[shard];
        let shelf = match shelf {
            Some(shelf) => shelf,
            None => shelf.insert(Shelf::open(path).map_err(transient)?),
        };
        Ok((shelf, usize::try_from(row).unwrap_or(usize::MAX)))
    }
}

impl Sounds for Stored {
    fn count(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    fn shape(&mut self, index: u64) -> Result<Shape, Stop> {
        let (shelf, row) = self.find(index)?;
        shelf.shape(row)
    }

    fn read(&mut self, index: u64, frames: Range<usize>) -> Result<Block, Stop> {
        let (shelf, row) = self.find(index)?;
        shelf.read(row, frames)
    }
}
