//! Opens a file as far as its headers.

use std::io::Seek;
use std::ops::RangeInclusive;

use symphonia::core::io::MediaSource;

use super::Channels;
use super::coded::{self, Coded, Decoded};
use super::container::{self, Found};
use super::failure::{Failure, bad, reading};
use super::pcm;
use super::source::{Part, Patched, Pieces, Shared};

/// No recording has another rate; a header that says so is wrong.
pub(super) const RATES: RangeInclusive<u32> = 1000..=768_000;

/// A longer file within a file is one whose length was not known when the header was written.
const MOST: u64 = 0x7fff_0000;

/// How many files may lie within each other.
const NESTED: usize = 3;

/// What gives the frames.
pub(super) enum Engine {
    Pcm(Box<pcm::Reader>),
    Coded(Box<Coded>),
}

/// Opens a file as far as its headers. Only the channels that are wanted are given.
pub(super) fn open(
    mut source: Box<dyn MediaSource>,
    extension: Option<&str>,
    channels: Channels,
) -> Result<Engine, Failure> {
    if source.byte_len() == Some(0) {
        return Err(bad("empty", "the file is empty"));
    }
    let mut short = false;
    for _ in 0..NESTED {
        let length = source.byte_len().unwrap_or(u64::MAX);
        let track = match container::find(source.as_mut())? {
            Found::Pcm(pcm) => {
                coded::check(pcm.rate, usize::from(pcm.channels))?;
                let reader = pcm::Reader::new(source, pcm, channels).map_err(|error| reading(&error))?;
                return Ok(Engine::Pcm(Box::new(reader)));
            }
            Found::Pieces(pcm, pieces) => {
                coded::check(pcm.rate, usize::from(pcm.channels))?;
                let source = Box::new(Pieces::new(source, &pieces));
                let reader = pcm::Reader::new(source, pcm, channels).map_err(|error| reading(&error))?;
                return Ok(Engine::Pcm(Box::new(reader)));
            }
            Found::Inside { from, to } => {
                // A header that was written before the end was known says the most that it can.
                short |= to.is_some_and(|to| to > length && to - from < MOST);
                let to = to.unwrap_or(length).min(length);
                source = Box::new(Part::new(source, from, to).map_err(|error| reading(&error))?);
                continue;
            }
            Found::Track(track) => track,
            Found::Other(container) => container::Track { container, ..container::Track::default() },
        };
        let track = container::Track { short: short || track.cut.is_some(), ..track };
        let source = Shared::new(source);
        let first = attempt(Box::new(source.clone()), track.clone(), channels);
        let failed = match first {
            Err(failure @ Failure::Bad { class: "format" | "truncated" | "empty", .. }) => failure,
            other => return other,
        };
        // Headers and tags that symphonia stumbles over are taken away, if that is what it was.
        let plain = plain(Box::new(source), &track);
        let second = plain.ok().flatten().and_then(|source| attempt(source, track, channels).ok());
        return second.ok_or_else(|| named(failed, extension));
    }
    Err(bad("format", "files lie within each other"))
}

/// Opens what symphonia demuxes.
fn attempt(
    mut source: Box<dyn MediaSource>,
    track: container::Track,
    channels: Channels,
) -> Result<Engine, Failure> {
    if track.container == "flac" {
        let end = container::behind_music(source.as_mut())?;
        source = Box::new(Part::new(source, 0, end).map_err(|error| reading(&error))?);
    }
    if let Some(cut) = &track.cut {
        source = cut.of(source).map_err(|error| reading(&error))?;
    }
    source.rewind().map_err(|error| reading(&error))?;
    Ok(Engine::Coded(Box::new(Coded::open(source, track, channels)?)))
}

/// The same without what comes before the music; none where there is nothing.
fn plain(
    mut source: Box<dyn MediaSource>,
    track: &container::Track,
) -> Result<Option<Box<dyn MediaSource>>, Failure> {
    let length = source.byte_len().unwrap_or(u64::MAX);
    let begin = container::behind_tags(source.as_mut())?;
    if track.container == "flac" {
        let Some(plain) = container::plain_flac(source.as_mut(), begin)? else { return Ok(None) };
        let pieces = [(begin, plain.head), (plain.music, length.saturating_sub(plain.music))];
        let source = Pieces::new(source, &pieces);
        let patched = Patched::new(Box::new(source), 4, plain.bytes).map_err(|error| reading(&error))?;
        return Ok(Some(Box::new(patched)));
    }
    if begin == 0 {
        return Ok(None);
    }
    Ok(Some(Box::new(Part::new(source, begin, length).map_err(|error| reading(&error))?)))
}

/// What is not recognised may have been by its name.
fn named(failure: Failure, extension: Option<&str>) -> Failure {
    match (failure, extension) {
        (Failure::Bad { class: "format", message }, Some(extension)) if message.contains("recognised") => {
            bad("format", format!("{message} (its name ends with .{})", extension.escape_default()))
        }
        (failure, _) => failure,
    }
}

impl Engine {
    /// Decodes packets until one has frames; none at the end.
    pub(super) fn decode(&mut self, planes: &mut Vec<Vec<f32>>) -> Result<Option<Decoded>, Failure> {
        match self {
            Self::Coded(coded) => coded.decode(planes),
            Self::Pcm(reader) => {
                let (frames, not_finite) = reader.read(planes).map_err(|error| reading(&error))?;
                if frames > 0 {
                    return Ok(Some(Decoded { frames, lost: 0, not_finite }));
                }
                match reader.missing() {
                    0 => Ok(None),
                    missing => {
                        let promised = reader.pcm.promised().unwrap_or(0);
                        let there = promised.saturating_sub(missing);
                        Err(bad(
                            "truncated",
                            format!("the file promises {promised} frames, there are {there}"),
                        ))
                    }
                }
            }
        }
    }
}
