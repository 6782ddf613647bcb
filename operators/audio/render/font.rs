//! A SoundFont, which is read once for all threads.

use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use etude_pipeline::run::describe;
use rustysynth::SoundFont;

/// A SoundFont, once it has been read.
#[derive(Clone, Default)]
pub(super) struct Font(Arc<OnceLock<Result<Arc<SoundFont>, String>>>);

impl Font {
    /// Whether a file that is there can be used.
    pub fn check(&self, path: &str) -> Result<(), String> {
        if Path::new(path).is_file() { self.read(path).map(|_| ()) } else { Ok(()) }
    }

    /// The SoundFont in a file; the first call reads it.
    pub fn read(&self, path: &str) -> Result<Arc<SoundFont>, String> {
        self.0.get_or_init(|| load(path).map_err(|message| format!("cannot be used: {message}"))).clone()
    }
}

fn load(path: &str) -> Result<Arc<SoundFont>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    // The crate trusts what the file says of its own tables.
    match catch_unwind(|| SoundFont::new(&mut BufReader::new(file))) {
        Ok(Ok(font)) => Ok(Arc::new(font)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(panic) => Err(format!("it is broken: {}", describe(panic.as_ref()))),
    }
}

impl fmt::Debug for Font {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not its samples.
        write!(formatter, "Font({})", if self.0.get().is_some() { "read" } else { "not read" })
    }
}
