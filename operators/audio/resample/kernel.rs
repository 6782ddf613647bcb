//! The low-pass filter: a sinc under a Kaiser window.

use std::f64::consts::PI;

/// A low-pass filter in continuous time, symmetrical about 0. Its time is counted in samples of
/// some signal, its frequencies are fractions of that signal's Nyquist frequency.
#[derive(Debug, Clone, Copy)]
pub struct Kernel {
    cutoff: f64,
    beta: f64,
    half_width: f64,
}

impl Kernel {
    /// The shortest filter that is flat up to `pass` and `attenuation` dB down from `stop` on, by
    /// Kaiser's formulas.
    pub fn new(attenuation: f64, pass: f64, stop: f64) -> Self {
        Self {
            cutoff: (pass + stop) / 2.0,
            beta: 0.1102 * (attenuation - 8.7),
            half_width: (attenuation - 8.0) / (2.285 * PI * (stop - pass)) / 2.0,
        }
    }

    /// The filter is 0 from here on.
    pub fn half_width(&self) -> f64 {
        self.half_width
    }

    /// The middle of the transition.
    pub fn cutoff(&self) -> f64 {
        self.cutoff
    }

    /// The same cutoff and attenuation with a longer, steeper filter.
    pub fn widened(self, half_width: f64) -> Self {
        Self { half_width, ..self }
    }

    /// The filter's value; the sum over all samples is 1, nearly.
    pub fn at(&self, time: f64) -> f64 {
        let inside = 1.0 - (time / self.half_width).powi(2);
        if inside <= 0.0 {
            return 0.0;
        }
        let window = bessel(self.beta * inside.sqrt()) / bessel(self.beta);
        let angle = PI * self.cutoff * time;
        let sinc = if angle.abs() < 1e-9 { 1.0 } else { angle.sin() / angle };
        self.cutoff * sinc * window
    }
}

/// The modified Bessel function of the first kind and order 0, by its power series.
fn bessel(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-18 {
        term *= quarter / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Abramowitz and Stegun, table 9.8, and scipy.special.i0(20).
    #[test]
    fn bessel_is_right() {
        assert!((bessel(1.0) - 1.266_065_877_752_008).abs() < 1e-14);
        assert!((bessel(5.0) - 27.239_871_823_604_44).abs() < 1e-12);
        assert!((bessel(20.0) / 43_558_282.559_553_53 - 1.0).abs() < 1e-14);
    }

    #[test]
    fn the_kernel_is_flat_before_and_silent_behind() {
        let kernel = Kernel::new(120.0, 0.3, 0.4);
        let reach = kernel.half_width().ceil() as i32;
        let response = |frequency: f64| -> f64 {
            (-reach..=reach).map(|n| kernel.at(f64::from(n)) * (PI * frequency * f64::from(n)).cos()).sum()
        };
        for step in 0..=30 {
            let pass = f64::from(step) / 100.0;
            assert!((response(pass) - 1.0).abs() < 2e-6, "{pass}: {}", response(pass));
        }
        for step in 0..=60 {
            let stop = 0.4 + f64::from(step) / 100.0;
            assert!(response(stop).abs() < 2e-6, "{stop}: {}", response(stop));
        }
    }
}
