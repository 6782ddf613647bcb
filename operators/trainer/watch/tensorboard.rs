//! Event files for TensorBoard.
//!
//! A file is a sequence of TFRecords: the length (u64), its masked CRC-32C, the bytes, their masked CRC-32C. The bytes
//! are a protocol buffer `Event`: 1 wall_time (double), 2 step (int64), 3 file_version (string), 5 summary, which has
//! for each value a field 1 with 1 tag (string) and 2 simple_value (float).

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::Error;
use crate::watch::Row;

/// A file of events, which grows with the training.
pub struct TensorBoard {
    file: File,
}

impl TensorBoard {
    /// A new file in that folder. One that resumes a training begins at its first step: TensorBoard shows the files of
    /// a folder as one run, and where their steps overlap takes the later file.
    pub fn create(folder: &Path, first: u64) -> Result<Self, Error> {
        let failed = |source| Error::File { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let seconds = now();
        let name = format!("events.out.tfevents.{seconds:.6}.{}.etude", std::process::id());
        let path = folder.join(name);
        let file = File::create(&path).map_err(|source| Error::File { path, source })?;
        let mut board = Self { file };
        board.write(&[&double(1, seconds)[..], &bytes(3, b"brain.Event:2")].concat())?;
        if first > 0 {
            // A session log of kind START: what an earlier file has from this step on no longer counts.
            let session = varint_field(1, 1);
            board.write(&[&double(1, seconds)[..], &varint_field(2, first), &bytes(7, &session)].concat())?;
        }
        Ok(board)
    }

    /// Adds the values of a step.
    pub fn push(&mut self, row: &Row) -> Result<(), Error> {
        let mut summary = Vec::new();
        for (name, value) in &row.values {
            let value = [&bytes(1, name.as_bytes())[..], &float(2, *value as f32)].concat();
            summary.extend(bytes(1, &value));
        }
        self.write(&[&double(1, now())[..], &varint_field(2, row.step), &bytes(5, &summary)].concat())
    }

    fn write(&mut self, event: &[u8]) -> Result<(), Error> {
        let length = (event.len() as u64).to_le_bytes();
        let record =
            [&length[..], &masked(&length).to_le_bytes(), event, &masked(event).to_le_bytes()].concat();
        self.file.write_all(&record)?;
        Ok(())
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut encoded = Vec::new();
    while value >= 0x80 {
        encoded.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    encoded.push(value as u8);
    encoded
}

fn varint_field(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

fn double(number: u64, value: f64) -> Vec<u8> {
    [&varint(number << 3 | 1)[..], &value.to_le_bytes()].concat()
}

fn float(number: u64, value: f32) -> Vec<u8> {
    [&varint(number << 3 | 5)[..], &value.to_le_bytes()].concat()
}

fn bytes(number: u64, value: &[u8]) -> Vec<u8> {
    [&varint(number << 3 | 2)[..], &varint(value.len() as u64), value].concat()
}

/// CRC-32C (Castagnoli), turned and shifted as TFRecord wants it.
fn masked(bytes: &[u8]) -> u32 {
    let crc = !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
    });
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_checksum_is_castagnolis() {
        // RFC 3720, B.4: the CRC of 32 zeros is aa36918a, bytes in the order of the wire.
        let crc = u32::from_le_bytes([0xaa, 0x36, 0x91, 0x8a]);
        assert_eq!(masked(&[0; 32]), crc.rotate_right(15).wrapping_add(0xa282_ead8));
    }

    #[test]
    fn records_hold_the_values() {
        let folder = tempfile::tempdir().unwrap();
        let mut board = TensorBoard::create(folder.path(), 0).unwrap();
        let values = BTreeMap::from([("loss".to_owned(), 0.5), ("rate".to_owned(), 2.0)]);
        board.push(&Row { step: 300, epoch: 0, values }).unwrap();
        let path = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let mut rest = &fs::read(path).unwrap()[..];
        let mut records = Vec::new();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            assert_eq!(u32::from_le_bytes(rest[8..12].try_into().unwrap()), masked(&rest[..8]));
            let event = &rest[12..12 + length];
            assert_eq!(u32::from_le_bytes(rest[12 + length..16 + length].try_into().unwrap()), masked(event));
            records.push(event.to_vec());
            rest = &rest[16 + length..];
        }
        assert_eq!(records.len(), 2);
        assert!(records[0].ends_with(b"brain.Event:2"));
        // Step 300 is the varint ac 02.
        assert_eq!(&records[1][9..12], [0x10, 0xac, 0x02]);
        let loss = [&b"\x0a\x04loss\x15"[..], &0.5f32.to_le_bytes()].concat();
        assert!(records[1].windows(loss.len()).any(|window| window == loss));
    }
}
