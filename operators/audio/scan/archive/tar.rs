//! The members of a TAR.
//!
//! The headers are followed here, with the `tar` crate's view of a single one: names and sizes that
//! an archive claims are never allocated, and an archive that is cut short gives what it holds.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use etude_pipeline::place::Place;
use tar::{EntryType, Header, PaxExtensions};

use super::{Failure, Listing};
use crate::scan::name;

const BLOCK: u64 = 512;

/// A name that is longer is damage.
const LONGEST: u64 = 1 << 20;

/// What headers before a member say of it.
#[derive(Default)]
struct Announced {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

struct Reader {
    path: Arc<Path>,
    file: BufReader<File>,
    at: u64,
    length: u64,
    members: BTreeMap<String, Place>,
    /// Links by name, with the names of what they lead to.
    links: Vec<(String, String)>,
}

pub(super) fn members(path: &Path) -> Result<Listing, Failure> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let file = BufReader::with_capacity(1 << 16, file);
    let mut reader =
        Reader { path: path.into(), file, at: 0, length, members: BTreeMap::new(), links: Vec::new() };
    let broken = reader.read()?;
    let Reader { mut members, links, .. } = reader;
    for (name, to) in links {
        // One that leads out of the archive, or nowhere, is no recording.
        if let Some(place) = members.get(&to).cloned() {
            members.insert(name, place);
        }
    }
    Ok(Listing { members, broken })
}

impl Reader {
    /// Goes through all headers; what is wrong if it cannot.
    fn read(&mut self) -> io::Result<Option<String>> {
        let mut announced = Announced::default();
        while self.at < self.length {
            let begin = self.at;
            let Some(block) = self.block()? else { return Ok(Some(self.cut())) };
            if block.iter().all(|byte| *byte == 0) {
                return Ok(None);
            }
            let header = Header::from_byte_slice(&block);
            let damaged = |what: &str| Ok(Some(format!("is damaged: the header at byte {begin} has {what}")));
            if header.cksum().ok() != Some(checksum(&block)) {
                return damaged("a wrong checksum");
            }
            let Ok(size) = header.entry_size() else { return damaged("no size") };
            let kind = header.entry_type();
            // Of what only describes another member, the size is its own.
            let describes = matches!(
                kind,
                EntryType::XHeader
                    | EntryType::XGlobalHeader
                    | EntryType::GNULongName
                    | EntryType::GNULongLink
            );
            let size = announced.size.filter(|_| !describes).unwrap_or(size);
            let sparse = kind == EntryType::GNUSparse;
            if sparse && header.as_gnu().is_some_and(|header| header.is_extended()) && !self.extensions()? {
                return Ok(Some(self.cut()));
            }
            let data = self.at;
            let Some(next) = size.checked_next_multiple_of(BLOCK).and_then(|size| data.checked_add(size))
            else {
                return damaged("an impossible size");
            };
            if describes {
                if size > LONGEST {
                    return damaged("a name without end");
                }
                let Some(text) = self.bytes(size)? else { return Ok(Some(self.cut())) };
                match kind {
                    EntryType::GNULongName => announced.name = Some(until_zero(text)),
                    EntryType::GNULongLink => announced.link = Some(until_zero(text)),
                    EntryType::XHeader => announced.take(&text),
                    _ => {}
                }
            } else {
                let about = std::mem::take(&mut announced);
                self.member(header, about, data, size);
            }
            if next > self.length && next - self.length >= BLOCK {
                return Ok(Some(self.cut()));
            }
            self.skip(next)?;
        }
        Ok(None)
    }

    fn member(&mut self, header: &Header, about: Announced, data: u64, size: u64) {
        let raw = about.name.unwrap_or_else(|| header.path_bytes().into_owned());
        let Some(name) = name::plain(&raw) else { return };
        let link = |header: &Header| {
            about.link.clone().or_else(|| header.link_name_bytes().map(|name| name.into_owned()))
        };
        let refused = |message: &str| Place::Refused {
            path: self.path.clone(),
            offset: data.min(self.length),
            length: size.min(self.length.saturating_sub(data)),
            message: message.into(),
        };
        let place = match header.entry_type() {
            EntryType::Link => {
                self.links.extend(link(header).and_then(|to| name::plain(&to)).map(|to| (name, to)));
                return;
            }
            EntryType::Symlink => {
                // It counts from the folder that it lies in.
                let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                let to = link(header).map(|to| [folder.as_bytes(), b"/", &to].concat());
                self.links.extend(to.and_then(|to| name::plain(&to)).map(|to| (name, to)));
                return;
            }
            // The oldest archives mark a folder by its name.
            EntryType::Regular | EntryType::Continuous if !raw.ends_with(b"/") => {
                if about.sparse {
                    refused("the member is a sparse file")
                } else if data.saturating_add(size) > self.length {
                    refused("the member is cut short, as its archive is")
                } else {
                    Place::Slice { path: self.path.clone(), offset: data, length: size }
                }
            }
            EntryType::GNUSparse => refused("the member is a sparse file"),
            _ => return,
        };
        self.members.insert(name, place);
    }

    fn cut(&self) -> String {
        format!("is cut short after {} bytes", self.length)
    }

    /// The next block; none where the file ends before.
    fn block(&mut self) -> io::Result<Option<[u8; BLOCK as usize]>> {
        let mut block = [0; BLOCK as usize];
        if self.at + BLOCK > self.length {
            return Ok(None);
        }
        self.file.read_exact(&mut block)?;
        self.at += BLOCK;
        Ok(Some(block))
    }

    /// Passes the blocks that a sparse member's header goes on in.
    fn extensions(&mut self) -> io::Result<bool> {
        while let Some(block) = self.block()? {
            // The mark follows 21 pairs of numbers of 12 digits.
            if block[21 * 24] == 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn bytes(&mut self, size: u64) -> io::Result<Option<Vec<u8>>> {
        if self.at + size > self.length {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        self.at += self.file.by_ref().take(size).read_to_end(&mut bytes)? as u64;
        Ok(Some(bytes))
    }

    fn skip(&mut self, to: u64) -> io::Result<()> {
        let to = to.min(self.length);
        let by = i64::try_from(to.saturating_sub(self.at)).map_err(io::Error::other)?;
        self.file.seek_relative(by)?;
        self.at = to;
        Ok(())
    }
}

impl Announced {
    /// Takes what extended headers say.
    fn take(&mut self, text: &[u8]) {
        for extension in PaxExtensions::new(text).flatten() {
            let value = extension.value_bytes();
            match extension.key_bytes() {
                b"path" => self.name = Some(value.to_owned()),
                b"linkpath" => self.link = Some(value.to_owned()),
                b"size" => self.size = str::from_utf8(value).ok().and_then(|text| text.parse().ok()),
                key => self.sparse |= key.starts_with(b"GNU.sparse."),
            }
        }
    }
}

fn until_zero(mut text: Vec<u8>) -> Vec<u8> {
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    text.truncate(end);
    text
}

/// The sum of a header's bytes, its own field read as blanks.
fn checksum(block: &[u8; BLOCK as usize]) -> u32 {
    let byte =
        |(at, byte): (usize, &u8)| if (148..156).contains(&at) { u32::from(b' ') } else { u32::from(*byte) };
    block.iter().enumerate().map(byte).sum()
}
