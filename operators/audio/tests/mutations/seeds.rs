//! Sound files of every format that can be made here: they are damaged afterwards.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use arrow::array::AsArray;
use etude_pipeline::flow::{Block, Header};
use etude_pipeline::operator::Link;
use etude_pipeline::run::Chain;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::mutate::Random;
use crate::worker::TABLE;

/// Samples a second, channels and frames of what is made here.
const RATE: u32 = 22_050;
const CHANNELS: usize = 2;
const FRAMES: usize = 18_000;

/// Of each recording of the music, that many bytes.
const PIECE: usize = 60_000;

/// What ffmpeg makes: the name, and how.
const MADE: &[(&str, &[&str])] = &[
    ("pcm_u8.wav", &["-c:a", "pcm_u8"]),
    ("pcm_s24.wav", &["-c:a", "pcm_s24le"]),
    ("pcm_s32.wav", &["-c:a", "pcm_s32le"]),
    ("pcm_f64.wav", &["-c:a", "pcm_f64le"]),
    ("alaw.wav", &["-c:a", "pcm_alaw"]),
    ("mulaw.wav", &["-c:a", "pcm_mulaw"]),
    ("rf64.wav", &["-rf64", "always"]),
    ("5.1.wav", &["-ac", "6", "-c:a", "pcm_s24le"]),
    ("a.w64", &[]),
    ("a.aiff", &[]),
    ("a.au", &[]),
    ("pcm.caf", &["-c:a", "pcm_s16be"]),
    ("alac.caf", &["-c:a", "alac"]),
    ("a.flac", &[]),
    ("a.oga", &["-c:a", "flac"]),
    ("cbr.mp3", &["-b:a", "96k"]),
    ("vbr.mp3", &["-q:a", "5"]),
    ("a.mp2", &["-ar", "44100"]),
    ("a.ogg", &["-c:a", "libvorbis"]),
    ("5.1.ogg", &["-ac", "6", "-c:a", "libvorbis"]),
    ("a.opus", &["-c:a", "libopus"]),
    ("5.1.opus", &["-ac", "6", "-c:a", "libopus"]),
    ("opus.webm", &["-c:a", "libopus"]),
    ("vorbis.webm", &["-c:a", "libvorbis"]),
    ("aac.m4a", &["-c:a", "aac"]),
    ("alac.m4a", &["-c:a", "alac"]),
    ("fast.m4a", &["-c:a", "aac", "-movflags", "faststart"]),
    ("fragments.mp4", &["-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"]),
    ("a.aac", &[]),
    ("aac.mka", &["-c:a", "aac"]),
    ("flac.mka", &["-c:a", "flac"]),
    ("mp3.mka", &["-c:a", "libmp3lame"]),
    ("vorbis.mka", &["-ac", "6", "-c:a", "libvorbis"]),
    ("pcm.mka", &["-c:a", "pcm_s16le"]),
];

/// All that can be made, in a folder.
pub fn make(folder: &Path) {
    let planes = sound();
    std::fs::write(folder.join("own_f32.wav"), wav(&planes)).unwrap();
    std::fs::write(folder.join("own.flac"), flac(&planes)).unwrap();
    let source = folder.join("own_f32.wav");
    if ffmpeg(&["-version".as_ref()]) {
        for (name, options) in MADE {
            let tags = ["-metadata", "title=A title", "-metadata", "artist=Somebody"];
            let mut line: Vec<&std::ffi::OsStr> = vec!["-y".as_ref(), "-i".as_ref(), source.as_os_str()];
            line.extend(tags.iter().chain(*options).map(std::ffi::OsStr::new));
            let path = folder.join(name);
            line.push(path.as_os_str());
            if !ffmpeg(&line) {
                println!("left out: this ffmpeg does not make {name}");
                let _ = std::fs::remove_file(path);
            }
        }
    } else {
        println!("left out: ffmpeg is not installed, so only WAV, FLAC and the music are damaged");
    }
}

/// The begin of a few recordings of the music that `make music` has fetched: cut, so damaged already.
pub fn music(folder: &Path) {
    let music = std::env::var_os("ETUDE_MUSIC").map(PathBuf::from);
    let music = music.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../music"));
    for name in ["asc/frontiers.mp3", "fretsonfire/Feelings/guitar.ogg", "asterisk/reno_project-system.wav"] {
        let Ok(bytes) = std::fs::read(music.join(name)) else {
            println!("left out: {name} is not in {} (`make music` fetches it)", music.display());
            continue;
        };
        let extension = name.rsplit('.').next().unwrap();
        std::fs::write(folder.join(format!("music.{extension}")), &bytes[..bytes.len().min(PIECE)]).unwrap();
    }
}

fn ffmpeg(arguments: &[&std::ffi::OsStr]) -> bool {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error"]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Two tones with a little noise: encoders leave none of their means unused.
fn sound() -> [Vec<f32>; CHANNELS] {
    let mut random = Random::new(1);
    [440.0, 1234.5].map(|hz: f64| {
        let sample = |frame: usize| {
            let tone = (std::f64::consts::TAU * hz * frame as f64 / f64::from(RATE)).sin() * 0.5;
            let noise = (random.below(2001) as f64 - 1000.0) / 20_000.0;
            (tone + noise) as f32
        };
        (0..FRAMES).map(sample).collect()
    })
}

/// 32-bit floats in a WAV file.
fn wav(planes: &[Vec<f32>; CHANNELS]) -> Vec<u8> {
    let data = (FRAMES * CHANNELS * 4) as u32;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + data).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16u32.to_le_bytes());
    bytes.extend(3u16.to_le_bytes());
    bytes.extend((CHANNELS as u16).to_le_bytes());
    bytes.extend(RATE.to_le_bytes());
    bytes.extend((RATE * CHANNELS as u32 * 4).to_le_bytes());
    bytes.extend((CHANNELS as u16 * 4).to_le_bytes());
    bytes.extend(32u16.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(data.to_le_bytes());
    (0..FRAMES).for_each(|frame| planes.iter().for_each(|plane| bytes.extend(plane[frame].to_le_bytes())));
    bytes
}

/// A FLAC file by Étude's own encoder: a clip as the shards keep it.
fn flac(planes: &[Vec<f32>; CHANNELS]) -> Vec<u8> {
    let link = |operator: &str, parameters| Link {
        stage: operator.into(),
        operator: operator.into(),
        version: TABLE.get(operator).unwrap().version,
        parameters,
        sides: Vec::new(),
    };
    let links = [link("decode", json!({})), link("shards", json!({"codec": "flac"}))];
    let chain = Chain::new(&TABLE, None, &links, 0).unwrap();
    let mut rows = chain.rows(&CancellationToken::new()).unwrap();
    let header = Header::audio("a".into(), 0, RATE, CHANNELS as u16, Some(FRAMES as u64));
    rows.begin(&header).unwrap();
    rows.block(&mut Block::planar(CHANNELS, planes.concat())).unwrap();
    let batch = rows.end(&mut Vec::new()).unwrap().unwrap();
    let audio = batch.column_by_name("audio").unwrap().as_struct();
    audio.column_by_name("bytes").unwrap().as_binary::<i32>().value(0).to_vec()
}
