//! When a tick is.

use super::cursor::{Bad, Cursor};

/// Microseconds a beat unless a file says otherwise: 120 beats a minute.
const TEMPO: u32 = 500_000;

/// What a tick is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Division {
    /// Ticks a beat.
    Beat(u16),
    /// Ticks a second, whatever the tempo.
    Second(f64),
}

impl Division {
    pub fn read(cursor: &mut Cursor<'_>) -> Result<Self, Bad> {
        let bad = cursor.bad("ticks are neither parts of a beat nor of a frame of 24, 25, 29 or 30 a second");
        let [first, second] = cursor.short()?.to_be_bytes();
        if first < 0x80 {
            let ticks = u16::from_be_bytes([first, second]);
            return if ticks > 0 { Ok(Self::Beat(ticks)) } else { Err(bad) };
        }
        // SMPTE: minus the frames a second, and ticks a frame.
        let frames = match first.wrapping_neg() {
            frames @ (24 | 25 | 30) => f64::from(frames),
            29 => 30_000.0 / 1001.0,
            _ => 0.0,
        };
        let ticks = frames * f64::from(second);
        if ticks > 0.0 { Ok(Self::Second(ticks)) } else { Err(bad) }
    }
}

/// When a tick is: the tempo from each place on where it changes.
#[derive(Debug)]
pub(crate) struct Clock {
    /// In the order of time. The first one is at tick 0.
    marks: Vec<Mark>,
    /// Ticks a beat, where there are such.
    beat: Option<f64>,
}

#[derive(Debug)]
struct Mark {
    tick: u64,
    /// When that is.
    seconds: f64,
    /// How long a tick lasts from there on.
    step: f64,
    /// Beats a minute from there on, where there are such.
    tempo: Option<f64>,
}

impl Clock {
    /// A clock from tempos in the order of time, in microseconds a beat.
    pub(super) fn new(division: Division, tempos: &[(u64, u32)]) -> Self {
        let ticks = match division {
            Division::Beat(ticks) => f64::from(ticks),
            Division::Second(ticks) => {
                return Self {
                    marks: vec![Mark { tick: 0, seconds: 0.0, step: 1.0 / ticks, tempo: None }],
                    beat: None,
                };
            }
        };
        let mark = |tick, seconds, tempo: u32| {
            let beat = f64::from(tempo) / 1e6;
            Mark { tick, seconds, step: beat / ticks, tempo: Some(60.0 / beat) }
        };
        let mut clock = Self { marks: vec![mark(0, 0.0, TEMPO)], beat: Some(ticks) };
        for &(tick, tempo) in tempos {
            clock.marks.push(mark(tick, clock.seconds(tick), tempo));
        }
        clock
    }

    /// The last mark at or before a tick: of several at the same one the last counts.
    fn mark(&self, tick: u64) -> &Mark {
        let later = self.marks.partition_point(|mark| mark.tick <= tick);
        &self.marks[later.saturating_sub(1)]
    }

    /// Seconds from the beginning.
    pub fn seconds(&self, tick: u64) -> f64 {
        let mark = self.mark(tick);
        mark.seconds + (tick - mark.tick) as f64 * mark.step
    }

    /// Beats a minute; none where ticks are parts of a second.
    pub fn tempo(&self, tick: u64) -> Option<f64> {
        self.mark(tick).tempo
    }

    /// Beats from the beginning; none where ticks are parts of a second.
    pub fn beat(&self, tick: u64) -> Option<f64> {
        self.beat.map(|ticks| tick as f64 / ticks)
    }
}
