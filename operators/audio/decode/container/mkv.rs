//! Matroska and WebM: which track is decoded, its codec's name, and what its delay and its last block
//! leave out.

use symphonia::core::io::MediaSource;

use super::window::Window;
use super::{Found, Span, Track, Trim, bytes_at};
use crate::decode::codec::aac;
use crate::decode::failure::{Failure, bad, not_here};

/// The most elements that are looked at.
const ELEMENTS: usize = 200_000;

/// The longest description of a codec that is read.
const PRIVATE: u64 = 4 << 20;

const SEGMENT: u32 = 0x1853_8067;
const SEEK_HEAD: u32 = 0x114d_9b74;
const INFO: u32 = 0x1549_a966;
const TRACKS: u32 = 0x1654_ae6b;
const CLUSTER: u32 = 0x1f43_b675;
const CUES: u32 = 0x1c53_bb6b;

/// Nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// An element: its number, and the place of its content; none where its end is not known.
#[derive(Debug, Clone, Copy)]
struct Element {
    id: u32,
    from: u64,
    to: Option<u64>,
}

/// A track.
#[derive(Debug, Default, Clone)]
struct Audio {
    number: u64,
    kind: u64,
    codec: String,
    private: Vec<u8>,
    delay: u64,
    bits: u64,
    encoded: bool,
}

#[derive(Default)]
struct File {
    scale: u64,
    duration: f64,
    tracks: Vec<Audio>,
    /// The first cluster.
    first: Option<u64>,
    /// Where an index is said to be.
    cues: Option<u64>,
    /// What an index says: times, and the places of clusters.
    index: Vec<(u64, u64)>,
    elements: usize,
}

/// Finds the first audio track that can be decoded, else names the first one that cannot.
pub(super) fn find(source: &mut dyn MediaSource) -> Result<Found, Failure> {
    let mut window = Window::new(source);
    let (from, to) = segment(&mut window)?;
    let mut file = File { scale: 1_000_000, ..File::default() };
    file.head(&mut window, from, to)?;
    let mut refused = None;
    for track in file.tracks.clone().iter().filter(|track| track.kind == 2) {
        match track.check() {
            Ok(()) => {
                let padding = file.padding(&mut window, track, from, to)?;
                return Ok(Found::Track(file.track(track, padding)));
            }
            Err(failure) => refused = refused.or(Some(failure)),
        }
    }
    Err(refused.unwrap_or_else(|| bad("format", "the file has no audio track")))
}

/// A place, and bytes that stand there instead of what is in the file: they make everything between the
/// first cluster and the one that holds a time an empty element. symphonia itself would go to a cluster by
/// the index and take the index's time for the cluster's, which it need not be.
pub(in crate::decode) fn skip(
    source: &mut dyn MediaSource,
    nanoseconds: u64,
) -> Result<(u64, Vec<u8>), Failure> {
    let mut window = Window::new(source);
    let (begin, to) = segment(&mut window)?;
    let mut file = File { scale: 1_000_000, ..File::default() };
    file.head(&mut window, begin, to)?;
    file.read_index(&mut window, begin, to)?;
    let first = file.first.ok_or_else(|| bad("format", "the Matroska file has no cluster"))?;
    let ticks = nanoseconds / file.scale;
    let known = file.index.iter().filter(|(time, _)| *time <= ticks).map(|(_, place)| *place).max();
    let (mut at, mut found) = (known.unwrap_or(first), known.unwrap_or(first));
    while at < to && file.elements < ELEMENTS {
        let Some(cluster) = element(&mut window, at)? else { break };
        file.elements += 1;
        if cluster.id == CLUSTER {
            if file.time(&mut window, cluster)? > ticks {
                break;
            }
            found = at;
        }
        let Some(end) = cluster.to else { break };
        at = end;
    }
    // An empty element: its number, a length of seven bytes after the one that says so.
    let Some(length) = found.checked_sub(first + 9) else { return Ok((first, Vec::new())) };
    let mut head = vec![0xec, 0x01];
    head.extend_from_slice(&length.to_be_bytes()[1..]);
    Ok((first, head))
}

/// Where the content of the segment begins and ends.
fn segment(window: &mut Window<'_>) -> Result<(u64, u64), Failure> {
    let end = window.length();
    let header = element(window, 0)?.and_then(|header| header.to);
    let segment = match header {
        Some(header) => element(window, header)?.filter(|segment| segment.id == SEGMENT),
        None => None,
    };
    let segment = segment.ok_or_else(|| bad("format", "the Matroska file has no segment"))?;
    Ok((segment.from, segment.to.unwrap_or(end).min(end)))
}

