//! The order of clips in an epoch: a function of seed, stage and epoch, and of the shards where these come window by window. It is
//! computed place by place.

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

/// What there is to be ordered.
pub struct Layout {
    /// The first clip of each recording and, last, the number of clips.
    pub firsts: Vec<u64>,
    /// The shard that each recording is in.
    pub shards: Vec<usize>,
    /// Bytes of each shard.
    pub bytes: Vec<u64>,
}

/// What an order depends on, beside the clips.
pub struct Shuffle<'a> {
    pub unit: Unit,
    /// Bytes of shards whose clips are shuffled together; all unless given.
    pub window: Option<u64>,
    pub seed: u64,
    pub stage: &'a str,
    pub epoch: u64,
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
    /// Some shards, and then others.
    Windows(Vec<Window>),
}

/// Shards whose clips are shuffled together.
pub struct Window {
    pub shards: Vec<usize>,
    /// How many clips come before.
    pub before: u64,
    /// The first clip of each recording, and which it is among all clips.
    firsts: Vec<(u64, u64)>,
    order: Order,
}

impl Shuffle<'_> {
    /// The order of an epoch.
    pub fn order(&self, layout: &Layout) -> Order {
        match self.window {
            None => self.together(&layout.firsts, &[]),
            Some(bytes) => Order::Windows(self.windows(layout, bytes)),
        }
    }

    fn permutation(&self, count: u64, more: &[u8], part: &[u8]) -> Permutation {
        let (seed, epoch) = (self.seed.to_le_bytes(), self.epoch.to_le_bytes());
        let key = [b"shuffle".as_slice(), &seed, self.stage.as_bytes(), &epoch, more, part];
        Permutation::keyed(count, &key[..if part.is_empty() { 5 } else { 6 }])
    }

    /// All of some clips in one order, that of a part.
    fn together(&self, firsts: &[u64], part: &[u8]) -> Order {
        if self.unit == Unit::Clip {
            return Order::Clips(self.permutation(firsts.last().copied().unwrap_or(0), b"", part));
        }
        let items = firsts.len().saturating_sub(1) as u64;
        let shuffled = self.permutation(items, b"items", part);
        let mut before = 0;
        let mut places = Vec::with_capacity(items as usize);
        for place in 0..items {
            let item = shuffled.at(place);
            places.push((item, before));
            before += firsts[item as usize + 1] - firsts[item as usize];
        }
        let clips = firsts.windows(2).enumerate();
        let clips = clips
            .map(|(item, pair)| self.permutation(pair[1] - pair[0], &item.to_le_bytes(), part))
            .collect();
        Order::Items { places, firsts: firsts.to_vec(), clips }
    }

    /// Shards in an order that is drawn, as many together as have so many bytes, at least one.
    fn windows(&self, layout: &Layout, most: u64) -> Vec<Window> {
        let mut items = vec![Vec::new(); layout.bytes.len()];
        layout.shards.iter().enumerate().for_each(|(item, shard)| items[*shard].push(item));
        let drawn = self.permutation(layout.bytes.len() as u64, b"shards", &[]);
        let mut groups: Vec<(u64, Vec<usize>)> = Vec::new();
        for place in 0..layout.bytes.len() as u64 {
            let shard = drawn.at(place) as usize;
            let bytes = layout.bytes[shard];
            match groups.last_mut() {
                _ if items[shard].is_empty() => {}
                Some((sum, shards)) if *sum + bytes <= most => {
                    *sum += bytes;
                    shards.push(shard);
                }
                _ => groups.push((bytes, vec![shard])),
            }
        }
        let mut before = 0;
        let window = |(number, (_, shards)): (u64, (u64, Vec<usize>))| {
            let mut own: Vec<usize> = shards.iter().flat_map(|shard| &items[*shard]).copied().collect();
            own.sort_unstable();
            let mut count = 0;
            let mut firsts = Vec::with_capacity(own.len());
            for item in own {
                firsts.push((count, layout.firsts[item]));
                count += layout.firsts[item + 1] - layout.firsts[item];
            }
            let local: Vec<u64> = firsts.iter().map(|(first, _)| *first).chain([count]).collect();
            let order = self.together(&local, &number.to_le_bytes());
            before += count;
            Window { shards, before: before - count, firsts, order }
        };
        (0..).zip(groups).map(window).collect()
    }
}

