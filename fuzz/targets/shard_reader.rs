//! Any bytes as a shard: opened, and its clips read and decoded.
#![no_main]

mod panics;

use std::io::Write;

use etude_audio::shards::Shard;
use libfuzzer_sys::fuzz_target;

/// Rows that are read, whatever a footer says.
const ROWS: u64 = 1 << 12;

fn read(bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("room for it");
    let Ok(shard) = Shard::open(file.path()) else { return };
    // A shard that cannot be read is an error, and that is all right.
    let _ = shard.read(0, shard.rows().min(ROWS), |clip| {
        let _ = clip.samples();
        Ok::<(), etude_pipeline::Error>(())
    });
}

fuzz_target!(init: panics::sort(), |bytes: &[u8]| {
    panics::caught(|| read(bytes));
});
