//! The members of a ZIP.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use etude_pipeline::place::Place;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::{Failure, Listing, blames_content};
use crate::scan::{Archives, name};

pub(super) fn members(path: &Path, archives: &Archives) -> Result<Listing, Failure> {
    let (file, shared) = (File::open(path)?, Arc::<Path>::from(path));
    let packed = file.metadata()?.len();
    let mut archive = match ZipArchive::new(BufReader::new(file)) {
        Ok(archive) => archive,
        Err(ZipError::Io(error)) if !blames_content(&error) => return Err(error.into()),
        Err(error) => {
            let broken = Some(format!("is damaged: {error}"));
            return Ok(Listing { broken, ..Listing::default() });
        }
    };
    let mut listing = Listing::default();
    let mut unpacked = 0u64;
    for index in 0..archive.len() {
        let name = match archive.by_index_data(index) {
            Ok(entry) if entry.is_file() => member_name(&entry.name(), entry.name_raw()),
            _ => None,
        };
        let Some(name) = name else { continue };
        let place = member(&mut archive, index, &shared, packed)?;
        if let Place::Deflated { length, .. } = place {
            unpacked = unpacked.saturating_add(length);
        }
        listing.members.insert(name, place);
    }
    archives.check(path, packed, unpacked)?;
    Ok(listing)
}

/// Where a member lies in an archive of that length.
fn member(
    archive: &mut ZipArchive<BufReader<File>>,
    index: usize,
    path: &Arc<Path>,
    end: u64,
) -> Result<Place, Failure> {
    let path = path.clone();
    let member = match archive.by_index_raw(index) {
        Ok(member) => member,
        Err(ZipError::Io(error)) if !blames_content(&error) => return Err(error.into()),
        Err(error) => {
            let message = format!("the member is damaged: {error}").into();
            return Ok(Place::Refused { path, offset: 0, length: 0, message });
        }
    };
    let offset = member.data_start().unwrap_or(end).min(end);
    let (packed, length, method) = (member.compressed_size(), member.size(), member.compression());
    let message = if member.encrypted() {
        "the member is encrypted".to_owned()
    } else if packed > end - offset {
        "the member ends behind its archive's end".to_owned()
    } else {
        match method {
            CompressionMethod::Stored if packed == length => {
                return Ok(Place::Slice { path, offset, length });
            }
            CompressionMethod::Stored => format!("the member has {packed} bytes and announces {length}"),
            CompressionMethod::Deflated => {
                return Ok(Place::Deflated { path, offset, packed, length, crc: member.crc32() });
            }
            method => format!("the member is packed as {method}: stored and deflated members are read"),
        }
    };
    Ok(Place::Refused { path, offset, length: packed.min(end - offset), message: message.into() })
}

/// Some programs write the separator of their system.
fn member_name<E>(name: &Result<std::borrow::Cow<'_, str>, E>, raw: &[u8]) -> Option<String> {
    let name = name.as_ref().map_or(raw, |name| name.as_bytes());
    if name.contains(&b'/') {
        return name::plain(name);
    }
    let name: Vec<u8> = name.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect();
    name::plain(&name)
}
