//! What the headers of a recording say, without decoding it.

use etude_pipeline::operator::Stop;
use etude_pipeline::place::Source;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_ALAC, CODEC_ID_FLAC, CODEC_ID_MP3};
use symphonia::core::formats::Track;
use symphonia::core::meta::{MetadataRevision, StandardTag, Tag};

use super::Channels;
use super::codec;
use super::coded::{self, Coded};
use super::failure::{Failure, bad, guarded};
use super::open::{Engine, open};
use super::source::Watch;
use super::stop;

/// What the headers of a recording say.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// The kind of file, such as `wav`, `mp3` or `matroska`.
    pub container: String,
    /// The codec, such as `pcm_s16`, `flac` or `opus`.
    pub codec: String,
    /// Samples a second.
    pub rate: u32,
    /// Number of channels.
    pub channels: u16,
    /// Bits of a sample, where there are such.
    pub bits: Option<u32>,
    /// Frames that decoding gives, encoder delay and padding left out; none when the headers do not tell.
    pub frames: Option<u64>,
    /// The length in seconds, also where it is only an estimate.
    pub seconds: Option<f64>,
    /// Bits a second, those of tags and pictures included where nothing better is known.
    pub bit_rate: Option<u64>,
    /// Tags: `title`, `artist`, `album`, `genre`, `date`, `track` and the like, others by their own name.
    pub tags: Vec<(String, String)>,
}

/// Reads the headers of a recording.
///
/// Stops: rejected, with the place up to which the file was read; or transient.
pub fn about(source: Box<dyn Source>, key: &str) -> Result<About, Stop> {
    let watch = Watch::default();
    let told = guarded(|| headers(source, key, &watch));
    watch.judge(told.map_err(|failure| stop(failure, watch.place())))
}

fn headers(source: Box<dyn Source>, key: &str, watch: &Watch) -> Result<About, Failure> {
    let bytes = source.length();
    let source = watch.source(source);
    let extension = std::path::Path::new(key).extension().and_then(|extension| extension.to_str());
    let mut about = match open(Box::new(source), extension, Channels::Keep)? {
        Engine::Pcm(reader) => {
            let pcm = &reader.pcm;
            // A file that ends early does not hold what it says.
            let there = bytes.saturating_sub(pcm.from) / (pcm.frame() as u64).max(1);
            About {
                container: pcm.container.to_owned(),
                codec: pcm.sample.name().to_owned(),
                rate: pcm.rate,
                channels: pcm.channels,
                bits: Some(pcm.bits),
                frames: Some(pcm.promised().map_or(there, |promised| promised.min(there))),
                seconds: None,
                bit_rate: Some(u64::from(pcm.rate) * 8 * pcm.frame() as u64),
                tags: pcm.tags.clone(),
            }
        }
        Engine::Coded(mut coded) => of_track(&mut coded)?,
    };
    if let Some(frames) = about.frames {
        about.seconds = Some(frames as f64 / f64::from(about.rate));
    }
    if about.bit_rate.is_none() {
        about.bit_rate = about
            .seconds
            .filter(|seconds| *seconds > 0.0)
            .map(|seconds| (bytes as f64 * 8.0 / seconds) as u64);
    }
    Ok(about)
}

fn of_track(coded: &mut Coded) -> Result<About, Failure> {
    let parameters = coded.decoder().codec_params();
    let codec = parameters.codec;
    let channels = parameters.channels.as_ref().map(|channels| channels.count());
    let (rate, channels) = match (parameters.sample_rate, channels) {
        (Some(rate), Some(channels)) => (rate, channels),
        // Some headers leave it to the first packet.
        _ => {
            coded.decode(&mut Vec::new())?.ok_or_else(|| bad("empty", "the file has no audio frame"))?;
            coded.spec()
        }
    };
    coded::check(rate, channels)?;
    let parameters = coded.decoder().codec_params();
    let bits = match codec {
        CODEC_ID_FLAC => parameters.bits_per_sample,
        // Behind the length of a frame and a version.
        CODEC_ID_ALAC => {
            parameters.extra_data.as_ref().and_then(|data| data.get(5)).map(|bits| u32::from(*bits))
        }
        _ => None,
    };
    let bits = bits.filter(|bits| (1..=32).contains(bits));
    let promised = coded.promised();
    let (frames, estimate) = match coded.symphonia() {
        Some(track) => frames(coded, track, rate, promised),
        None => (None, None),
    };
    let container = match coded.track.container {
        "" => coded.format().map_or("", |format| format.format_info().short_name),
        known => known,
    };
    let (container, bit_rate) = (container.to_owned(), coded.track.bit_rate);
    Ok(About {
        container,
        codec: codec::short(codec),
        rate,
        channels: u16::try_from(channels).unwrap_or(u16::MAX),
        bits,
        frames,
        seconds: estimate,
        bit_rate,
        tags: tags(coded),
    })
}

