//! Ours is compared with libopus on packets that libopus's encoder made, on broken ones, and on some that no encoder
//! would make.

use opusic_c::{
    Application, Bandwidth, Bitrate, Channels, Decoder, Encoder, FrameDuration, SampleRate, Signal,
};

use super::stream::{FRAMES, Stream};
use super::*;

/// Numbers that look like chance, the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % count
    }

    fn noise(&mut self) -> f32 {
        self.below(1 << 20) as f32 / (1 << 19) as f32 - 1.0
    }
}

/// Two seconds with all that CELT has means for: tones, a chord with a period, clicks, noise, silence, and channels
/// that are alike, apart, opposite and alone.
fn music() -> Vec<f32> {
    let mut chance = Chance(3);
    let mut samples = Vec::new();
    for at in 0..96_000 {
        let time = at as f32 / 48_000.0;
        let tone = |pitch: f32| (std::f32::consts::TAU * pitch * time).sin();
        let buzz = (1..20).map(|harmonic| tone(110.0 * harmonic as f32) / harmonic as f32).sum::<f32>();
        let click = if at % 5300 < 40 { chance.noise() } else { 0.0 };
        let (left, right) = match at / 9600 {
            0 => (0.3 * tone(440.0), 0.3 * tone(440.0)),
            1 => (0.2 * buzz, 0.1 * buzz),
            2 => (0.8 * click, 0.5 * click + 0.01 * tone(3000.0)),
            3 => (0.3 * chance.noise(), 0.3 * chance.noise()),
            4 => (0.0, 0.0),
            5 => (0.2 * buzz + 0.3 * click, 0.3 * tone(5000.0)),
            6 => (0.4 * tone(997.0 + 4000.0 * time), -0.4 * tone(997.0 + 4000.0 * time)),
            7 => (0.2 * buzz, 0.0),
            8 => (0.001 * chance.noise(), 0.002 * chance.noise()),
            _ => (0.2 * buzz + 0.1 * chance.noise(), 0.2 * buzz - 0.1 * chance.noise()),
        };
        samples.extend([left, right]);
    }
    samples
}

/// What the packets of a stream shall be.
#[derive(Debug, Clone, Copy)]
struct Kind {
    channels: usize,
    bitrate: u32,
    duration: FrameDuration,
    /// Samples of a packet.
    length: usize,
    bandwidth: Bandwidth,
    application: Application,
    variable: bool,
}

const KIND: Kind = Kind {
    channels: 2,
    bitrate: 96_000,
    duration: FrameDuration::Size20,
    length: 960,
    bandwidth: Bandwidth::Full,
    application: Application::LowDelay,
    variable: true,
};

fn encode(music: &[f32], kind: Kind) -> Vec<Vec<u8>> {
    let channels = if kind.channels == 2 { Channels::Stereo } else { Channels::Mono };
    let mut encoder = Encoder::new(channels, SampleRate::Hz48000, kind.application).unwrap();
    encoder.set_bitrate(Bitrate::Value(kind.bitrate)).unwrap();
    encoder.set_frame_duration(kind.duration).unwrap();
    encoder.set_bandwidth(kind.bandwidth).unwrap();
    encoder.set_vbr(kind.variable).unwrap();
    encoder.set_signal(Signal::Music).unwrap();
    let of = |frame: &[f32]| -> Vec<f32> {
        if kind.channels == 2 { frame.to_vec() } else { frame.iter().step_by(2).copied().collect() }
    };
    let packet = |frame: &[f32]| {
        let mut packet = vec![0; 8000];
        let length = encoder.encode_float_to_slice(&of(frame), &mut packet).unwrap();
        packet.truncate(length);
        packet
    };
    music.chunks_exact(2 * kind.length).map(packet).collect()
}

