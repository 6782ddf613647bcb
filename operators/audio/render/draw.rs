//! What is drawn for an item, and how it changes events.

use etude_pipeline::flow::{Header, SignalType};
use etude_pipeline::operator::Context;

use super::Render;
use crate::midi::{CONTROLLER, DRUMS, Event, NOTE_OFF, NOTE_ON, PROGRAM};

/// Controllers that choose a bank of programs.
const BANKS: [u8; 2] = [0, 32];

/// What was drawn for an item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Drawn {
    pub program: Option<u8>,
    pub transpose: i32,
}

impl Render {
    /// Names what is drawn.
    pub(super) fn names(&self, signal: &mut SignalType) {
        if !self.programs.is_empty() {
            signal.draws("program");
        }
        if self.transpose != [0, 0] {
            signal.draws("transpose");
        }
    }

    /// Draws for an item, and says so in its header.
    pub(super) fn draw(&self, header: &mut Header, context: &Context) -> Drawn {
        let mut random = context.random(&header.item, 0, 0);
        let program = random.below(self.programs.len() as u64) as usize;
        let program = self.programs.get(program).copied();
        let [low, high] = self.transpose;
        let transpose = low + random.below((high - low + 1) as u64) as i32;
        if let Some(program) = program {
            header.draw("program", Some(program.into()));
        }
        if self.transpose != [0, 0] {
            header.draw("transpose", Some(transpose.into()));
        }
        Drawn { program, transpose }
    }
}

impl Drawn {
    /// The event as it is played, if it is.
    pub fn change(&self, event: Event) -> Option<Event> {
        let [first, second] = event.data;
        match event.command {
            _ if event.channel == DRUMS => Some(event),
            PROGRAM if self.program.is_some() => None,
            CONTROLLER if self.program.is_some() && BANKS.contains(&first) => None,
            NOTE_ON | NOTE_OFF => {
                let pitch =
                    u8::try_from(i32::from(first) + self.transpose).ok().filter(|pitch| *pitch < 128)?;
                Some(Event { data: [pitch, second], ..event })
            }
            _ => Some(event),
        }
    }
}