impl File {
    /// Reads what stands before the first cluster.
    fn head(&mut self, window: &mut Window<'_>, from: u64, to: u64) -> Result<(), Failure> {
        let mut at = from;
        while at < to && self.elements < ELEMENTS {
            let Some(found) = element(window, at)? else { break };
            self.elements += 1;
            if found.id == CLUSTER {
                self.first = Some(at);
                break;
            }
            let Some(end) = found.to else { break };
            match found.id {
                SEEK_HEAD => self.seek_head(window, found, from)?,
                INFO => self.info(window, found)?,
                TRACKS => self.tracks(window, found)?,
                CUES => self.index(window, found, from)?,
                _ => {}
            }
            at = end;
        }
        Ok(())
    }

    fn seek_head(&mut self, window: &mut Window<'_>, parent: Element, segment: u64) -> Result<(), Failure> {
        for seek in self.children(window, parent)?.into_iter().filter(|child| child.id == 0x4dbb) {
            let (mut id, mut place) = (0, None);
            for child in self.children(window, seek)? {
                match child.id {
                    0x53ab => id = number(window, child)?,
                    0x53ac => place = segment.checked_add(number(window, child)?),
                    _ => {}
                }
            }
            if id == u64::from(CUES) {
                self.cues = place;
            }
        }
        Ok(())
    }

