//! Where the bytes of clips stand in a shard.

use std::fs::File;
use std::path::Path;

use etude_pipeline::Error;
use parquet::basic::Compression;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};

/// The column of the clips' bytes.
const COLUMN: [&str; 2] = ["audio", "bytes"];
/// Bytes before a value that tell its length.
const LENGTH: u64 = 4;

/// Where a clip's audio file stands in a shard: it can be read from there as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClipPlace {
    /// The row, counted through the shard.
    pub row: u64,
    /// The first byte, and the number of bytes.
    pub offset: u64,
    pub length: u64,
}

/// Where the clips of a shard stand, in the order of rows. Only the footer and the page index are read.
pub fn locate(path: &Path) -> Result<Vec<ClipPlace>, Error> {
    let file = File::open(path).map_err(Error::io(path))?;
    let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    reader.try_parse(&file)?;
    places(&reader.finish()?).map_err(|message| Error::Store { path: path.to_owned(), message })
}

/// The same from metadata that were read with the page index.
pub fn places(metadata: &ParquetMetaData) -> Result<Vec<ClipPlace>, String> {
    let columns = metadata.file_metadata().schema_descr().columns();
    let column = columns
        .iter()
        .position(|column| column.path().parts().iter().map(String::as_str).eq(COLUMN))
        .ok_or_else(|| format!("is not a shard of clips: it has no column `{}`", COLUMN.join(".")))?;
    let mut places = Vec::new();
    for (group, row_group) in metadata.row_groups().iter().enumerate() {
        let first = places.len();
        in_group(metadata, group, column, &mut places)
            .map_err(|message| format!("row group {group}: {message}"))?;
        let (found, rows) = (places.len() - first, rows(row_group));
        if found as u64 != rows {
            return Err(format!("row group {group}: {found} pages of clips for {rows} rows"));
        }
    }
    Ok(places)
}

fn rows(group: &RowGroupMetaData) -> u64 {
    group.num_rows().unsigned_abs()
}

fn in_group(
    metadata: &ParquetMetaData,
    group: usize,
    column: usize,
    places: &mut Vec<ClipPlace>,
) -> Result<(), String> {
    let chunk = metadata.row_groups().get(group).and_then(|group| group.columns().get(column));
    let chunk = chunk.ok_or("the column of clips is missing")?;
    if chunk.compression() != Compression::UNCOMPRESSED || chunk.dictionary_page_offset().is_some() {
        return Err("the clips are compressed: they do not stand in the file as they are".into());
    }
    let index = metadata.offset_index().and_then(|index| index.get(group)).and_then(|index| index.get(column));
    let index = index.ok_or("there is no offset index")?;
    let lengths = index.unencoded_byte_array_data_bytes().ok_or("the offset index has no lengths of values")?;
    let pages = index.page_locations();
    if lengths.len() != pages.len() {
        return Err(format!("{} pages have {} lengths", pages.len(), lengths.len()));
    }
    for (row, (page, length)) in pages.iter().zip(lengths).enumerate() {
        if page.first_row_index != row as i64 {
            return Err(format!("page {row} begins with row {}: rows share pages", page.first_row_index));
        }
        // A page is its header, the levels, the value's length and the value: it ends with the clip.
        let place = (|| {
            let (offset, size) = (u64::try_from(page.offset).ok()?, u64::try_from(page.compressed_page_size).ok()?);
            let length = u64::try_from(*length).ok()?;
            size.checked_sub(length + LENGTH)?;
            Some(ClipPlace { row: places.len() as u64, offset: offset.checked_add(size - length)?, length })
        })();
        places.push(place.ok_or_else(|| format!("page {row} is smaller than its clip"))?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;
    use std::sync::Arc;

    use arrow::array::{BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray, StructArray};
    use parquet::arrow::ArrowWriter;
    use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion};

    use super::super::{audio_fields, schema};
    use super::*;

    /// Clips of many lengths: the sizes in page headers and levels take one byte or several.
    fn clips() -> Vec<Vec<u8>> {
        [1, 50, 63, 64, 127, 128, 8191, 8192, 70_000, 0, 300_000]
            .into_iter()
            .enumerate()
            .map(|(clip, length)| (0..length).map(|at| (at * 31 + clip * 7 + at / 256) as u8).collect())
            .collect()
    }

    /// The properties that the run writes shards with.
    fn properties() -> WriterPropertiesBuilder {
        WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_compression(Compression::UNCOMPRESSED)
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_data_page_row_count_limit(1)
            .set_write_batch_size(1)
    }

    fn write(path: &Path, properties: WriterProperties) {
        let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), schema(), Some(properties)).unwrap();
        let clips = clips();
        for group in clips.chunks(4) {
            let rows = group.len();
            let names: Vec<String> = (0..rows).map(|row| format!("{row}.flac")).collect();
            let audio = StructArray::new(
                audio_fields(),
                vec![Arc::new(BinaryArray::from_iter_values(group)), Arc::new(StringArray::from(names.clone()))],
                None,
            );
            let batch = RecordBatch::try_new(
                schema(),
                vec![
                    Arc::new(StringArray::from(names)),
                    Arc::new(Int64Array::from(vec![0; rows])),
                    Arc::new(Int32Array::from(vec![16_000; rows])),
                    Arc::new(Int32Array::from(vec![1; rows])),
                    Arc::new(Int64Array::from(vec![1; rows])),
                    Arc::new(audio),
                ],
            );
            writer.write(&batch.unwrap()).unwrap();
            writer.flush().unwrap();
        }
        writer.close().unwrap();
    }

    #[test]
    fn clips_stand_where_they_are_said_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shard.parquet");
        write(&path, properties().build());
        let (places, clips) = (locate(&path).unwrap(), clips());
        assert_eq!(places.len(), clips.len());
        let file = File::open(&path).unwrap();
        for (row, (place, clip)) in places.iter().zip(clips).enumerate() {
            assert_eq!((place.row, place.length), (row as u64, clip.len() as u64));
            let mut bytes = vec![0; clip.len() + 4];
            file.read_exact_at(&mut bytes, place.offset - LENGTH).unwrap();
            assert_eq!(bytes[..4], (clip.len() as u32).to_le_bytes());
            assert!(bytes[4..] == clip, "row {row}");
        }
    }

    #[test]
    fn what_is_no_such_shard_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.parquet");
        let refused = |properties: WriterProperties, message: &str| {
            write(&path, properties);
            let error = locate(&path).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        };
        refused(properties().set_compression(Compression::ZSTD(Default::default())).build(), "compressed");
        refused(properties().set_dictionary_enabled(true).build(), "compressed");
        refused(properties().set_data_page_row_count_limit(100).set_write_batch_size(100).build(), "share pages");
        std::fs::write(&path, "no Parquet at all").unwrap();
        assert!(locate(&path).is_err());
        assert!(locate(&folder.path().join("missing")).is_err());
    }
}
