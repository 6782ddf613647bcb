//! A SoundFont for tests: sines, and square waves in place of drums.

use std::f64::consts::TAU;

/// Samples of a period; the samples are at 44 kHz, so key 69 is 440 Hz.
const PERIOD: usize = 100;
const RATE: u32 = 44_000;

/// A chunk of a RIFF file.
fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [name, (content.len() as u32).to_le_bytes().as_slice(), content].concat()
}

fn list(name: &[u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
    chunk(b"LIST", &[name, chunks.concat().as_slice()].concat())
}

fn name(text: &str) -> [u8; 20] {
    std::array::from_fn(|at| text.as_bytes().get(at).copied().unwrap_or(0))
}

fn shorts(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// Presets of (bank, program), each with an instrument of its own: 0 a sine, 1 a sine with its third harmonic, and a
/// square wave for drums.
const PRESETS: [(u16, u16); 3] = [(0, 0), (0, 1), (128, 0)];

fn wave(preset: usize, at: usize) -> f64 {
    let sine = |harmonic: usize| (TAU * (at * harmonic % PERIOD) as f64 / PERIOD as f64).sin();
    match preset {
        0 => 0.5 * sine(1),
        1 => 0.25 * sine(1) + 0.25 * sine(3),
        _ => 0.25 * sine(1).signum(),
    }
}

/// The file.
pub(super) fn font() -> Vec<u8> {
    // Each wave has 20 periods, of which the middle is repeated, and silence behind it.
    let frames = 20 * PERIOD;
    let stride = frames + 46;
    let mut samples = Vec::new();
    for preset in 0..PRESETS.len() {
        let wave = (0..stride).map(|at| if at < frames { wave(preset, at) } else { 0.0 });
        samples.extend(wave.flat_map(|sample| ((sample * 32_767.0).round() as i16).to_le_bytes()));
    }
    let (mut phdr, mut pbag, mut pgen) = (Vec::new(), Vec::new(), Vec::new());
    let (mut inst, mut ibag, mut igen, mut shdr) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let last = PRESETS.len();
    for index in 0..=last {
        let at = index as u16;
        let (bank, program) = PRESETS.get(index).copied().unwrap_or((0, 0));
        phdr.extend(name("preset"));
        phdr.extend(shorts(&[program, bank, at]));
        phdr.extend([0; 12]);
        pbag.extend(shorts(&[at, 0]));
        // Generator 41 names an instrument.
        pgen.extend(shorts(&if index < last { [41, at] } else { [0, 0] }));
        inst.extend(name("instrument"));
        inst.extend(shorts(&[at]));
        ibag.extend(shorts(&[2 * at, 0]));
        // Generator 54 repeats what lies between the sample's loop points, 53 names the sample.
        igen.extend(shorts(&[54, 1, 53, at][..if index < last { 4 } else { 2 }]));
        shdr.extend(name("sample"));
        let from = index * stride;
        let places = [from, from + frames, from + 5 * PERIOD, from + 15 * PERIOD];
        let places = if index < last { places } else { [0; 4] };
        shdr.extend(places.iter().flat_map(|place| (*place as u32).to_le_bytes()));
        shdr.extend(RATE.to_le_bytes());
        shdr.extend([69, 0]);
        shdr.extend(shorts(&[0, 1]));
    }
    let none = |length: usize| vec![0; length];
    let information = list(b"INFO", &[chunk(b"ifil", &shorts(&[2, 1])), chunk(b"INAM", b"test")]);
    let data = list(b"sdta", &[chunk(b"smpl", &samples)]);
    let tables = list(
        b"pdta",
        &[
            chunk(b"phdr", &phdr),
            chunk(b"pbag", &pbag),
            chunk(b"pmod", &none(10)),
            chunk(b"pgen", &pgen),
            chunk(b"inst", &inst),
            chunk(b"ibag", &ibag),
            chunk(b"imod", &none(10)),
            chunk(b"igen", &igen),
            chunk(b"shdr", &shdr),
        ],
    );
    chunk(b"RIFF", &[b"sfbk".to_vec(), information, data, tables].concat())
}
