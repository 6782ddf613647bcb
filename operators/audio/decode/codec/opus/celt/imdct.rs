//! From lines to samples: RFC 6716, section 4.3.7.

use std::f64::consts::PI;
use std::sync::Arc;

use multiversion::multiversion;
use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

use super::tables::{LONGEST, SHORT};

/// The transforms of blocks of each length.
pub(super) struct Imdct {
    lengths: [Length; 4],
    window: [f32; SHORT],
    points: Vec<Complex32>,
    scratch: Vec<Complex32>,
}

/// The transform of blocks of one length.
struct Length {
    fft: Arc<dyn Fft<f32>>,
    twiddles: Vec<Complex32>,
}

impl Imdct {
    pub(super) fn new() -> Self {
        let mut planner = FftPlanner::new();
        let lengths = std::array::from_fn(|size| {
            let points = (SHORT << size) / 2;
            let twiddle = |at: usize| {
                let (sin, cos) = ((at as f64 + 0.125) * PI / (2 * points) as f64).sin_cos();
                Complex32::new(cos as f32, sin as f32)
            };
            Length { fft: planner.plan_fft_forward(points), twiddles: (0..points).map(twiddle).collect() }
        });
        let room =
            lengths.iter().map(|length: &Length| length.fft.get_inplace_scratch_len()).max().unwrap_or(0);
        let window = std::array::from_fn(|at| {
            let sin = ((at as f64 + 0.5) * PI / (2 * SHORT) as f64).sin();
            (sin * sin * PI / 2.0).sin() as f32
        });
        Self {
            lengths,
            window,
            points: vec![Complex32::default(); LONGEST / 2],
            scratch: vec![Complex32::default(); room],
        }
    }

    /// Where blocks overlap, how loud the later one is.
    pub(super) fn window(&self) -> &[f32; SHORT] {
        &self.window
    }

    /// Transforms every `stride`th line from the `first` on to a block of samples in `out`. Half of what blocks
    /// overlap lies there in front, from the block before; as much is left behind for the next.
    pub(super) fn transform(&mut self, lines: &[f32], first: usize, stride: usize, out: &mut [f32]) {
        let count = lines.len() / stride;
        let Some(length) = self.lengths.get((count / SHORT).ilog2() as usize) else { return };
        let points = &mut self.points[..count / 2];
        if stride == 1 {
            turn(lines, &length.twiddles, points);
        } else {
            for (at, (point, twiddle)) in points.iter_mut().zip(&length.twiddles).enumerate() {
                let (a, b) = (lines[first + 2 * at * stride], lines[first + (count - 1 - 2 * at) * stride]);
                *point = turned(a, b, *twiddle);
            }
        }
        length.fft.process_with_scratch(points, &mut self.scratch);
        turn_back(points, &length.twiddles, &mut out[SHORT / 2..SHORT / 2 + count]);
        overlap(&mut out[..SHORT], &self.window);
    }
}

#[inline(always)]
fn turned(a: f32, b: f32, twiddle: Complex32) -> Complex32 {
    let (cos, sin) = (twiddle.re, -twiddle.im);
    Complex32::new(a * cos - b * sin, b * cos + a * sin)
}

/// Turns pairs of lines, from both ends, before the transform.
#[multiversion(targets("x86_64+avx2"))]
fn turn(lines: &[f32], twiddles: &[Complex32], points: &mut [Complex32]) {
    let ends = lines.chunks_exact(2).zip(lines.rchunks_exact(2));
    for ((point, twiddle), (a, b)) in points.iter_mut().zip(twiddles).zip(ends) {
        *point = turned(a[0], b[1], *twiddle);
    }
}

/// Turns points behind the transform; real parts go to the begin, imaginary ones to the end.
#[multiversion(targets("x86_64+avx2"))]
fn turn_back(points: &[Complex32], twiddles: &[Complex32], out: &mut [f32]) {
    let both = points.iter().zip(twiddles).zip(points.iter().zip(twiddles).rev());
    for (out, ((p, t), (q, u))) in out.chunks_exact_mut(2).zip(both) {
        // The transform's parts are exchanged: it is an inverse one.
        out[0] = p.im * t.re - p.re * t.im;
        out[1] = -q.im * u.im - q.re * u.re;
    }
}

/// Adds what overlaps.
fn overlap(out: &mut [f32], window: &[f32; SHORT]) {
    let (front, back) = out.split_at_mut(SHORT / 2);
    let (rising, falling) = window.split_at(SHORT / 2);
    let windows = rising.iter().zip(falling.iter().rev());
    for ((a, b), (up, down)) in front.iter_mut().zip(back.iter_mut().rev()).zip(windows) {
        (*a, *b) = (*a * down - *b * up, *a * up + *b * down);
    }
}
