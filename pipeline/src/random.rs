//! Random numbers that depend on names, never on the order in which threads run.
//!
//! A generator is keyed on (seed, stage, item, start, epoch, view); its stream is BLAKE3's
//! extendable output of that key, so any two keys give unrelated streams and the same key
//! gives the same numbers on every machine.

use std::fmt::{self, Display, Write};

/// A stream of random numbers.
pub struct Random {
    reader: blake3::OutputReader,
    buffer: [u8; 512],
    at: usize,
    spare: Option<f64>,
}

impl Random {
    /// The stream of a key made of several parts.
    pub fn keyed(parts: &[&[u8]]) -> Self {
        parts.iter().fold(Key::default(), |key, part| key.part(part)).random()
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        if self.at == self.buffer.len() {
            self.reader.fill(&mut self.buffer);
            self.at = 0;
        }
        let mut word = [0; 8];
        word.copy_from_slice(&self.buffer[self.at..self.at + 8]);
        self.at += 8;
        u64::from_le_bytes(word)
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in [low, high).
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Uniform among 0 … n−1 (0 when n is 0).
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        // Rejection keeps it exactly uniform.
        let limit = u64::MAX - u64::MAX % n;
        loop {
            let bits = self.bits();
            if bits < limit {
                return bits % n;
            }
        }
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Standard normal (Box and Muller, 1958).
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sin);
        radius * cos
    }
}

/// What a stream is keyed on, part by part.
#[derive(Default)]
pub struct Key(blake3::Hasher);

impl Key {
    /// With another part.
    pub fn part(mut self, part: &[u8]) -> Self {
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    /// With another part, a text that need not be put together.
    pub fn text(mut self, text: impl Display) -> Self {
        let mut length = Length(0);
        // Neither of both can fail.
        let _ = write!(length, "{text}");
        self.0.update(&length.0.to_le_bytes());
        let _ = write!(Bytes(&mut self.0), "{text}");
        self
    }

    /// The stream.
    pub fn random(self) -> Random {
        Random { reader: self.0.finalize_xof(), buffer: [0; 512], at: 512, spare: None }
    }
}

struct Length(u64);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len() as u64;
        Ok(())
    }
}

struct Bytes<'a>(&'a mut blake3::Hasher);

impl Write for Bytes<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_key_same_stream_other_key_other_stream() {
        let stream = |parts: &[&[u8]]| -> Vec<u64> {
            let mut random = Random::keyed(parts);
            (0..100).map(|_| random.bits()).collect()
        };
        assert_eq!(stream(&[b"a", b"b"]), stream(&[b"a", b"b"]));
        assert_ne!(stream(&[b"a", b"b"]), stream(&[b"ab"]));
        assert_ne!(stream(&[b"a", b"b"]), stream(&[b"b", b"a"]));
    }

    #[test]
    fn a_text_is_keyed_as_its_bytes_are() {
        let mut text = Key::default().text(format_args!("{}\0{}", 12, "a.wav")).part(b"b").random();
        assert_eq!(text.bits(), Random::keyed(&[b"12\0a.wav", b"b"]).bits());
    }

    #[test]
    fn moments_are_right() {
        let mut random = Random::keyed(&[b"moments"]);
        let n = 200_000;
        let uniform: f64 = (0..n).map(|_| random.uniform()).sum::<f64>() / f64::from(n);
        assert!((uniform - 0.5).abs() < 0.005);
        let square: f64 = (0..n).map(|_| random.normal().powi(2)).sum::<f64>() / f64::from(n);
        assert!((square - 1.0).abs() < 0.02);
        let mut seen = [0u32; 7];
        (0..70_000).for_each(|_| seen[random.below(7) as usize] += 1);
        assert!(seen.iter().all(|count| (9_400..10_600).contains(count)));
    }
}