/// Decodes packets with ours and with libopus, and compares how loud they are and their difference.
fn compare(packets: &[Vec<u8>], channels: usize) -> Compared {
    let kind = if channels == 2 { Channels::Stereo } else { Channels::Mono };
    let mut libopus = Decoder::new(kind, SampleRate::Hz48000).unwrap();
    libopus.set_phase_inversion_disabled(false).unwrap();
    let mut ours = Stream::new(channels);
    let mut theirs = vec![0.0; channels * FRAMES];
    let mut compared = Compared { frames: 0, damaged: 0, loud: 0.0, different: 0.0 };
    for (number, packet) in packets.iter().enumerate() {
        let expected = libopus.decode_float_to_slice(packet, &mut theirs, false).ok();
        let decoded = ours.decode(packet).ok();
        assert_eq!(decoded, expected, "packet {number}");
        compared.damaged += usize::from(decoded.is_none());
        let frames = decoded.unwrap_or(0);
        compared.frames += frames;
        for channel in 0..channels {
            let theirs = theirs[channel..].iter().step_by(channels);
            for (our, their) in ours.decoded(channel)[..frames].iter().zip(theirs) {
                compared.loud += f64::from(*their).powi(2);
                compared.different += f64::from(our - their).powi(2);
            }
        }
    }
    compared
}

#[derive(Debug)]
struct Compared {
    frames: usize,
    damaged: usize,
    loud: f64,
    different: f64,
}

impl Compared {
    fn decibels(&self) -> f64 {
        10.0 * (self.loud / self.different.max(1e-300)).log10()
    }
}

/// All that is compared is as alike as numbers of 24 bits let it be.
fn same(packets: &[Vec<u8>], channels: usize, what: &dyn std::fmt::Debug) {
    let compared = compare(packets, channels);
    assert!(compared.loud > 0.0 && compared.decibels() > 110.0, "{what:?}: {compared:?}");
    assert_eq!(compared.damaged, 0, "{what:?}");
}

#[test]
fn packets_are_decoded_as_libopus_does() {
    let music = music();
    let durations = [
        (FrameDuration::Size2_5, 120),
        (FrameDuration::Size5, 240),
        (FrameDuration::Size10, 480),
        (FrameDuration::Size20, 960),
        (FrameDuration::Size40, 1920),
        (FrameDuration::Size60, 2880),
    ];
    for (duration, length) in durations {
        for bitrate in [12_000, 16_000, 32_000, 64_000, 128_000, 256_000, 510_000] {
            for (coded, bandwidth) in [(1, Bandwidth::Full), (2, Bandwidth::Full), (2, Bandwidth::Wide)] {
                let kind = Kind { channels: coded, bitrate, duration, length, bandwidth, ..KIND };
                let packets = encode(&music, kind);
                for channels in [1, 2] {
                    same(&packets, channels, &kind);
                }
            }
        }
    }
    for bandwidth in [Bandwidth::Narrow, Bandwidth::Superwide] {
        let kind = Kind { bandwidth, variable: false, ..KIND };
        same(&encode(&music, kind), 1, &kind);
    }
}

/// The decoder is ours throughout, not libopus's.
#[test]
fn music_is_decoded_by_ours() {
    let mut stream = Stream::new(1);
    for packet in encode(&music(), Kind { application: Application::Audio, ..KIND }) {
        stream.decode(&packet).unwrap();
    }
    assert!(!stream.is_libopus());
}

/// Where channels and lengths change from packet to packet, all that is kept has to fit.
#[test]
fn streams_may_change() {
    let music = music();
    let kinds = [
        KIND,
        Kind { channels: 1, ..KIND },
        Kind { duration: FrameDuration::Size5, length: 240, bandwidth: Bandwidth::Wide, ..KIND },
        Kind { duration: FrameDuration::Size2_5, length: 120, bitrate: 300_000, ..KIND },
        Kind { channels: 1, duration: FrameDuration::Size10, length: 480, ..KIND },
    ];
    let streams = kinds.map(|kind| encode(&music, kind));
    let (mut chance, mut packets) = (Chance(5), Vec::new());
    for _ in 0..600 {
        let stream = &streams[chance.below(streams.len())];
        packets.push(stream[chance.below(stream.len())].clone());
    }
    same(&packets, 1, &"mono");
    same(&packets, 2, &"stereo");
}

