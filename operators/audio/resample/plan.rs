//! How long the FFTs of a ratio are.

/// The blocks of an overlap-save: `input` samples become `output` samples, of which `advance.1`
/// from `first` on are kept; the next block begins `advance.0` input samples later. All lengths are
/// multiples of `ratio`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks {
    pub ratio: (usize, usize),
    pub input: usize,
    pub output: usize,
    pub advance: (usize, usize),
    pub first: usize,
}

/// The longest FFT for filters of usual length.
const LONGEST: usize = 32_768;

/// The cheapest blocks that turn `from` samples into `to`, numbers without a common divisor, with
/// a filter that reaches `half_width` input samples to either side. None where the ratio wants FFTs
/// that are long, or of lengths with large prime factors.
pub fn blocks(from: usize, to: usize, half_width: f64) -> Option<Blocks> {
    let taps = 2.0 * half_width * (to as f64 / from as f64).max(1.0);
    // A filter for a great change of rate is long itself.
    let longest = LONGEST.max(4 * taps as usize);
    let per_sample = |blocks: &Blocks| (cost(blocks.input) + cost(blocks.output)) / blocks.advance.0 as f64;
    (1..=longest / from.max(to))
        .filter_map(|times| fit(from, to, times, half_width))
        .min_by(|a, b| per_sample(a).total_cmp(&per_sample(b)))
}

/// Blocks of `times` · `from` samples.
fn fit(from: usize, to: usize, times: usize, half_width: f64) -> Option<Blocks> {
    let (input, output) = (times * from, times * to);
    if !(smooth(input) && smooth(output)) {
        return None;
    }
    // An output sample is right where the filter does not reach round the block's ends.
    let ratio = to as f64 / from as f64;
    let first = ((half_width - 1.0).max(0.0) * ratio).ceil();
    let last = ((input as f64 - half_width) * ratio).floor();
    if last <= first {
        return None;
    }
    // Blocks begin on the grid that both rates share.
    let units = ((last - first) as usize + 1).min(output) / to;
    let advance = (units * from, units * to);
    (units > 0).then_some(Blocks { ratio: (from, to), input, output, advance, first: first as usize })
}

/// What an FFT takes, in no unit; from measurements of rustfft with AVX.
fn cost(length: usize) -> f64 {
    let n = length as f64;
    // Lengths that do not fill the registers are slow, and so is what does not fit in the cache.
    let registers = if length.is_multiple_of(8) { 1.0 } else { 1.5 };
    let eleven = if length.is_multiple_of(11) { 1.3 } else { 1.0 };
    n * (n.log2() + 4.0) * registers * eleven * (1.0 + n / LONGEST as f64)
}

/// Whether the FFT has its fast ways for all prime factors.
fn smooth(mut length: usize) -> bool {
    for prime in [2, 3, 5, 7, 11] {
        while length.is_multiple_of(prime) {
            length /= prime;
        }
    }
    length == 1
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The same ratio without a common divisor.
pub fn reduced(from: u64, to: u64) -> (u64, u64) {
    let divisor = gcd(from, to).max(1);
    (from / divisor, to / divisor)
}

/// A ratio `p / q` of small numbers, at least twice the lower of the two rates over `from`: to this
/// rate a signal is brought before it is interpolated.
pub fn intermediate(from: u64, to: u64) -> (u64, u64) {
    let lower = from.min(to);
    let mut best = (2, 1);
    for p in [1, 2, 3, 4, 5, 6, 8] {
        for q in 1..=1024 {
            let enough = from * p >= 2 * lower * q;
            let less = p * best.1 < best.0 * q;
            if enough && less && gcd(p, q) == 1 && smooth(q as usize) && q % 7 != 0 && q % 11 != 0 {
                best = (p, q);
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_ratios_have_blocks_of_moderate_length() {
        for (from, to) in
            [(441, 160), (3, 1), (1, 2), (147, 160), (160, 147), (441, 320), (441, 640), (12, 1)]
        {
            let half_width = 78.0 * (from as f64 / to as f64).max(1.0);
            let blocks = blocks(from, to, half_width).unwrap();
            assert!(blocks.input.max(blocks.output) <= 20_000, "{blocks:?}");
            // Little is computed twice.
            assert!(blocks.advance.0 * 10 > blocks.input * 7, "{blocks:?}");
        }
        assert_eq!(blocks(44_099, 16_000, 200.0), None);
        assert_eq!(blocks(13, 16, 80.0), None);
    }

    #[test]
    fn intermediate_rates_leave_room() {
        for (from, to) in
            [(44_099, 16_000), (44_100, 44_099), (16_001, 44_100), (384_000, 1_001), (44_100, 15_999)]
        {
            let (p, q) = intermediate(from, to);
            assert!(from * p >= 2 * from.min(to) * q, "{from} {to}: {p}/{q}");
            assert!(from * p <= 3 * from.min(to) * q, "{from} {to}: {p}/{q}");
        }
    }
}
