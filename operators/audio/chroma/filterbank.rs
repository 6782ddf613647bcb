//! The weights of pitch classes.

use super::Chroma;

/// The weights: [n_chroma, n_fft / 2 + 1], row after row, the first for C. librosa's `filters.chroma`.
pub fn filterbank(chroma: &Chroma, rate: u32) -> Vec<f32> {
    let (classes, bins) = (chroma.n_chroma, chroma.n_fft / 2 + 1);
    let n_chroma = classes as f64;
    // The A four octaves below that of `tuning`, which counts from 440 Hz in parts of a class.
    let lowest = 440.0 * (chroma.tuning / n_chroma).exp2() / 16.0;
    let octave = |bin: f64| (bin * f64::from(rate) / chroma.n_fft as f64 / lowest).log2();
    // Where a bin lies, in classes; that of 0 Hz is an octave and a half below the next.
    let place = |bin: usize| n_chroma * if bin == 0 { octave(1.0) - 1.5 } else { octave(bin as f64) };
    let mut weights = vec![0.0; classes * bins];
    for bin in 0..bins {
        let here = place(bin);
        let width = (place(bin + 1) - here).max(1.0);
        // A bell about each class that is as wide as the bin is.
        let bell = |class: usize| {
            let apart = (here - class as f64 + n_chroma / 2.0).rem_euclid(n_chroma) - n_chroma / 2.0;
            (-2.0 * (apart / width).powi(2)).exp()
        };
        let bells: Vec<f64> = (0..classes).map(bell).collect();
        let length = bells.iter().map(|bell| bell * bell).sum::<f64>().sqrt();
        let loudness = match chroma.octave_width {
            Some(width) => (-0.5 * ((here / n_chroma - chroma.octave_centre) / width).powi(2)).exp(),
            None => 1.0,
        };
        for (class, bell) in bells.iter().enumerate() {
            // Places count from A, rows from C, three semitones above it.
            let row = (class + classes - classes / 12 * 3) % classes;
            weights[row * bins + bin] = (bell / length * loudness) as f32;
        }
    }
    weights
}
