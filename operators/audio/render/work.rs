//! Plays a file.

use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::{self, Context, Item, Output, Step, Stop};
use rustysynth::{Synthesizer, SynthesizerSettings};

use super::draw::Drawn;
use super::{Channels, Render};
use crate::midi::{DRUMS, Event, NOTE_ON, PROGRAM, Score};

/// Voices that sound at once: the most that the synthesizer allows.
const VOICES: usize = 256;

pub(super) struct Work {
    render: Render,
    context: Context,
    /// The right channel, where it is mixed into the left.
    right: Vec<f32>,
    block: Block,
}

impl Work {
    pub fn new(render: Render, context: Context) -> Self {
        Self { render, context, right: Vec::new(), block: Block::default() }
    }

    /// A synthesizer. Each item has its own: the phase of a chorus would go on from one to the next.
    fn synthesizer(&self) -> Result<Synthesizer, Stop> {
        let path = &self.render.soundfont;
        let transient = |message: String| Stop::Transient { message: format!("soundfont {path} {message}") };
        let font = self.render.font.read(path).map_err(transient)?;
        let mut settings = SynthesizerSettings::new(self.render.rate as i32);
        settings.block_size = grid(self.render.rate);
        settings.maximum_polyphony = VOICES;
        settings.enable_reverb_and_chorus = self.render.effects;
        Synthesizer::new(&font, &settings).map_err(|error| transient(format!("cannot be played: {error}")))
    }
}

/// Frames from one place where events take effect to the next: the largest power of two that lasts at most a
/// millisecond.
fn grid(rate: u32) -> usize {
    1 << (rate / 1000).ilog2()
}

impl operator::Read for Work {
    fn read(&mut self, item: &Item, output: &mut dyn Output) -> Step {
        self.context.check()?;
        let score = Score::open(item)?;
        if !score.sounds() {
            return Err(Stop::Filtered { reason: "it has no note".into() });
        }
        let seconds = score.clock.seconds(score.end);
        let limit = self.render.max_seconds;
        if seconds > limit {
            let message = format!("it lasts {seconds:.1} s, `max_seconds` allows {limit}");
            return Err(Stop::Rejected { class: "limit", offset: format!("{limit} s"), message });
        }
        let mut synthesizer = self.synthesizer()?;
        let (rate, channels) = (self.render.rate, self.render.channels.count());
        let mut header = Header::audio(item.key.clone(), 0, rate, channels, None);
        let drawn = self.render.draw(&mut header, &self.context);
        output.begin(&header)?;
        if let Some(program) = drawn.program {
            (0..16).filter(|channel| *channel != DRUMS).for_each(|channel| {
                synthesizer.process_midi_message(channel.into(), PROGRAM.into(), program.into(), 0);
            });
        }
        let mut player = Player {
            score: &score,
            drawn,
            synthesizer,
            next: 0,
            at: 0,
            grid: grid(rate),
            rate: rate.into(),
            outside: 0,
        };
        let frames = ((seconds + self.render.tail) * player.rate).ceil().max(1.0) as u64;
        while player.at < frames {
            self.context.check()?;
            let count = (frames - player.at).min(self.context.block.max(1) as u64) as usize;
            self.play(&mut player, count);
            output.block(&mut self.block)?;
        }
        output.count("notes_outside", player.outside);
        output.end()
    }
}

impl Work {
    /// The next frames.
    fn play(&mut self, player: &mut Player<'_>, frames: usize) {
        let gain = 10f64.powf(self.render.gain_db / 20.0) as f32;
        match self.render.channels {
            Channels::Stereo => {
                self.block.resize(2, frames);
                let (left, right) = self.block.samples_mut().split_at_mut(frames);
                player.play(left, right);
                self.block.samples_mut().iter_mut().for_each(|sample| *sample *= gain);
            }
            Channels::Mono => {
                self.block.resize(1, frames);
                self.right.resize(frames, 0.0);
                let left = self.block.samples_mut();
                player.play(left, &mut self.right);
                let both = left.iter_mut().zip(&self.right);
                both.for_each(|(left, right)| *left = (*left + right) * (0.5 * gain));
            }
        }
    }
}

/// A file that is being played.
struct Player<'a> {
    score: &'a Score,
    drawn: Drawn,
    synthesizer: Synthesizer,
    /// The next event.
    next: usize,
    /// The next frame.
    at: u64,
    grid: usize,
    rate: f64,
    /// Notes that were transposed beyond the keys.
    outside: u64,
}

impl Player<'_> {
    /// Plays the next frames.
    fn play(&mut self, left: &mut [f32], right: &mut [f32]) {
        let mut done = 0;
        while done < left.len() {
            let within = (self.at % self.grid as u64) as usize;
            if within == 0 {
                self.send();
            }
            let to = left.len().min(done + self.grid - within);
            self.synthesizer.render(&mut left[done..to], &mut right[done..to]);
            self.at += (to - done) as u64;
            done = to;
        }
    }

    /// Sends the events that are nearer to this place than to the next.
    fn send(&mut self) {
        let until = (self.at as f64 + 0.5 * self.grid as f64) / self.rate;
        while let Some(event) = self.score.events.get(self.next)
            && self.score.clock.seconds(event.tick) < until
        {
            self.next += 1;
            match self.drawn.change(*event) {
                Some(Event { channel, command, data: [first, second], .. }) => self
                    .synthesizer
                    .process_midi_message(channel.into(), command.into(), first.into(), second.into()),
                None => self.outside += u64::from(event.command == NOTE_ON),
            }
        }
    }
}
