//! Reads clips back from shards.

use std::fs::File;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Float32Array, Float64Array, Int32Array, Int64Array, ListArray,
    RecordBatch, StringArray,
};
use etude_pipeline::Error;
use etude_pipeline::flow::{Block, Header, Mask, Spans};
use etude_pipeline::operator::{Context, Item, Output, Read, Step, Stop};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::file::metadata::PageIndexPolicy;

use crate::decode::{Failure, Stream};

/// Clips read at a time.
const BATCH: usize = 8;
/// The columns that make a clip; which of them a shard has depends on what it holds.
const NEEDED: [&str; 13] = [
    "item",
    "start",
    "view",
    "rate",
    "channels",
    "frames",
    "hop",
    "planes",
    "drawn",
    "mask",
    "unseen",
    "audio.bytes",
    "values",
];

/// An open shard. Each row is a page of its own, so any run of rows is read without the others.
pub struct Shard {
    path: PathBuf,
    file: File,
    metadata: ArrowReaderMetadata,
}

/// A clip as a shard holds it.
pub struct StoredClip<'a> {
    pub header: Header,
    pub data: StoredData<'a>,
}

/// What a shard holds of a clip.
pub enum StoredData<'a> {
    /// A complete audio file.
    Audio(&'a [u8]),
    /// Values of the first channel, then of the second, and so on.
    Values(&'a [f32]),
}

impl StoredClip<'_> {
    /// All of its samples.
    ///
    /// Errors: it is not what was stored.
    pub fn samples(&self) -> Result<Block, Stop> {
        let channels = usize::from(self.header.channels);
        let frames = self.header.frames.unwrap_or(0) as usize;
        let mut planes = vec![Vec::with_capacity(frames); channels];
        self.blocks(usize::MAX, |block| {
            for (channel, plane) in planes.iter_mut().enumerate() {
                plane.extend_from_slice(block.channel(channel));
            }
            Ok(())
        })?;
        Ok(Block::planar(channels, planes.concat()))
    }

    /// Its samples in blocks of at most `length` frames.
    fn blocks(&self, length: usize, mut take: impl FnMut(&mut Block) -> Step) -> Step {
        // What was stored was good: if it is not now, the store is damaged, not the recording.
        let damaged = |what: String| Stop::Transient { message: format!("a stored clip is damaged: {what}") };
        let stored = self.header.frames.unwrap_or(0);
        let channels = usize::from(self.header.channels);
        let mut block = Block::default();
        match self.data {
            StoredData::Audio(bytes) => {
                let failed = |failure: Failure| damaged(format!("{failure:?}"));
                let mut stream = Stream::open(Box::new(Cursor::new(bytes.to_vec())), None).map_err(failed)?;
                if stream.channels() != channels {
                    return Err(damaged(format!("it has {} channels, not {channels}", stream.channels())));
                }
                while let Some(planes) = stream.packet().map_err(failed)? {
                    block.resize(planes.len(), planes.first().map_or(0, Vec::len));
                    for (channel, plane) in planes.iter().enumerate() {
                        block.channel_mut(channel).copy_from_slice(plane);
                    }
                    take(&mut block)?;
                }
                if stream.frames() != stored {
                    return Err(damaged(format!("it has {} frames, not {stored}", stream.frames())));
                }
            }
            StoredData::Values(values) => {
                let frames = usize::try_from(stored).unwrap_or(usize::MAX);
                if channels == 0 || frames.checked_mul(channels) != Some(values.len()) {
                    let found = values.len();
                    return Err(damaged(format!("it has {found} values, not {channels} times {stored}")));
                }
                let mut from = 0;
                while from < frames {
                    let to = frames.min(from.saturating_add(length.max(1)));
                    block.resize(channels, to - from);
                    for (channel, plane) in values.chunks_exact(frames).enumerate() {
                        block.channel_mut(channel).copy_from_slice(&plane[from..to]);
                    }
                    take(&mut block)?;
                    from = to;
                }
            }
        }
        Ok(())
    }
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
    view: &'a Int32Array,
    rate: &'a Int32Array,
    channels: &'a Int32Array,
    frames: &'a Int64Array,
    drawn: Vec<(Arc<str>, &'a Float64Array)>,
    /// What is masked, and what of it is not to be seen.
    mask: Option<[SpansOf<'a>; 2]>,
    data: ColumnsOf<'a>,
}

enum ColumnsOf<'a> {
    Audio(&'a BinaryArray),
    /// Hop, planes and values.
    Features(&'a Int32Array, &'a Int32Array, &'a ListArray, &'a Float32Array),
}

/// A column of spans: where each row's end, and first frames and those behind the last.
struct SpansOf<'a>(&'a ListArray, &'a Int64Array);

impl<'a> SpansOf<'a> {
    fn of(column: &'a ArrayRef) -> Option<Self> {
        let lists = column.as_list_opt::<i32>()?;
        Some(Self(lists, lists.values().as_fixed_size_list_opt()?.values().as_primitive_opt()?))
    }

    fn row(&self, row: usize) -> Spans {
        let (from, to) = range(self.0, row);
        let spans = self.1.values()[2 * from..2 * to].as_chunks::<2>().0;
        spans.iter().map(|[from, to]| (from.unsigned_abs(), to.unsigned_abs())).collect()
    }
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Self> {
        let short = |name: &str| batch.column_by_name(name)?.as_primitive_opt();
        let long = |name: &str| batch.column_by_name(name)?.as_primitive_opt();
        let mut drawn = Vec::new();
        if let Some(column) = batch.column_by_name("drawn") {
            let column = column.as_struct_opt()?;
            for (name, numbers) in column.column_names().into_iter().zip(column.columns()) {
                drawn.push((Arc::from(name), numbers.as_primitive_opt()?));
            }
        }
        let mask = match batch.column_by_name("mask") {
            Some(covered) => Some([SpansOf::of(covered)?, SpansOf::of(batch.column_by_name("unseen")?)?]),
            None => None,
        };
        let data = match batch.column_by_name("values") {
            Some(column) => {
                let lists = column.as_list_opt::<i32>()?;
                let values = lists.values().as_primitive_opt()?;
                ColumnsOf::Features(short("hop")?, short("planes")?, lists, values)
            }
            None => {
                let audio = batch.column_by_name("audio")?.as_struct_opt()?;
                ColumnsOf::Audio(audio.column_by_name("bytes")?.as_binary_opt()?)
            }
        };
        let columns = Self {
            item: batch.column_by_name("item")?.as_string_opt()?,
            start: long("start")?,
            view: short("view")?,
            rate: short("rate")?,
            channels: short("channels")?,
            frames: long("frames")?,
            drawn,
            mask,
            data,
        };
        batch.columns().iter().all(|column| column.null_count() == 0).then_some(columns)
    }

    fn clip(&self, row: usize) -> StoredClip<'a> {
        let item = Arc::from(self.item.value(row));
        let (start, frames) = (self.start.value(row).unsigned_abs(), self.frames.value(row).unsigned_abs());
        let rate = self.rate.value(row).unsigned_abs();
        let places = |column: &Int32Array| u16::try_from(column.value(row)).unwrap_or(u16::MAX);
        let mut header = Header::audio(item, start, rate, places(self.channels), Some(frames));
        header.view = self.view.value(row).unsigned_abs();
        header.drawn = (self.drawn.iter())
            .map(|(name, numbers)| (name.clone(), (!numbers.is_null(row)).then(|| numbers.value(row))))
            .collect();
        header.mask =
            self.mask.as_ref().map(|mask| Mask { covered: mask[0].row(row), unseen: mask[1].row(row) });
        let data = match self.data {
            ColumnsOf::Audio(bytes) => StoredData::Audio(bytes.value(row)),
            ColumnsOf::Features(hop, planes, lists, values) => {
                header.hop = hop.value(row).unsigned_abs();
                header.planes = places(planes);
                let (from, to) = range(lists, row);
                StoredData::Values(&values.values()[from..to])
            }
        };
        StoredClip { header, data }
    }
}

/// Where a row's list begins and ends.
fn range(lists: &ListArray, row: usize) -> (usize, usize) {
    let offsets = lists.value_offsets();
    (offsets[row] as usize, offsets[row + 1] as usize)
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
    output.begin(&clip.header)?;
    clip.blocks(context.block, |block| output.block(block))?;
    output.end()
}