/// Where speech follows music, libopus goes on as if it had decoded all.
#[test]
fn libopus_goes_on() {
    let music = music();
    for (duration, length) in [(FrameDuration::Size20, 960), (FrameDuration::Size2_5, 120)] {
        let mut packets = encode(&music, Kind { duration, length, ..KIND });
        let music = packets.len();
        let speech = Kind { application: Application::Voip, bitrate: 20_000, channels: 1, ..KIND };
        packets.extend(encode(&self::music(), speech));
        // One that was not sent.
        packets.insert(music, packets[music - 1][..1].to_vec());
        packets.extend(encode(&self::music(), KIND));
        same(&packets, 1, &duration);
        same(&packets, 2, &duration);
        let mut stream = Stream::new(2);
        packets.iter().for_each(|packet| _ = stream.decode(packet).unwrap());
        assert!(stream.is_libopus());
    }
}

/// What is broken is refused where libopus does, and decoded to the same where it can be.
#[test]
fn broken_packets_are_decoded_as_libopus_does() {
    let music = music();
    let mut chance = Chance(7);
    let kinds = [
        KIND,
        Kind { bitrate: 24_000, duration: FrameDuration::Size5, length: 240, ..KIND },
        Kind { bitrate: 300_000, duration: FrameDuration::Size60, length: 2880, ..KIND },
    ];
    let (mut damaged, mut decoded) = (0, 0);
    for kind in kinds {
        for packet in encode(&music, kind) {
            let mut packets = vec![packet.clone(); 8];
            for packet in &mut packets[1..7] {
                match chance.below(3) {
                    // The first byte stays that of CELT.
                    0 => (1..=3).for_each(|_| {
                        let at = 1 + chance.below(packet.len() - 1);
                        packet[at] ^= 1 << chance.below(8);
                    }),
                    1 => packet.truncate(3 + chance.below(packet.len())),
                    _ => packet[1..].iter_mut().for_each(|byte| *byte = chance.below(256) as u8),
                }
            }
            for channels in [1, 2] {
                let compared = compare(&packets, channels);
                assert!(compared.decibels() > 80.0 || compared.different < 1e-20, "{kind:?}: {compared:?}");
                damaged += compared.damaged;
                decoded += compared.frames;
            }
        }
    }
    assert!(damaged > 100 && decoded > 1_000_000, "{damaged} {decoded}");
}

/// Bytes of any kind.
#[test]
fn noise_is_decoded_as_libopus_does() {
    let mut chance = Chance(11);
    for _ in 0..300 {
        let packets: Vec<Vec<u8>> = (0..12)
            .map(|_| {
                let most = [4, 40, 400, 1270][chance.below(4)];
                let length = 3 + chance.below(most);
                let mut packet: Vec<u8> = (0..length).map(|_| chance.below(256) as u8).collect();
                packet[0] |= 0x80;
                if chance.below(4) > 0 {
                    packet[0] &= !3;
                }
                packet
            })
            .collect();
        let compared = compare(&packets, 1 + chance.below(2));
        assert!(compared.decibels() > 80.0 || compared.different < 1e-20, "{compared:?}");
    }
}

#[test]
fn channels_come_in_the_order_of_wav() {
    let mut head = b"OpusHead\x01\x06\x38\x01\x80\xbb\x00\x00\x00\x00\x01\x04\x02".to_vec();
    head.extend([0, 4, 1, 2, 3, 5]);
    let mapping = Mapping::read(&head, 6).unwrap();
    assert_eq!((mapping.streams, mapping.coupled, mapping.gain), (4, 2, 1.0));
    assert_eq!(mapping.channels, [0, 1, 4, 5, 2, 3]);
    head[18] = 255;
    assert_eq!(Mapping::read(&head, 6).unwrap().channels, [0, 4, 1, 2, 3, 5]);
    head[18] = 3;
    assert!(Mapping::read(&head, 6).is_none());
    head[18] = 1;
    head[21] = 9;
    assert!(Mapping::read(&head, 6).is_none());
}
