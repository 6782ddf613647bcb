//! Standard MIDI Files: what happens on which channel, and when.
//!
//! The format is that of the MIDI Association's RP-001 (1996). Formats 0 and 1 are read: one track, or several that
//! play together.

mod clock;
mod cursor;
#[cfg(test)]
pub(crate) mod file;
#[cfg(test)]
mod tests;
mod track;

use std::io::Read;

use etude_pipeline::operator::{Item, Stop};

pub(crate) use clock::Clock;
use clock::Division;
use cursor::{Bad, Cursor};

/// Commands of channel messages: the upper half of their status byte.
pub(crate) const NOTE_OFF: u8 = 0x80;
pub(crate) const NOTE_ON: u8 = 0x90;
pub(crate) const CONTROLLER: u8 = 0xB0;
pub(crate) const PROGRAM: u8 = 0xC0;

/// The channel that General MIDI keeps for drums, counted from 0.
pub(crate) const DRUMS: u8 = 9;

/// The largest file in bytes that is read: one of music has some ten thousand.
const LARGEST: u64 = 16 << 20;

/// What a file says, its tracks merged.
#[derive(Debug)]
pub(crate) struct Score {
    /// In the order of time, then of tracks, then of the file.
    pub events: Vec<Event>,
    /// When a tick is.
    pub clock: Clock,
    /// The tick at which the last track ends.
    pub end: u64,
}

/// A message to a channel. A note that is struck with no velocity is one that is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    /// When, in ticks.
    pub tick: u64,
    /// The track that it stands in, from 0.
    pub track: u16,
    /// 0 to 15.
    pub channel: u8,
    /// Such as [`NOTE_ON`].
    pub command: u8,
    /// Up to two numbers, 0 to 127.
    pub data: [u8; 2],
}

impl Score {
    /// Reads an item.
    ///
    /// Stops: rejected with class `midi` and the byte at which it is broken; or transient.
    pub fn open(item: &Item) -> Result<Self, Stop> {
        let mut source = item.open()?;
        if source.length() > LARGEST {
            let message =
                format!("{} bytes are no file of notes: at most {LARGEST} are read", source.length());
            return Err(stop(Bad { at: 0, message }));
        }
        let mut bytes = Vec::new();
        source.read_to_end(&mut bytes).map_err(|error| Stop::Transient { message: error.to_string() })?;
        Self::read(&bytes).map_err(stop)
    }

    /// Reads a file.
    pub fn read(bytes: &[u8]) -> Result<Self, Bad> {
        let mut cursor = Cursor::new(bytes);
        if !bytes.starts_with(b"MThd") {
            return Err(cursor.bad("no Standard MIDI File begins so"));
        }
        cursor.skip(4)?;
        let length = cursor.long()? as usize;
        let header = cursor.at();
        let (format, tracks) = (cursor.short()?, cursor.short()?);
        if format > 1 {
            return Err(Bad { at: header, message: format!("format {format} is not read: 0 and 1 are") });
        }
        let division = Division::read(&mut cursor)?;
        cursor.seek(header + length);
        let (mut events, mut tempos, mut end) = (Vec::new(), Vec::new(), 0);
        for track in 0..tracks {
            let chunk = track::find(&mut cursor, (track, tracks))?;
            end = track::read(bytes, &chunk, track, &mut events, &mut tempos)?.max(end);
        }
        // Stable: at the same tick the order of tracks remains.
        events.sort_by_key(|event: &Event| event.tick);
        tempos.sort_by_key(|(tick, _)| *tick);
        Ok(Self { events, clock: Clock::new(division, &tempos), end })
    }

    /// Whether a note is struck anywhere.
    pub fn sounds(&self) -> bool {
        self.events.iter().any(|event| event.command == NOTE_ON)
    }
}

fn stop(bad: Bad) -> Stop {
    Stop::Rejected { class: "midi", offset: format!("byte {}", bad.at), message: bad.message }
}
