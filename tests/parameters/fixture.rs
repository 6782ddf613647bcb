//! What the operators work on.

use std::path::Path;
use std::process::Command;

use crate::common::{noise, write_wav};

/// What stands above the stages of the cases.
pub const STAGES: &str = "
  files: {op: scan, path: ./music}
  tags: {op: metadata, from: files}
  table: {op: sql, from: tags, tables: {t: table.csv}, query: SELECT * FROM t}
  midi: {op: scan, path: ./midi, include: ['**/*.mid']}
  broken: {op: scan, path: ./broken}
  heavy: {op: scan, path: ./heavy}
  audio: {op: decode, from: heavy}
  wide: {op: segment, from: audio, seconds: 5}
  mono: {op: decode, from: files, channels: mono}
  at16k: {op: resample, from: mono, rate: 16000}
  cut: {op: segment, from: at16k, seconds: 1}
  clips: {op: shards, from: cut, codec: f32}
  short: {op: segment, from: at16k, seconds: 0.25}
  noises: {op: shards, from: short}
  bands: {op: mel, from: clips, n_mels: 16}
  magnitudes: {op: mel, from: clips, n_mels: 16, power: 1}
  spectra: {op: stft, from: clips}
  pairs: {op: crop, from: clips, views: 2, seconds: 0.8}
  band_pairs: {op: mel, from: pairs, n_mels: 16}
  learnt: {op: statistics, from: bands}
  learnt_of_others: {op: statistics, from: magnitudes}
  centres: {op: k_means, from: bands, clusters: 4}
  fewer_centres: {op: k_means, from: bands, clusters: 3}
";

/// Writes recordings, an archive, a MIDI file and tables.
pub fn write(folder: &Path) {
    let mut noise = noise();
    // Louder and louder, with a silence.
    let saw = |n: u32| (((n * 300) % 20_000) as i16 - 10_000) / (5 - (n / 20_000).min(4) as i16);
    let mut mono = |n: u32| if (30_000..35_000).contains(&n) { 0 } else { saw(n) + noise() };
    write_wav(&folder.join("music/mono.wav"), 22_050, 1, (0..90_000).map(&mut mono));
    // Other channels have other sounds.
    let stereo = |n: u32| if n.is_multiple_of(2) { saw(n / 2) } else { saw(n) / 3 };
    write_wav(&folder.join("music/stereo.wav"), 44_100, 2, (0..360_000).map(stereo));
    let square = |n: u32| if (n / 40).is_multiple_of(2) { 32_767 } else { -32_767 };
    write_wav(&folder.join("music/loud.wav"), 16_000, 1, (0..40_000).map(square));

    let script = "import shutil, sys; print(shutil.make_archive(*sys.argv[1:]))";
    std::fs::create_dir_all(folder.join("packed")).unwrap();
    let mut packed = Command::new("python3");
    packed.args(["-c", script]).arg(folder.join("packed/all")).arg("zip").arg(folder.join("music"));
    assert!(packed.output().unwrap().status.success());
    std::fs::copy(folder.join("music/mono.wav"), folder.join("packed/one.wav")).unwrap();
    write_wav(&folder.join("silence/long.wav"), 16_000, 1, (0..40_000).map(|_| 0));

    // A note of a second and a half at 120 beats a minute, whose key is up after a third of it and the pedal later.
    let midi = b"MThd\0\0\0\x06\0\0\0\x01\0\x60MTrk\0\0\0\x19\0\xb0\x5b\x7f\0\xb0\x40\x7f\0\x90\x3c\x40\x60\x80\x3c\0\x81\x40\xb0\x40\0\0\xff\x2f\0";
    std::fs::create_dir_all(folder.join("midi")).unwrap();
    std::fs::write(folder.join("midi/one.mid"), midi).unwrap();

    // One is cut off, and several are as large as a small shard.
    let cut = &std::fs::read(folder.join("music/mono.wav")).unwrap()[..100_000];
    std::fs::create_dir_all(folder.join("broken")).unwrap();
    std::fs::write(folder.join("broken/one.wav"), cut).unwrap();
    for name in ["one", "two", "three", "four"] {
        write_wav(&folder.join(format!("heavy/{name}.wav")), 44_100, 2, (0..600_000).map(saw));
    }

    let rows = (0..60).map(|n| format!("i{n},a{},g{}\n", n % 20, n % 3)).collect::<String>();
    std::fs::write(folder.join("table.csv"), format!("item,artist,genre\n{rows}")).unwrap();
    std::fs::write(folder.join("other.csv"), "item,artist,genre\nx,y,z\n").unwrap();
    std::fs::write(folder.join("one.csv"), "item,start,end\nmono.wav,0.5,1.5\n").unwrap();
    std::fs::write(folder.join("two.csv"), "item,start,end\nmono.wav,1.5,2.5\n").unwrap();
}
