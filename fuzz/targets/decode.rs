//! Any bytes as a recording: decoded from the begin, and from a place that is sought.
#![no_main]

mod panics;

use std::io::Cursor;

use etude_audio::decode::Stream;
use libfuzzer_sys::fuzz_target;

/// What one input may give: behind it nothing new happens.
const FRAMES: u64 = 1 << 22;
const FAILURES: u32 = 64;

/// Decodes, from a frame on if one is given.
fn decode(bytes: &[u8], begin: Option<u64>) {
    let Ok(mut stream) = Stream::open(Box::new(Cursor::new(bytes.to_vec())), None) else { return };
    if let Some(begin) = begin
        && stream.seek(begin, Some(begin + 20_000)).is_err()
    {
        return;
    }
    let mut failures = 0;
    while stream.frames() < FRAMES && failures < FAILURES {
        match stream.packet() {
            Ok(None) => return,
            Ok(Some(planes)) => {
                let frames = planes.first().map_or(0, |plane| plane.len());
                assert!(planes.iter().all(|plane| plane.len() == frames), "channels differ in length");
            }
            Err(_) => failures += 1,
        }
    }
}

fuzz_target!(init: panics::sort(), |bytes: &[u8]| {
    panics::caught(|| decode(bytes, None));
    panics::caught(|| decode(bytes, Some(5000)));
});
