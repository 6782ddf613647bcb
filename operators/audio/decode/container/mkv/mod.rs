//! Matroska and WebM: which track is decoded, its codec's name, and what its delay and its last block
//! leave out.

mod codec;
mod cut;
mod ebml;
mod skip;

use symphonia::core::io::MediaSource;

use super::window::{self, Window};
use super::{Found, Span, Track, Trim, bytes_at};
use crate::decode::failure::{Failure, bad};
use codec::Audio;
use ebml::{Element, block, content, element, float, number, signed};

pub(in crate::decode) use skip::skip;

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
                let cut = cut::cut(&mut window, from)?;
                return Ok(Found::Track(Track { cut, ..file.track(track, padding) }));
            }
            Err(failure) => refused = refused.or(Some(failure)),
        }
    }
    Err(refused.unwrap_or_else(|| bad("format", "the file has no audio track")))
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
                        for child in self.children(window, part)?.into_iter().filter(|child| child.id == 0xf1)
                        {
                            places.extend(segment.checked_add(number(window, child)?));
                        }
                    }
                    _ => {}
                }
            }
            self.index
                .extend(time.into_iter().flat_map(|time| places.iter().map(move |place| (time, *place))));
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
            ..Track::default()
        }
    }
}