/// Frames, or else an estimate in seconds.
fn frames(coded: &Coded, track: &Track, rate: u32, promised: Option<u64>) -> (Option<u64>, Option<f64>) {
    let trim = coded.track.trim;
    let delay = trim.start.at(rate);
    let exact = match coded.track.container {
        _ if trim.keep.is_some() => trim.keep.map(|keep| keep.at(rate)),
        // Fragments come behind the headers.
        "mp4" => track.num_frames.filter(|frames| *frames > 0).map(|frames| frames.saturating_sub(delay)),
        "matroska" => None,
        _ if coded.codec() == CODEC_ID_MP3 || coded.codec() == CODEC_ID_FLAC => promised,
        "ogg" | "wav" => promised.or(track.num_frames).map(|frames| frames.saturating_sub(delay)),
        "caf" => track.num_frames,
        _ => None,
    };
    let estimate = coded.track.seconds.or_else(|| {
        let frames = track.num_frames.filter(|frames| *frames > 0)?;
        Some(frames as f64 / f64::from(rate))
    });
    (exact.filter(|frames| *frames > 0), estimate)
}

/// All tags; those that mean the same in every format by a name of ours.
fn tags(coded: &mut Coded) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut add = |tag: &Tag| {
        let value = tag.raw.value.to_string();
        let (key, value) = match &tag.std {
            Some(standard) => name(standard)
                .map_or_else(|| (tag.raw.key.clone(), value), |(key, value)| (key.to_owned(), value)),
            None => (tag.raw.key.clone(), value),
        };
        if !value.trim().is_empty() && !found.iter().any(|(known, _)| *known == key) {
            found.push((key, value));
        }
    };
    let Some(format) = coded.format() else { return found };
    let mut metadata = format.metadata();
    let mut revisions: Vec<MetadataRevision> = Vec::new();
    while let Some(revision) = metadata.pop() {
        revisions.push(revision);
    }
    revisions.extend(metadata.current().cloned());
    for revision in &revisions {
        revision.media.tags.iter().for_each(&mut add);
        revision.per_track.iter().flat_map(|track| &track.metadata.tags).for_each(&mut add);
    }
    found
}

/// The name of a tag, and its value as a text.
fn name(tag: &StandardTag) -> Option<(&'static str, String)> {
    Some(match tag {
        StandardTag::TrackTitle(value) => ("title", value.to_string()),
        StandardTag::Artist(value) => ("artist", value.to_string()),
        StandardTag::Album(value) => ("album", value.to_string()),
        StandardTag::AlbumArtist(value) => ("album_artist", value.to_string()),
        StandardTag::Genre(value) => ("genre", value.to_string()),
        StandardTag::Composer(value) => ("composer", value.to_string()),
        StandardTag::Performer(value) => ("performer", value.to_string()),
        StandardTag::Conductor(value) => ("conductor", value.to_string()),
        StandardTag::Comment(value) => ("comment", value.to_string()),
        StandardTag::Copyright(value) => ("copyright", value.to_string()),
        StandardTag::Description(value) => ("description", value.to_string()),
        StandardTag::Encoder(value) => ("encoder", value.to_string()),
        StandardTag::Language(value) => ("language", value.to_string()),
        StandardTag::Label(value) => ("label", value.to_string()),
        StandardTag::License(value) => ("license", value.to_string()),
        StandardTag::Mood(value) => ("mood", value.to_string()),
        StandardTag::InitialKey(value) => ("key", value.to_string()),
        StandardTag::Bpm(value) => ("bpm", value.to_string()),
        StandardTag::TrackNumber(value) => ("track", value.to_string()),
        StandardTag::TrackTotal(value) => ("track_total", value.to_string()),
        StandardTag::DiscNumber(value) => ("disc", value.to_string()),
        StandardTag::DiscTotal(value) => ("disc_total", value.to_string()),
        StandardTag::IdentIsrc(value) => ("isrc", value.to_string()),
        StandardTag::ReleaseDate(value) | StandardTag::RecordingDate(value) => ("date", value.to_string()),
        StandardTag::ReleaseYear(value) | StandardTag::RecordingYear(value) => ("date", value.to_string()),
        _ => return None,
    })
}