impl Order {
    /// The clip at a place.
    pub fn at(&self, place: u64) -> u64 {
        match self {
            Self::Clips(permutation) => permutation.at(place),
            Self::Items { places, firsts, clips } => {
                let at = places.partition_point(|(_, before)| *before <= place).saturating_sub(1);
                let (item, before) = places[at];
                firsts[item as usize] + clips[item as usize].at(place - before)
            }
            Self::Windows(windows) => {
                let Window { before, firsts, order, .. } = &windows[self.window(place)];
                let clip = order.at(place - before);
                let item = firsts.partition_point(|(first, _)| *first <= clip).saturating_sub(1);
                firsts[item].1 + clip - firsts[item].0
            }
        }
    }

    /// The windows, in order; none where all is shuffled together.
    pub fn windows(&self) -> &[Window] {
        match self {
            Self::Windows(windows) => windows,
            _ => &[],
        }
    }

    /// The window that a place is in.
    pub fn window(&self, place: u64) -> usize {
        self.windows().partition_point(|window| window.before <= place).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(firsts: &[u64], shards: &[usize], bytes: &[u64]) -> Layout {
        Layout { firsts: firsts.to_vec(), shards: shards.to_vec(), bytes: bytes.to_vec() }
    }

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
        let order = |seed, stage, epoch| {
            let shuffle = Shuffle { unit: Unit::Clip, window: None, seed, stage, epoch };
            all(&shuffle.order(&layout(&[0, 40, 100], &[0, 0], &[1])), 100)
        };
        let first = order(1, "model", 0);
        assert_eq!(first, order(1, "model", 0));
        for other in [order(1, "model", 1), order(2, "model", 0), order(1, "other", 0)] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn clips_of_a_recording_stay_together() {
        let firsts = [0, 3, 3, 10, 11, 25];
        let items = |epoch| {
            let shuffle = Shuffle { unit: Unit::Item, window: None, seed: 1, stage: "model", epoch };
            all(&shuffle.order(&layout(&firsts, &[0; 5], &[1])), 25)
        };
        let clips = items(0);
        let mut sorted = clips.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..25).collect::<Vec<_>>());
        let item = |clip: u64| firsts.partition_point(|first| *first <= clip) - 1;
        let changes = clips.windows(2).filter(|pair| item(pair[0]) != item(pair[1])).count();
        assert_eq!(changes, 3, "{clips:?}");
        assert_ne!(clips, items(1));
    }

    #[test]
    fn shards_come_window_by_window() {
        // Seven recordings in four shards, of which one is larger than a window and any two others fit one; a fifth is empty.
        let firsts = [0, 3, 3, 10, 11, 25, 26, 40];
        let layout = layout(&firsts, &[0, 1, 3, 0, 3, 1, 4], &[40, 30, 5, 200, 30]);
        let item = |clip: u64| firsts.partition_point(|first| *first <= clip) - 1;
        let mut first_shards = std::collections::BTreeSet::new();
        let mut orders = std::collections::BTreeSet::new();
        for number in 0..40 {
            let (unit, epoch) = (if number % 2 == 0 { Unit::Clip } else { Unit::Item }, number / 2);
            let order = Shuffle { unit, window: Some(80), seed: 1, stage: "model", epoch }.order(&layout);
            let clips = all(&order, 40);
            orders.insert(clips.clone());
            let mut sorted = clips.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..40).collect::<Vec<_>>());
            // Each shard is in one window, and as many as fit are together.
            let windows = order.windows();
            let mut shards: Vec<usize> = windows.iter().flat_map(|window| window.shards.clone()).collect();
            first_shards.insert(shards[0]);
            let bytes = |window: &Window| window.shards.iter().map(|shard| layout.bytes[*shard]).sum::<u64>();
            assert!(windows.iter().all(|window| bytes(window) <= 80 || window.shards == [3]));
            for pair in windows.windows(2) {
                assert!(bytes(&pair[0]) + layout.bytes[pair[1].shards[0]] > 80, "{shards:?}");
            }
            shards.sort_unstable();
            assert_eq!(shards, [0, 1, 3, 4]);
            for (place, clip) in (0..).zip(&clips) {
                assert!(windows[order.window(place)].shards.contains(&layout.shards[item(*clip)]));
            }
            // Within a window clips are shuffled, and recordings stay together where they are to.
            let changes = clips.windows(2).filter(|pair| item(pair[0]) != item(pair[1])).count();
            match unit {
                Unit::Clip => assert!(changes > 6 && clips.windows(2).any(|pair| pair[0] > pair[1])),
                Unit::Item => assert_eq!(changes, 5, "{clips:?}"),
            }
        }
        assert_eq!((first_shards.len(), orders.len()), (4, 40), "each epoch has its own");
    }
}
