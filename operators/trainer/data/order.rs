//! The order of clips in an epoch: a function of seed, stage and epoch that is computed place by place.

use etude_learning::train::Unit;
use etude_pipeline::random::Random;

/// A permutation of 0 … count − 1 that is drawn by a key and takes no memory: a Feistel network over the next power of
/// four, walked until it comes back into the range (Black and Rogaway 2002, "Ciphers with arbitrary finite domains").
#[derive(Debug, Clone)]
pub struct Permutation {
    count: u64,
    /// Bits of half a number.
    bits: u32,
    keys: [u64; ROUNDS],
}

const ROUNDS: usize = 6;

impl Permutation {
    /// That of a key.
    pub fn keyed(count: u64, key: &[&[u8]]) -> Self {
        let mut random = Random::keyed(key);
        let bits = (64 - count.saturating_sub(1).leading_zeros()).div_ceil(2).max(1);
        Self { count, bits, keys: std::array::from_fn(|_| random.bits()) }
    }

    /// What stands at a place below the count.
    pub fn at(&self, place: u64) -> u64 {
        let mut number = self.encrypt(place);
        while number >= self.count {
            number = self.encrypt(number);
        }
        number
    }

    fn encrypt(&self, number: u64) -> u64 {
        let mask = (1u64 << self.bits) - 1;
        let (mut left, mut right) = (number >> self.bits, number & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (mix(right ^ key) & mask));
        }
        (left << self.bits) | right
    }
}

/// SplitMix64's finaliser (Steele et al. 2014): every bit of the result depends on every bit.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The order of an epoch.
pub enum Order {
    /// Clips on their own.
    Clips(Permutation),
    /// Recordings, whose clips stay together in an order of their own.
    Items {
        /// For each place the recording and how many clips come before it.
        places: Vec<(u64, u64)>,
        /// The first clip of each recording, and the number of all clips.
        firsts: Vec<u64>,
        clips: Vec<Permutation>,
    },
}

impl Order {
    /// The order of an epoch. `firsts` has the first clip of each recording and, last, the number of clips.
    pub fn new(unit: Unit, firsts: &[u64], seed: u64, stage: &str, epoch: u64) -> Self {
        let count = firsts.last().copied().unwrap_or(0);
        let (seed, epoch) = (seed.to_le_bytes(), epoch.to_le_bytes());
        let key = |more: &[u8], count: u64| {
            Permutation::keyed(count, &[b"shuffle", &seed, stage.as_bytes(), &epoch, more])
        };
        if unit == Unit::Clip {
            return Self::Clips(key(b"", count));
        }
        let items = firsts.len().saturating_sub(1) as u64;
        let shuffled = key(b"items", items);
        let mut before = 0;
        let mut places = Vec::with_capacity(items as usize);
        for place in 0..items {
            let item = shuffled.at(place);
            places.push((item, before));
            before += firsts[item as usize + 1] - firsts[item as usize];
        }
        let clips = firsts.windows(2).enumerate();
        let clips = clips.map(|(item, pair)| key(&item.to_le_bytes(), pair[1] - pair[0])).collect();
        Self::Items { places, firsts: firsts.to_vec(), clips }
    }

    /// The clip at a place.
    pub fn at(&self, place: u64) -> u64 {
        match self {
            Self::Clips(permutation) => permutation.at(place),
            Self::Items { places, firsts, clips } => {
                let at = places.partition_point(|(_, before)| *before <= place).saturating_sub(1);
                let (item, before) = places[at];
                firsts[item as usize] + clips[item as usize].at(place - before)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(order: &Order, count: u64) -> Vec<u64> {
        (0..count).map(|place| order.at(place)).collect()
    }

    #[test]
    fn a_permutation_has_each_number_once() {
        for count in [1u64, 2, 3, 4, 5, 17, 64, 65, 1000, 4097] {
            let permutation = Permutation::keyed(count, &[b"a"]);
            let mut numbers: Vec<u64> = (0..count).map(|place| permutation.at(place)).collect();
            numbers.sort_unstable();
            assert_eq!(numbers, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_permutation_is_even() {
        // How often a number stands at a place, over many keys: chi square of 16 × 16 cells, 225 degrees of freedom.
        let (count, keys) = (16u64, 20_000u64);
        let mut cells = vec![0u64; (count * count) as usize];
        for key in 0..keys {
            let permutation = Permutation::keyed(count, &[&key.to_le_bytes()]);
            (0..count).for_each(|place| cells[(place * count + permutation.at(place)) as usize] += 1);
        }
        let expected = keys as f64 / count as f64;
        let chi: f64 = cells.iter().map(|cell| (*cell as f64 - expected).powi(2) / expected).sum();
        assert!(chi < 225.0 + 5.0 * (2.0 * 225.0f64).sqrt(), "{chi}");
    }

    #[test]
    fn every_epoch_seed_and_stage_has_its_own_order() {
        let order = |seed, stage, epoch| all(&Order::new(Unit::Clip, &[0, 40, 100], seed, stage, epoch), 100);
        let first = order(1, "model", 0);
        assert_eq!(first, order(1, "model", 0));
        for other in [order(1, "model", 1), order(2, "model", 0), order(1, "other", 0)] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn clips_of_a_recording_stay_together() {
        let firsts = [0, 3, 3, 10, 11, 25];
        let clips = all(&Order::new(Unit::Item, &firsts, 1, "model", 0), 25);
        let mut sorted = clips.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..25).collect::<Vec<_>>());
        let item = |clip: u64| firsts.partition_point(|first| *first <= clip) - 1;
        let changes = clips.windows(2).filter(|pair| item(pair[0]) != item(pair[1])).count();
        assert_eq!(changes, 3, "{clips:?}");
        assert_ne!(clips, all(&Order::new(Unit::Item, &firsts, 1, "model", 1), 25));
    }
}
