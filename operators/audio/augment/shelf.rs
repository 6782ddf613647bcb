//! Clips that are read where they lie in a shard: of a long one only the part that is wanted.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use etude_pipeline::Error;
use etude_pipeline::flow::Block;
use etude_pipeline::operator::Stop;
use etude_pipeline::place::{Place, Source};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use symphonia::core::io::MediaSource;

use super::sounds::Shape;
use crate::decode::{Failure, Stream};

/// Where the clips of a shard lie, and what they are. The file is open only while one is read.
pub struct Shelf {
    path: Arc<Path>,
    clips: Vec<(Bytes, Shape)>,
}

/// Where a clip's audio file is.
#[derive(Clone, Copy)]
struct Bytes {
    offset: u64,
    length: u64,
}

impl Shelf {
    /// Reads the footer of a shard, and what its clips are.
    pub fn open(path: &Arc<Path>) -> Result<Self, Error> {
        let io = |source| Error::Io { path: path.to_path_buf(), source };
        let wrong =
            || Error::Store { path: path.to_path_buf(), message: "is not a shard of clips of audio".into() };
        let file = File::open(path).map_err(io)?;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let metadata = ArrowReaderMetadata::load(&file, options)?;
        let places = places(metadata.metadata()).ok_or_else(wrong)?;
        let mask = ProjectionMask::columns(metadata.parquet_schema(), ["rate", "channels", "frames"]);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
        let mut shapes = Vec::with_capacity(places.len());
        for batch in builder.with_projection(mask).build()? {
            shapes.extend(self::shapes(&batch?).ok_or_else(wrong)?);
        }
        if shapes.len() != places.len() {
            return Err(wrong());
        }
        Ok(Self { path: path.clone(), clips: places.into_iter().zip(shapes).collect() })
    }

    fn clip(&self, row: usize) -> Result<(Bytes, Shape), Stop> {
        let missing = || Stop::Transient { message: format!("{} has no row {row}", self.path.display()) };
        self.clips.get(row).copied().ok_or_else(missing)
    }

    /// What the clip in a row is.
    pub fn shape(&self, row: usize) -> Result<Shape, Stop> {
        Ok(self.clip(row)?.1)
    }

    /// Some frames of the clip in a row.
    pub fn read(&self, row: usize, frames: Range<usize>) -> Result<Block, Stop> {
        let (Bytes { offset, length }, shape) = self.clip(row)?;
        let damaged = |what: String| Stop::Transient {
            message: format!("{}: the clip in row {row} is damaged: {what}", self.path.display()),
        };
        let failed = |failure: Failure| damaged(format!("{failure:?}"));
        let open = || {
            let place = Place::Slice { path: self.path.clone(), offset, length };
            let source = place.open().map_err(|error| damaged(error.to_string()))?;
            Stream::open(Box::new(Media(source)), None).map_err(failed)
        };
        let mut stream = open()?;
        let (from, to) = (frames.start as u64, Some(frames.end as u64));
        if from == 0 {
            stream.cut(from, to);
        } else if stream.seek(from, to).is_err() {
            // What cannot be sought is decoded from its begin.
            stream = open()?;
            stream.cut(from, to);
        }
        let mut block = Block::zeros(shape.channels, frames.len());
        let mut at = 0;
        while let Some(planes) = stream.packet().map_err(failed)? {
            let next = at + planes.first().map_or(0, Vec::len);
            if next > block.frames() || planes.len() != block.channels() {
                break;
            }
            for (channel, plane) in planes.iter().enumerate() {
                block.channel_mut(channel)[at..next].copy_from_slice(plane);
            }
            at = next;
        }
        if at == block.frames() { Ok(block) } else { Err(damaged(format!("its row says {shape:?}"))) }
    }
}

/// Where each row's audio file lies: at the end of its page, as `docs/shards.md` says.
fn places(metadata: &ParquetMetaData) -> Option<Vec<Bytes>> {
    let schema = metadata.file_metadata().schema_descr();
    let column = schema.columns().iter().position(|column| column.path().string() == "audio.bytes")?;
    let mut places = Vec::new();
    for (group, indexes) in metadata.row_groups().iter().zip(metadata.offset_index()?) {
        let index = indexes.get(column)?;
        let (pages, lengths) = (index.page_locations(), index.unencoded_byte_array_data_bytes()?);
        if [pages.len(), lengths.len()].iter().any(|count| *count as i64 != group.num_rows()) {
            return None;
        }
        for (page, length) in pages.iter().zip(lengths) {
            let offset = page.offset + i64::from(page.compressed_page_size) - length;
            places.push(Bytes { offset: offset.unsigned_abs(), length: length.unsigned_abs() });
        }
    }
    Some(places)
}

fn shapes(batch: &RecordBatch) -> Option<Vec<Shape>> {
    let short = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<Int32Type>();
    let (rates, channels) = (short("rate")?.values(), short("channels")?.values());
    let frames = batch.column_by_name("frames")?.as_primitive_opt::<Int64Type>()?.values();
    let rows = rates.iter().zip(channels).zip(frames);
    let shape = |((rate, channels), frames): ((&i32, &i32), &i64)| Shape {
        rate: rate.unsigned_abs(),
        channels: channels.unsigned_abs() as usize,
        frames: frames.unsigned_abs() as usize,
    };
    Some(rows.map(shape).collect())
}

/// A part of a shard, as symphonia sees it.
struct Media(Box<dyn Source>);

impl Read for Media {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Seek for Media {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

impl MediaSource for Media {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.0.length())
    }
}