    fn info(&mut self, window: &mut Window<'_>, parent: Element) -> Result<(), Failure> {
        for child in self.children(window, parent)? {
            match child.id {
                0x2a_d7b1 => self.scale = number(window, child)?.max(1),
                0x4489 => self.duration = float(window, child)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn tracks(&mut self, window: &mut Window<'_>, parent: Element) -> Result<(), Failure> {
        for entry in self.children(window, parent)?.into_iter().filter(|child| child.id == 0xae) {
            let mut track = Audio { kind: 0, ..Audio::default() };
            for child in self.children(window, entry)? {
                match child.id {
                    0xd7 => track.number = number(window, child)?,
                    0x83 => track.kind = number(window, child)?,
                    0x86 => {
                        let bytes = content(window, child, 256)?;
                        track.codec = String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned();
                    }
                    0x63a2 => track.private = content(window, child, PRIVATE)?,
                    0x56aa => track.delay = number(window, child)?,
                    0x6d80 => track.encoded = true,
                    0xe1 => {
                        for detail in self.children(window, child)? {
                            if detail.id == 0x6264 {
                                track.bits = number(window, detail)?;
                            }
                        }
                    }
                    _ => {}
                }
            }
            self.tracks.push(track);
        }
        Ok(())
    }

    /// What an index says.
    fn index(&mut self, window: &mut Window<'_>, parent: Element, segment: u64) -> Result<(), Failure> {
        for point in self.children(window, parent)?.into_iter().filter(|child| child.id == 0xbb) {
            let (mut time, mut places) = (None, Vec::new());
            for part in self.children(window, point)? {
                match part.id {
                    0xb3 => time = Some(number(window, part)?),
                    0xb7 => {
                        for child in self.children(window, part)?.into_iter().filter(|child| child.id == 0xf1) {
                            places.extend(segment.checked_add(number(window, child)?));
                        }
                    }
                    _ => {}
                }
            }
            self.index.extend(time.into_iter().flat_map(|time| places.iter().map(move |place| (time, *place))));
        }
        Ok(())
    }

    /// Reads an index that stands behind the clusters.
    fn read_index(&mut self, window: &mut Window<'_>, from: u64, to: u64) -> Result<(), Failure> {
        if self.index.is_empty()
            && let Some(place) = self.cues.filter(|place| *place < to)
            && let Some(cues) = element(window, place)?.filter(|cues| cues.id == CUES)
        {
            self.index(window, cues, from)?;
        }
        // What is no cluster would lead astray.
        let (mut places, mut checked) = (std::mem::take(&mut self.index), Vec::new());
        places.dedup_by_key(|(_, place)| *place);
        for (time, place) in places {
            if place < to && element(window, place)?.is_some_and(|element| element.id == CLUSTER) {
                checked.push((time, place));
            }
        }
        self.index = checked;
        Ok(())
    }

    /// The time of a cluster, in ticks.
    fn time(&mut self, window: &mut Window<'_>, cluster: Element) -> Result<u64, Failure> {
        let mut at = cluster.from;
        // It is the first element, or comes behind a checksum.
        for _ in 0..4 {
            match element(window, at)? {
                Some(child) if child.id == 0xe7 => return number(window, child),
                Some(Element { to: Some(end), .. }) => at = end,
                _ => break,
            }
        }
        Err(bad("demux", "a cluster does not tell its time"))
    }

    /// What the last block of a track says is padding, in nanoseconds.
    fn padding(
        &mut self,
        window: &mut Window<'_>,
        track: &Audio,
        from: u64,
        to: u64,
    ) -> Result<u64, Failure> {
        if track.codec.starts_with("A_PCM") {
            return Ok(0);
        }
        self.read_index(window, from, to)?;
        let last = self.index.iter().map(|(_, place)| *place).max();
        let Some(mut at) = last.or(self.first) else { return Ok(0) };
        let mut padding = 0;
        while at < to && self.elements < ELEMENTS {
            let Some(found) = element(window, at)? else { break };
            self.elements += 1;
            // The end of a stream that was written while it ran has no padding to tell of.
            let Some(end) = found.to else { return Ok(0) };
            if found.id == CLUSTER {
                let next = element(window, end)?.filter(|_| end < to);
                let last = next.is_none_or(|next| next.id != CLUSTER);
                if last {
                    padding = self.cluster(window, found, track)?.unwrap_or(padding);
                }
            }
            at = end;
        }
        Ok(padding)
    }

    /// The same of one cluster; none when the track has no block there.
    fn cluster(
        &mut self,
        window: &mut Window<'_>,
        parent: Element,
        track: &Audio,
    ) -> Result<Option<u64>, Failure> {
        let mut padding = None;
        for child in self.children(window, parent)? {
            match child.id {
                0xa3 if block(window, child)? == track.number => padding = Some(0),
                0xa0 => {
                    let (mut ours, mut discard) = (false, 0);
                    for part in self.children(window, child)? {
                        match part.id {
                            0xa1 => ours = block(window, part)? == track.number,
                            0x75a2 => discard = signed(window, part)?,
                            _ => {}
                        }
                    }
                    if ours {
                        padding = Some(u64::try_from(discard).unwrap_or(0));
                    }
                }
                _ => {}
            }
        }
        Ok(padding)
    }

    /// The elements inside of another.
    fn children(&mut self, window: &mut Window<'_>, parent: Element) -> Result<Vec<Element>, Failure> {
        let (mut at, mut children) = (parent.from, Vec::new());
        let to = parent.to.unwrap_or(parent.from).min(window.length());
        while at < to && self.elements < ELEMENTS {
            let Some(child) = element(window, at)? else { break };
            self.elements += 1;
            let Some(end) = child.to else { break };
            children.push(child);
            at = end;
        }
        Ok(children)
    }

    fn track(&self, audio: &Audio, padding: u64) -> Track {
        let mut trim = Trim {
            start: Span { ticks: audio.delay, scale: SECOND },
            end: Span { ticks: padding, scale: SECOND },
            keep: None,
        };
        // Opus says its own delay exactly.
        if audio.codec == "A_OPUS" {
            let skip = bytes_at(&audio.private, 10).map(u16::from_le_bytes);
            trim.start = skip.map_or(trim.start, |skip| Span::frames(u64::from(skip)));
        }
        let seconds = self.duration * self.scale as f64 / SECOND as f64;
        Track {
            container: "matroska",
            id: u32::try_from(audio.number).ok(),
            trim,
            seconds: (seconds > 0.0 && seconds.is_finite()).then_some(seconds),
            bit_rate: None,
        }
    }
}

impl Audio {
    /// Whether the track can be decoded.
    fn check(&self) -> Result<(), Failure> {
        if self.encoded {
            return Err(not_here("a compressed or encrypted Matroska track"));
        }
        let codec = self.codec.as_str();
        match codec {
            "A_MPEG/L1" | "A_MPEG/L2" | "A_MPEG/L3" | "A_FLAC" | "A_VORBIS" | "A_ALAC" => Ok(()),
            "A_OPUS" => match self.private.get(18) {
                Some(family @ 2..) => Err(not_here(&format!("Opus with the channel mapping {family}"))),
                _ => Ok(()),
            },
            "A_PCM/INT/LIT" | "A_PCM/INT/BIG" if [16, 24, 32].contains(&self.bits) => Ok(()),
            "A_PCM/FLOAT/IEEE" if [32, 64].contains(&self.bits) => Ok(()),
            _ if codec.starts_with("A_PCM") => {
                Err(not_here(&format!("PCM of {} bits in Matroska", self.bits)))
            }
            _ if codec.starts_with("A_AAC") && codec.ends_with("SBR") => Err(not_here("HE-AAC")),
            _ if codec.starts_with("A_AAC") => {
                if self.private.is_empty() { Ok(()) } else { aac::check(&self.private) }
            }
            // A header of WAV.
            "A_MS/ACM" => match bytes_at(&self.private, 0).map(u16::from_le_bytes) {
                Some(1 | 3) | None => Err(not_here("PCM of Windows in Matroska")),
                Some(tag) => Err(not_here(super::riff::name(tag))),
            },
            other => Err(not_here(&name(other))),
        }
    }
}

/// The name of a codec that is not decoded.
fn name(codec: &str) -> String {
    let names = [
        ("A_AC3", "AC-3"),
        ("A_EAC3", "E-AC-3"),
        ("A_DTS", "DTS"),
        ("A_TRUEHD", "TrueHD"),
        ("A_MLP", "MLP"),
        ("A_MPC", "Musepack"),
        ("A_WAVPACK", "WavPack"),
        ("A_TTA", "True Audio"),
        ("A_ATRAC", "ATRAC"),
        ("A_REAL", "RealAudio"),
        ("A_QUICKTIME", "QuickTime audio in Matroska"),
    ];
    let known = names.iter().find(|(prefix, _)| codec.starts_with(prefix));
    known.map_or_else(|| format!("the codec `{}` of Matroska", codec.escape_default()), |(_, name)| (*name).into())
}

/// The element at a place; none where there is none.
fn element(window: &mut Window<'_>, at: u64) -> Result<Option<Element>, Failure> {
    let head = window.at_most(at, 12)?;
    let Some(first) = head.first().copied().filter(|first| *first >= 0x10) else { return Ok(None) };
    let id_length = first.leading_zeros() as usize + 1;
    let Some(bytes) = head.get(..id_length) else { return Ok(None) };
    let id = bytes.iter().fold(0, |id, byte| id << 8 | u32::from(*byte));
    let Some((size, used)) = head.get(id_length..).and_then(variable) else { return Ok(None) };
    let from = at + (id_length + used) as u64;
    Ok(Some(Element { id, from, to: size.and_then(|size| from.checked_add(size)) }))
}

/// A number whose first bits tell its length; none when it is not known.
fn variable(bytes: &[u8]) -> Option<(Option<u64>, usize)> {
    let first = *bytes.first()?;
    let length = first.leading_zeros() as usize + 1;
    let rest = bytes.get(1..length).filter(|_| length <= 8)?;
    let value = rest.iter().fold(u64::from(first) & (0xff >> length), |value, byte| value << 8 | u64::from(*byte));
    Some(((value != (1 << (7 * length)) - 1).then_some(value), length))
}

/// The track of a block.
fn block(window: &mut Window<'_>, element: Element) -> Result<u64, Failure> {
    let head = window.at_most(element.from, 8)?;
    Ok(variable(head).and_then(|(number, _)| number).unwrap_or(0))
}

fn content(window: &mut Window<'_>, element: Element, most: u64) -> Result<Vec<u8>, Failure> {
    let length = element.to.map_or(0, |to| to - element.from).min(most);
    Ok(window.at_most(element.from, usize::try_from(length).unwrap_or(0))?.to_vec())
}

fn number(window: &mut Window<'_>, element: Element) -> Result<u64, Failure> {
    Ok(content(window, element, 8)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

fn signed(window: &mut Window<'_>, element: Element) -> Result<i64, Failure> {
    let bytes = content(window, element, 8)?;
    let first = bytes.first().map_or(0, |first| i64::from(*first as i8));
    Ok(bytes.iter().skip(1).fold(first, |value, byte| value << 8 | i64::from(*byte)))
}

fn float(window: &mut Window<'_>, element: Element) -> Result<f64, Failure> {
    let bytes = content(window, element, 8)?;
    Ok(match bytes.len() {
        4 => bytes_at(&bytes, 0).map_or(0.0, |bytes| f64::from(f32::from_be_bytes(bytes))),
        8 => bytes_at(&bytes, 0).map_or(0.0, f64::from_be_bytes),
        _ => 0.0,
    })
}

#[cfg(test)]
mod tests {
    use super::variable;

    #[test]
    fn numbers_tell_their_length() {
        assert_eq!(variable(&[0x81]), Some((Some(1), 1)));
        assert_eq!(variable(&[0x40, 0x7f]), Some((Some(0x7f), 2)));
        assert_eq!(variable(&[0x01, 0, 0, 0, 0, 0, 1, 0]), Some((Some(256), 8)));
        assert_eq!(variable(&[0xff]), Some((None, 1)));
        assert_eq!(variable(&[0x40]), None);
        assert_eq!(variable(&[0x00]), None);
    }
}
