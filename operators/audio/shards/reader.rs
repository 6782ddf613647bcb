//! Reads clips back from shards.

use std::fs::File;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray};
use etude_pipeline::Error;
use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{Context, Item, Output, Read, Step, Stop};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::file::metadata::PageIndexPolicy;

use crate::decode::{Failure, Stream};

/// Clips read at a time.
const BATCH: usize = 8;
/// The columns that make a clip.
const NEEDED: [&str; 6] = ["item", "start", "rate", "channels", "frames", "audio.bytes"];

/// An open shard. Each row is a page of its own, so any run of rows is read without the others.
pub struct Shard {
    path: PathBuf,
    file: File,
    metadata: ArrowReaderMetadata,
}

/// A clip as a shard holds it.
pub struct StoredClip<'a> {
    pub item: &'a str,
    pub start: u64,
    pub rate: u32,
    pub channels: u16,
    pub frames: u64,
    /// A complete audio file.
    pub bytes: &'a [u8],
}

impl Shard {
    /// Opens a shard and reads its footer.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = ArrowReaderMetadata::load(&file, options)?;
        Ok(Self { path: path.to_owned(), file, metadata })
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.metadata.metadata().file_metadata().num_rows().unsigned_abs()
    }

    /// Gives the rows `first..first + count` in order.
    pub fn read<E: From<Error>>(
        &self,
        first: u64,
        count: u64,
        mut take: impl FnMut(&StoredClip<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let read = || -> Result<_, Error> {
            let io = |source| Error::Io { path: self.path.clone(), source };
            let whole =
                |number: u64| usize::try_from(number).map_err(|error| Error::Other(error.to_string()));
            // Only the row groups that have them, or every read would go through all that come before.
            let (groups, before) = self.groups(first, count);
            let selection = RowSelection::from(vec![
                RowSelector::skip(whole(first - before)?),
                RowSelector::select(whole(count)?),
            ]);
            let file = self.file.try_clone().map_err(io)?;
            // Neither the clip's name nor what a table says of the item is needed here.
            let mask = ProjectionMask::columns(self.metadata.parquet_schema(), NEEDED);
            Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
                .with_projection(mask)
                .with_row_groups(groups)
                .with_row_selection(selection)
                .with_batch_size(BATCH)
                .build()?)
        };
        for batch in read()? {
            let batch = batch.map_err(Error::from)?;
            let columns = Columns::of(&batch).ok_or_else(|| Error::Store {
                path: self.path.clone(),
                message: "is not a shard of clips: its columns differ".into(),
            })?;
            for row in 0..batch.num_rows() {
                take(&columns.clip(row))?;
            }
        }
        Ok(())
    }
}

impl Shard {
    /// The row groups that hold some rows, and the number of rows before the first of them.
    fn groups(&self, first: u64, count: u64) -> (Vec<usize>, u64) {
        let (mut groups, mut before, mut begin) = (Vec::new(), first, 0);
        for (index, group) in self.metadata.metadata().row_groups().iter().enumerate() {
            let end = begin + group.num_rows().unsigned_abs();
            if begin < first + count && end > first {
                if groups.is_empty() {
                    before = begin;
                }
                groups.push(index);
            }
            begin = end;
        }
        (groups, before)
    }
}

struct Columns<'a> {
    item: &'a StringArray,
    start: &'a Int64Array,
    rate: &'a Int32Array,
    channels: &'a Int32Array,
    frames: &'a Int64Array,
    bytes: &'a BinaryArray,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let audio = batch.column_by_name("audio")?.as_struct_opt()?;
        let columns = Self {
            item: batch.column_by_name("item")?.as_string_opt()?,
            start: batch.column_by_name("start")?.as_primitive_opt()?,
            rate: batch.column_by_name("rate")?.as_primitive_opt()?,
            channels: batch.column_by_name("channels")?.as_primitive_opt()?,
            frames: batch.column_by_name("frames")?.as_primitive_opt()?,
            bytes: audio.column_by_name("bytes")?.as_binary_opt()?,
        };
        batch.columns().iter().all(|column| column.null_count() == 0).then_some(columns)
    }

    fn clip(&self, row: usize) -> StoredClip<'a> {
        StoredClip {
            item: self.item.value(row),
            start: self.start.value(row).unsigned_abs(),
            rate: self.rate.value(row).unsigned_abs(),
            channels: u16::try_from(self.channels.value(row)).unwrap_or(u16::MAX),
            frames: self.frames.value(row).unsigned_abs(),
            bytes: self.bytes.value(row),
        }
    }
}

/// Shards that are kept open: items that follow each other by key lie in shards by hash.
const OPEN: usize = 64;

/// Gives the rows of an item as signals.
pub struct Reader {
    context: Context,
    /// The last used comes last.
    open: Vec<Shard>,
}

impl Reader {
    pub fn new(context: Context) -> Self {
        Self { context, open: Vec::new() }
    }

    /// A shard, opened if it is not open.
    fn shard(&mut self, path: &Path) -> Result<&Shard, Error> {
        let shard = match self.open.iter().position(|shard| shard.path == path) {
            Some(at) => self.open.remove(at),
            None => Shard::open(path)?,
        };
        if self.open.len() >= OPEN {
            self.open.remove(0);
        }
        Ok(self.open.push_mut(shard))
    }
}

/// A stop that an error of the store can become.
struct Ended(Stop);

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self(Stop::Transient { message: error.to_string() })
    }
}

impl Read for Reader {
    fn read(&mut self, item: &Item, output: &mut dyn Output) -> Step {
        let transient = |error: Error| Stop::Transient { message: error.to_string() };
        let Some(path) = item.place.path() else {
            return Err(Stop::Transient { message: format!("{} is no shard", item.place) });
        };
        let Some((first, count)) = item.rows else { return Ok(()) };
        let context = self.context.clone();
        let shard = self.shard(path).map_err(transient)?;
        let result: Result<(), Ended> =
            shard.read(first, count, |clip| give(clip, &context, output).map_err(Ended));
        result.map_err(|Ended(stop)| stop)
    }
}

fn give(clip: &StoredClip<'_>, context: &Context, output: &mut dyn Output) -> Step {
    context.check()?;
    // What was stored was good: if it is not now, the store is damaged, not the recording.
    let damaged =
        |failure: Failure| Stop::Transient { message: format!("a stored clip is damaged: {failure:?}") };
    let mut stream = Stream::open(Box::new(Cursor::new(clip.bytes.to_vec())), None).map_err(damaged)?;
    output.begin(&Header {
        item: Arc::from(clip.item),
        start: clip.start,
        rate: clip.rate,
        hop: 1,
        channels: clip.channels,
        frames: Some(clip.frames),
        view: 0,
    })?;
    while let Some(planes) = stream.packet().map_err(damaged)? {
        let samples = planes.iter().flatten().copied().collect();
        output.block(Block::planar(planes.len(), samples))?;
    }
    if stream.frames() != clip.frames {
        let message = format!("a stored clip has {} frames, not {}", stream.frames(), clip.frames);
        return Err(Stop::Transient { message });
    }
    output.end()
}
