//! A compressed TAR, unpacked once into the cache folder.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use etude_pipeline::operator::Stamp;
use tempfile::NamedTempFile;

use super::{Failure, Kind, blames_content};
use crate::scan::Archives;

/// What a decoder may need: enough for `xz -9` and `zstd --ultra -22`.
const WINDOW_LOG: u32 = 27;
const XZ_KIB: u32 = 256 << 10;

/// A file that nobody writes to any more was left by a run that was ended.
const STALE: Duration = Duration::from_secs(3600);
const UNFINISHED: &str = ".unfinished";

/// An unpacked TAR.
pub(super) struct Spooled {
    pub path: PathBuf,
    /// Why it is not all of it.
    pub damage: Option<String>,
}

/// Unpacks a TAR, or finds it unpacked. Its name stands for the archive's path and stamp.
pub(super) fn unpack(path: &Path, kind: Kind, archives: &Archives) -> Result<Spooled, Failure> {
    let folder = folder(path)?;
    let stamp = Stamp::of(path)?;
    let absolute = std::path::absolute(path)?;
    let Stamp { size, modified, changed, inode } = stamp;
    let mark = format!("{}\n{size} {modified} {changed} {inode}", absolute.display());
    let name = blake3::hash(mark.as_bytes()).to_hex();
    let whole = folder.join(format!("{name}.tar"));
    let part = folder.join(format!("{name}.part.tar"));
    if !whole.is_file() && !part.is_file() {
        sweep(&folder);
        let mut file = tempfile::Builder::new().suffix(UNFINISHED).tempfile_in(&folder)?;
        let complete = copy(path, kind, stamp.size, archives, &mut file)?;
        file.as_file().sync_all()?;
        // Another run may have been faster: its file is the same, and may be in use.
        let target = if complete { &whole } else { &part };
        match file.persist_noclobber(target) {
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
            other => {
                other.map_err(|error| error.error)?;
            }
        }
    }
    let complete = whole.is_file();
    let path_unpacked = if complete { whole } else { part };
    let unpacked = path_unpacked.metadata()?.len();
    archives.check(path, stamp.size, unpacked)?;
    let damage = (!complete).then(|| format!("is damaged: {unpacked} bytes could be unpacked"));
    Ok(Spooled { path: path_unpacked, damage })
}

#[cfg(not(test))]
fn folder(_: &Path) -> io::Result<PathBuf> {
    etude_pipeline::place::cache("spool")
}

/// Tests leave nothing in the user's cache.
#[cfg(test)]
fn folder(path: &Path) -> io::Result<PathBuf> {
    let folder = path.with_file_name(".spool");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn decoder(kind: Kind, file: File) -> io::Result<Box<dyn Read>> {
    let file = BufReader::with_capacity(1 << 16, file);
    Ok(match kind {
        Kind::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        Kind::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(file)),
        Kind::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(file, true, XZ_KIB)),
        Kind::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(file)?;
            decoder.window_log_max(WINDOW_LOG)?;
            Box::new(decoder)
        }
        Kind::Zip | Kind::Tar => Box::new(file),
    })
}

/// Whether the archive could be unpacked to its end.
fn copy(
    path: &Path,
    kind: Kind,
    packed: u64,
    archives: &Archives,
    to: &mut NamedTempFile,
) -> Result<bool, Failure> {
    let mut from = decoder(kind, File::open(path)?)?;
    let mut buffer = vec![0; 1 << 18];
    let mut unpacked = 0u64;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(read) => {
                unpacked += read as u64;
                archives.check(path, packed, unpacked)?;
                to.write_all(&buffer[..read])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if blames_content(&error) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Removes what runs that were ended have left.
fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let unfinished = entry.file_name().to_str().is_some_and(|name| name.ends_with(UNFINISHED));
        let age = entry.metadata().and_then(|metadata| metadata.modified()).map(|time| time.elapsed());
        if unfinished && matches!(age, Ok(Ok(age)) if age > STALE) {
            // If it cannot be removed it stays: it does no harm.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
