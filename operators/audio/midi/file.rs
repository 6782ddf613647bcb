//! MIDI files for tests.

use std::path::Path;
use std::sync::Arc;

use etude_pipeline::operator::{Context, Item};
use etude_pipeline::place::Place;
use tokio_util::sync::CancellationToken;

/// Ticks a beat, unless said otherwise: at 120 beats a minute a tick is a millisecond.
pub(crate) const TICKS: u16 = 500;

/// The bytes of a track, built event by event.
#[derive(Debug, Clone, Default)]
pub(crate) struct Track(pub Vec<u8>);

impl Track {
    /// An event so many ticks after the one before.
    pub fn after(mut self, ticks: u32, event: &[u8]) -> Self {
        let groups = (0..4).rev().map(|group| (ticks >> (7 * group)) as u8 & 0x7F);
        let mut groups: Vec<u8> = groups.skip_while(|byte| *byte == 0).collect();
        if let Some((_, higher)) = groups.split_last_mut() {
            higher.iter_mut().for_each(|byte| *byte |= 0x80);
        } else {
            groups.push(0);
        }
        self.0.extend(groups);
        self.0.extend_from_slice(event);
        self
    }

    /// A note on a channel.
    pub fn note(self, ticks: u32, channel: u8, pitch: u8, velocity: u8) -> Self {
        self.after(0, &[0x90 | channel, pitch, velocity]).after(ticks, &[0x80 | channel, pitch, 0])
    }

    pub fn program(self, channel: u8, program: u8) -> Self {
        self.after(0, &[0xC0 | channel, program])
    }

    pub fn tempo(self, ticks: u32, microseconds: u32) -> Self {
        let [_, high, middle, low] = microseconds.to_be_bytes();
        self.after(ticks, &[0xFF, 0x51, 3, high, middle, low])
    }

    pub fn end(self, ticks: u32) -> Self {
        self.after(ticks, &[0xFF, 0x2F, 0])
    }
}

/// A chunk: its name, its length, its content.
pub(crate) fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [name, (content.len() as u32).to_be_bytes().as_slice(), content].concat()
}

/// A file of tracks.
pub(crate) fn file(format: u16, division: u16, tracks: &[Track]) -> Vec<u8> {
    let header = [format, tracks.len() as u16, division].map(u16::to_be_bytes).concat();
    let tracks = tracks.iter().flat_map(|track| chunk(b"MTrk", &track.0));
    chunk(b"MThd", &header).into_iter().chain(tracks).collect()
}

/// A file of one track, in ticks of a millisecond.
pub(crate) fn song(track: Track) -> Vec<u8> {
    file(0, TICKS, &[track])
}

/// An item of that content, in a folder.
pub(crate) fn item(folder: &Path, content: &[u8]) -> Item {
    let path = folder.join("a.mid");
    std::fs::write(&path, content).unwrap();
    Item {
        key: Arc::from("a.mid"),
        place: Place::at(path),
        size: content.len() as u64,
        digest: "".into(),
        stamp: None,
        rows: None,
    }
}

/// What an operator may know of a run.
pub(crate) fn context(block: usize) -> Context {
    let (stage, cancel, sides) = (Arc::from("test"), CancellationToken::new(), Arc::from([]));
    Context { seed: 0, stage, epoch: 0, block, cancel, sides }
}
