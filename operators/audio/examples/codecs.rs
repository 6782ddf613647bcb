//! How long decoding takes beside symphonia's own decoders and, for Opus of one channel or two, libopus:
//! `codecs FILE...`. All are demuxed by symphonia.
#![expect(clippy::unwrap_used, reason = "an example may panic")]

use std::fs::File;
use std::time::{Duration, Instant};

use etude_audio::decode::{Channels, Stream};
use opusic_c::{Channels as OpusChannels, SampleRate};
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

/// Times each is run; the best counts.
const RUNS: usize = 3;

fn main() {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let best = |run: &dyn Fn(&str)| {
        let time = || {
            let begin = Instant::now();
            paths.iter().for_each(|path| run(path));
            begin.elapsed()
        };
        (0..RUNS).map(|_| time()).min().unwrap_or(Duration::ZERO).as_secs_f64()
    };
    let others = best(&by_others);
    println!("symphonia or libopus, all channels: {others:.2} s");
    for (name, channels) in [("all channels", Channels::Keep), ("their mean", Channels::Mono)] {
        let ours = best(&|path| by_us(path, channels));
        println!("étude, {name}: {ours:.2} s, {:.2} of it", ours / others);
    }
}

fn by_us(path: &str, channels: Channels) {
    let mut stream = Stream::of(Box::new(File::open(path).unwrap()), None, channels).ok().unwrap();
    while stream.packet().ok().unwrap().is_some() {}
}

fn by_others(path: &str) {
    let source = MediaSourceStream::new(Box::new(File::open(path).unwrap()), Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(&Hint::new(), source, FormatOptions::default(), MetadataOptions::default())
        .unwrap();
    let track = format.default_track(TrackType::Audio).unwrap();
    let parameters = track.codec_params.as_ref().unwrap().audio().unwrap();
    if parameters.codec == CODEC_ID_OPUS {
        let mut decoder = opusic_c::Decoder::new(OpusChannels::Stereo, SampleRate::Hz48000).unwrap();
        let mut decoded = vec![0.0; 2 * 5760];
        while let Some(packet) = format.next_packet().unwrap() {
            decoder.decode_float_to_slice(&packet.data, &mut decoded, false).unwrap();
        }
        return;
    }
    let mut decoder =
        symphonia::default::get_codecs().make_audio_decoder(parameters, &Default::default()).unwrap();
    let mut planes = Vec::<Vec<f32>>::new();
    while let Some(packet) = format.next_packet().unwrap() {
        decoder.decode(&packet).unwrap().copy_to_vecs_planar(&mut planes);
    }
}
