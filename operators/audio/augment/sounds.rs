//! Clips of another stage, of which a step reads one at random.

use std::io::Cursor;
use std::ops::Range;
use std::path::PathBuf;

use etude_pipeline::Error;
use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{DatasetInput, Stop};

use super::side;
use crate::decode::{Failure, Stream};
use crate::shards::{Shard, StoredClip, StoredData};

/// What a clip is, known before it is decoded.
#[derive(Debug, Clone, Copy)]
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

/// Which frames of a clip are to be read.
pub type Part<'a> = dyn FnMut(Shape) -> Result<Range<usize>, Stop> + 'a;

/// The clips of a stage.
pub trait Sounds: Send {
    /// How many there are.
    fn count(&self) -> u64;

    /// Reads a part of one, which `part` chooses when it is known what clip that is.
    fn read(&mut self, index: u64, part: &mut Part<'_>) -> Result<Block, Stop>;
}

/// Shards that are kept open.
const OPEN: usize = 64;

/// Clips in shards, in the order of items, however these are spread over shards.
pub struct Stored {
    shards: Vec<PathBuf>,
    /// Which shard, the first row, the number of rows.
    items: Vec<(usize, u64, u64)>,
    /// The number of clips up to each item's last.
    ends: Vec<u64>,
    /// The last used comes last.
    open: Vec<(usize, Shard)>,
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
        Ok(Self { shards: signal.shards.clone(), items: signal.items.clone(), ends, open: Vec::new() })
    }

    fn shard(&mut self, index: usize) -> Result<&Shard, Error> {
        let opened = match self.open.iter().position(|(open, _)| *open == index) {
            Some(at) => self.open.remove(at),
            None => (index, Shard::open(&self.shards[index])?),
        };
        if self.open.len() >= OPEN {
            self.open.remove(0);
        }
        Ok(&self.open.push_mut(opened).1)
    }
}

impl Sounds for Stored {
    fn count(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    fn read(&mut self, index: u64, part: &mut Part<'_>) -> Result<Block, Stop> {
        let transient = |error: Error| Stop::Transient { message: error.to_string() };
        let item = self.ends.partition_point(|end| *end <= index);
        let (shard, first, rows) = self.items[item];
        let row = first + index + rows - self.ends[item];
        let mut found = Err(Stop::Transient { message: format!("a shard has no row {row}") });
        let read = self.shard(shard).and_then(|shard| {
            shard.read(row, 1, |clip| {
                found = excerpt(clip, part);
                Ok(())
            })
        });
        read.map_err(transient)?;
        found
    }
}

/// Decodes a part of a clip.
fn excerpt(clip: &StoredClip<'_>, part: &mut Part<'_>) -> Result<Block, Stop> {
    let damaged =
        |failure: Failure| Stop::Transient { message: format!("a stored clip is damaged: {failure:?}") };
    let Header { rate, channels, frames, .. } = clip.header;
    let StoredData::Audio(bytes) = clip.data else {
        return Err(Stop::Transient { message: "a stored clip is not audio".into() });
    };
    let frames = usize::try_from(frames.unwrap_or(0)).unwrap_or(usize::MAX);
    let shape = Shape { rate, channels: usize::from(channels), frames };
    let Range { start, end } = part(shape)?;
    let (from, to) = (start as u64, Some(end as u64));
    let open = || Stream::open(Box::new(Cursor::new(bytes.to_vec())), None).map_err(damaged);
    let mut stream = open()?;
    if from == 0 {
        stream.cut(from, to);
    } else if stream.seek(from, to).is_err() {
        stream = open()?;
        stream.cut(from, to);
    }
    let mut block = Block::zeros(shape.channels, end - start);
    let mut at = 0;
    while let Some(planes) = stream.packet().map_err(damaged)? {
        let next = at + planes.first().map_or(0, Vec::len);
        if next > block.frames() || planes.len() != block.channels() {
            break;
        }
        for (channel, plane) in planes.iter().enumerate() {
            block.channel_mut(channel)[at..next].copy_from_slice(plane);
        }
        at = next;
    }
    if at == block.frames() {
        return Ok(block);
    }
    Err(Stop::Transient { message: format!("a stored clip has other frames than its row says: {shape:?}") })
}
