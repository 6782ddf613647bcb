//! Archives, scanned as if they were folders.
//!
//! Members are read in place. What cannot be read — a member that is encrypted, an archive that is
//! damaged — is an item all the same, which is rejected when it is opened: nothing is lost silently.

mod spool;
mod tar;
mod zip;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use etude_pipeline::operator::Invalid;
use etude_pipeline::place::Place;

use super::found::Found;
use super::{Archives, name, wrong};

/// What may be unpacked whatever the ratio: silence packs well.
const FREE: u64 = 64 << 20;

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Zip,
    Tar,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

/// What was read of an archive.
#[derive(Debug, Default)]
struct Listing {
    /// Members by name; of two with one name the last counts, as when they are unpacked.
    members: BTreeMap<String, Place>,
    /// Why it was not read to its end.
    broken: Option<String>,
}

/// Why an archive ends the scan.
#[derive(Debug)]
enum Failure {
    /// It unpacks to more than is allowed.
    Limit(Invalid),
    /// The disk fails, not the archive.
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Whether a name is that of an archive.
pub(super) fn named(name: &str) -> bool {
    const ENDINGS: [&str; 10] =
        [".zip", ".pk3", ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz", ".tzst", ".txz"];
    let ends = |ending: &str| {
        name.len()
            .checked_sub(ending.len())
            .and_then(|at| name.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(ending))
    };
    ENDINGS.into_iter().any(ends)
}

/// Whether a file is an archive, by its name or its content.
pub(super) fn recognised(path: &Path) -> bool {
    path.to_str().is_some_and(named) || matches!(kind(path), Ok(Some(Kind::Zip | Kind::Tar)))
}

/// The kind of an archive. The content decides; the name does where the content says nothing.
fn kind(path: &Path) -> io::Result<Option<Kind>> {
    let mut head = Vec::new();
    File::open(path)?.take(512).read_to_end(&mut head)?;
    let signatures: [(Kind, &[u8]); 6] = [
        (Kind::Zip, b"PK\x03\x04"),
        (Kind::Zip, b"PK\x05\x06"),
        (Kind::Gzip, &[0x1f, 0x8b]),
        (Kind::Zstd, &[0x28, 0xb5, 0x2f, 0xfd]),
        (Kind::Bzip2, b"BZh"),
        (Kind::Xz, &[0xfd, b'7', b'z', b'X', b'Z', 0]),
    ];
    if let Some((kind, _)) = signatures.into_iter().find(|(_, signature)| head.starts_with(signature)) {
        return Ok(Some(kind));
    }
    if head.get(257..262) == Some(b"ustar".as_slice()) {
        return Ok(Some(Kind::Tar));
    }
    let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    Ok(match ending.as_deref() {
        // One that unpacks itself begins with a program; a TAR of the oldest kind with a name.
        Some("zip" | "pk3") => Some(Kind::Zip),
        Some("tar") => Some(Kind::Tar),
        _ => None,
    })
}

fn members(path: &Path, archives: &Archives) -> Result<Listing, Failure> {
    match kind(path)? {
        Some(Kind::Zip) => zip::members(path, archives),
        Some(Kind::Tar) => tar::members(path),
        Some(packed) => {
            let spooled = spool::unpack(path, packed, archives)?;
            let mut listing = tar::members(&spooled.path)?;
            if let Some(damage) = spooled.damage {
                listing.broken = Some(damage);
            }
            Ok(listing)
        }
        None => Ok(Listing { broken: Some("holds neither ZIP nor TAR".into()), ..Listing::default() }),
    }
}

/// An archive among other files: keys of members begin with its own.
pub(super) fn within(path: &Path, key: &str, found: &mut Found) -> Result<(), Invalid> {
    let listing = listing(path, found)?;
    take(listing, path, key, &format!("{key}/"), found)
}

/// An archive that was named itself: keys are the members' names.
pub(super) fn alone(path: &Path, name: &str, found: &mut Found) -> Result<(), Invalid> {
    let listing = listing(path, found)?;
    if let (Some(broken), true) = (&listing.broken, listing.members.is_empty()) {
        return Err(wrong(format!("{} {broken}", path.display())));
    }
    take(listing, path, name, "", found)
}

fn listing(path: &Path, found: &Found) -> Result<Listing, Invalid> {
    members(path, &found.archives).map_err(|failure| match failure {
        Failure::Limit(invalid) => invalid,
        Failure::Io(error) => wrong(format!("{} cannot be read: {error}", path.display())),
    })
}

fn take(listing: Listing, path: &Path, key: &str, prefix: &str, found: &mut Found) -> Result<(), Invalid> {
    for (name, place) in listing.members {
        let key = format!("{prefix}{name}");
        if !name::hidden(&name) && found.takes(&key) {
            found.add(key, place);
        }
    }
    if let Some(message) = listing.broken {
        let length = std::fs::metadata(path)
            .map_err(|error| wrong(format!("{} cannot be looked at: {error}", path.display())))?
            .len();
        let message = format!("the archive {message}");
        found.add(
            key.to_owned(),
            Place::Refused { path: path.into(), offset: 0, length, message: message.into() },
        );
    }
    Ok(())
}

impl Archives {
    /// An error when an archive of `packed` bytes unpacks to too many.
    fn check(&self, path: &Path, packed: u64, unpacked: u64) -> Result<(), Failure> {
        let (parameter, allowed) = if unpacked > self.max_bytes {
            ("max_bytes", self.max_bytes)
        } else if unpacked > FREE && unpacked > packed.saturating_mul(self.max_ratio) {
            ("max_ratio", packed.saturating_mul(self.max_ratio))
        } else {
            return Ok(());
        };
        Err(Failure::Limit(Invalid {
            parameter: format!("archives.{parameter}"),
            message: format!(
                "{} of {packed} bytes unpacks to {unpacked} bytes or more, {allowed} are allowed by `archives.{parameter}`",
                path.display()
            ),
        }))
    }
}

/// Whether an error of reading blames the content.
fn blames_content(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof | ErrorKind::Other
    )
}
