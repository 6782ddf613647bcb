//! Notes from events.

use crate::midi::{CONTROLLER, Event, NOTE_OFF, NOTE_ON, PROGRAM, Score};

/// Controllers that end notes.
const PEDAL: u8 = 64;
const ALL_SOUND_OFF: u8 = 120;
const RESET: u8 = 121;
const ALL_NOTES_OFF: u8 = 123;

/// A note, from one tick to another.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Note {
    pub track: u16,
    pub channel: u8,
    pub program: u8,
    pub pitch: u8,
    pub velocity: u8,
    pub onset: u64,
    pub offset: u64,
}

/// A channel as it stands.
#[derive(Debug, Clone, Default)]
struct Channel {
    program: u8,
    /// Whether the pedal is down.
    pedal: bool,
    /// The notes whose keys are down, by their places in the list of all.
    down: Vec<usize>,
    /// Those that the pedal holds.
    held: Vec<usize>,
}

/// All notes, in the order of onsets.
pub(super) fn notes(score: &Score, pedal: bool) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    let mut channels = vec![Channel::default(); 16];
    for event in &score.events {
        let channel = &mut channels[usize::from(event.channel)];
        match (event.command, event.data) {
            (NOTE_ON, [pitch, velocity]) => {
                end(&mut notes, &mut channel.held, Some(pitch), event.tick);
                channel.down.push(notes.len());
                notes.push(Note {
                    track: event.track,
                    channel: event.channel,
                    program: channel.program,
                    pitch,
                    velocity,
                    onset: event.tick,
                    offset: score.end,
                });
            }
            (NOTE_OFF, [pitch, _]) => channel.release(&mut notes, Some(pitch), event),
            (PROGRAM, [program, _]) => channel.program = program,
            (CONTROLLER, [PEDAL, value]) if pedal => channel.tread(&mut notes, value >= 64, event),
            (CONTROLLER, [RESET, _]) => channel.tread(&mut notes, false, event),
            (CONTROLLER, [ALL_NOTES_OFF, _]) => channel.release(&mut notes, None, event),
            (CONTROLLER, [ALL_SOUND_OFF, _]) => {
                end(&mut notes, &mut channel.down, None, event.tick);
                end(&mut notes, &mut channel.held, None, event.tick);
            }
            _ => {}
        }
    }
    notes
}

impl Channel {
    /// A key is released, or all of them.
    fn release(&mut self, notes: &mut [Note], pitch: Option<u8>, event: &Event) {
        if self.pedal {
            let released = |at: &mut usize| pitch.is_none_or(|pitch| notes[*at].pitch == pitch);
            self.held.extend(self.down.extract_if(.., released));
        } else {
            end(notes, &mut self.down, pitch, event.tick);
        }
    }

    /// The pedal goes down or up.
    fn tread(&mut self, notes: &mut [Note], down: bool, event: &Event) {
        self.pedal = down;
        if !down {
            end(notes, &mut self.held, None, event.tick);
        }
    }
}

/// Ends notes of a pitch, or of all.
fn end(notes: &mut [Note], which: &mut Vec<usize>, pitch: Option<u8>, tick: u64) {
    which.retain(|at| {
        let note = &mut notes[*at];
        let ends = pitch.is_none_or(|pitch| note.pitch == pitch);
        if ends {
            note.offset = tick;
        }
        !ends
    });
}
