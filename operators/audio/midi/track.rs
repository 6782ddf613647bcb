//! The events of a track.

use std::ops::Range;

use super::cursor::{Bad, Cursor};
use super::{Event, NOTE_OFF, NOTE_ON, PROGRAM};

/// Pressure on a channel: like a program, it has one byte of data.
const PRESSURE: u8 = 0xD0;

/// Meta events.
const END: u8 = 0x2F;
const TEMPO: u8 = 0x51;

/// Finds the next track, whatever chunks stand before it. The range may reach beyond the end of a file that is cut.
pub(super) fn find(cursor: &mut Cursor<'_>, (track, tracks): (u16, u16)) -> Result<Range<usize>, Bad> {
    loop {
        if cursor.is_at_end() {
            return Err(cursor.bad(format!("the file ends after {track} of its {tracks} tracks")));
        }
        let name = cursor.skip(4)?;
        let length = cursor.long()? as usize;
        let chunk = cursor.at()..cursor.at() + length;
        cursor.seek(chunk.end);
        if name == b"MTrk" {
            return Ok(chunk);
        }
    }
}

/// Reads a track; gives the tick at which it ends. Tempos are microseconds a beat.
pub(super) fn read(
    bytes: &[u8],
    chunk: &Range<usize>,
    track: u16,
    events: &mut Vec<Event>,
    tempos: &mut Vec<(u64, u32)>,
) -> Result<u64, Bad> {
    let mut cursor = Cursor::new(&bytes[..chunk.end.min(bytes.len())]);
    cursor.seek(chunk.start);
    let mut tick = 0;
    let mut running = None;
    while !cursor.is_at_end() {
        tick += u64::from(cursor.number()?);
        let begin = cursor.at();
        let mut status = cursor.byte()?;
        if status < 0x80 {
            // The status of the message before goes on. Not after a meta event, by the letter; but files do it, and
            // there is no other way to read them.
            cursor.seek(begin);
            status = running.ok_or_else(|| cursor.bad("data without a message before it"))?;
        }
        match status {
            0x80..=0xEF => {
                running = Some(status);
                let (command, channel) = (status & 0xF0, status & 0x0F);
                let first = cursor.data()?;
                let second = if matches!(command, PROGRAM | PRESSURE) { 0 } else { cursor.data()? };
                let released = command == NOTE_ON && second == 0;
                let command = if released { NOTE_OFF } else { command };
                events.push(Event { tick, track, channel, command, data: [first, second] });
            }
            // Messages to the instrument's maker's own devices.
            0xF0 | 0xF7 => {
                let length = cursor.number()?;
                cursor.skip(length as usize)?;
            }
            0xFF => {
                let kind = cursor.byte()?;
                let length = cursor.number()?;
                let content = cursor.skip(length as usize)?;
                match (kind, content) {
                    (END, _) => return Ok(tick),
                    (TEMPO, &[0, 0, 0]) => {
                        return Err(Bad { at: begin, message: "a beat lasts 0 microseconds".into() });
                    }
                    (TEMPO, &[high, middle, low]) => {
                        tempos.push((tick, u32::from_be_bytes([0, high, middle, low])))
                    }
                    _ => {}
                }
            }
            _ => {
                let message = format!("a message 0x{status:02X} has no place in a file");
                return Err(Bad { at: begin, message });
            }
        }
    }
    // A track may end without saying so, but not because the file is cut.
    if chunk.end > bytes.len() {
        return Err(cursor.bad(format!("the file ends within track {track}")));
    }
    Ok(tick)
}
