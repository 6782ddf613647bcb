//! How many bits bands get: RFC 6716, section 4.3.3. All counts are in eighths of a bit.

use super::range::Range;
use super::tables::{ALLOCATIONS, BANDS, CAPS, EDGES, LOG_WIDTHS, LOG2, width};
use super::{BIT, Frame, MAX_FINE};

/// By how much less than their share of bits amplitudes get, in eighths of a bit.
const FINE_OFFSET: i32 = 21;

/// What bands get.
pub(super) struct Allocation {
    /// For the shape.
    pub(super) shape: [i32; BANDS],
    /// For the amplitude, in bits, and whether it would get another one late.
    pub(super) fine: [i32; BANDS],
    pub(super) later: [bool; BANDS],
    /// What is left for the bands to come.
    pub(super) balance: i32,
    /// Bands from here on get none for their shapes.
    pub(super) coded: usize,
    /// Bands from here on have one shape for both channels.
    pub(super) intensity: usize,
    /// Whether both channels have shapes of their own, not a mid and a side.
    pub(super) dual: bool,
}

/// The most that bands can use.
pub(super) fn caps(frame: &Frame) -> [i32; BANDS] {
    let caps = &CAPS[frame.size][frame.channels - 1];
    std::array::from_fn(|band| {
        ((i32::from(caps[band]) + 64) * frame.channels as i32 * frame.lines(band) as i32) >> 2
    })
}

/// Reads what bands get besides.
pub(super) fn boosts(range: &mut Range<'_>, frame: &Frame, caps: &[i32; BANDS]) -> ([i32; BANDS], i32) {
    let (mut boosts, mut total, mut first) = ([0; BANDS], range.budget() * BIT, 6);
    for band in 0..frame.end {
        let lines = (frame.channels * frame.lines(band)) as i32;
        let step = (lines * BIT).min(lines.max(6 * BIT));
        let (mut log, mut boost) = (first, 0);
        while range.eighths() + log as i32 * BIT < total && boost < caps[band] && range.bit(log) {
            boost += step;
            total -= step;
            log = 1;
        }
        if boost > 0 {
            first = (first - 1).max(2);
        }
        boosts[band] = boost;
    }
    (boosts, total)
}

/// Shares `total` out.
pub(super) fn share(
    range: &mut Range<'_>,
    frame: &Frame,
    boosts: &[i32; BANDS],
    caps: &[i32; BANDS],
    trim: i32,
    total: i32,
) -> Allocation {
    let (channels, size, end) = (frame.channels as i32, frame.size, frame.end);
    let mut total = total.max(0);
    // What the flag that ends skipping, and what two channels need.
    let skip = if total >= BIT { BIT } else { 0 };
    total -= skip;
    let (mut intensity, mut dual) = (0, 0);
    if channels == 2 {
        intensity = LOG2[end];
        if intensity > total {
            intensity = 0;
        } else {
            total -= intensity;
            dual = if total >= BIT { BIT } else { 0 };
            total -= dual;
        }
    }
    let floor = channels * BIT;
    let widths: [i32; BANDS] = std::array::from_fn(|band| width(band) as i32);
    // Bands that are given less than this get no pulses.
    let least: [i32; BANDS] = std::array::from_fn(|band| floor.max(((3 * widths[band]) << (size + 3)) >> 4));
    // What the trim tilts towards low bands or high ones.
    let tilt: [i32; BANDS] = std::array::from_fn(|band| {
        let steps = (trim - 5 - size as i32) * (end as i32 - band as i32 - 1);
        let single = if widths[band] << size == 1 { floor } else { 0 };
        ((channels * widths[band] * steps * (1 << (size + 3))) >> 6) - single
    });
    let given = |row: usize, band: usize| {
        tilted((channels * widths[band] * i32::from(ALLOCATIONS[row][band])) << size >> 2, tilt[band])
    };
    // What bands take if they are given `bits`: from the last that gets pulses down, all.
    let takes = |bits: &dyn Fn(usize) -> i32| {
        let (mut sum, mut pulses) = (0, false);
        for band in (0..end).rev() {
            let bits = bits(band);
            pulses |= bits >= least[band];
            sum += if pulses {
                bits.min(caps[band])
            } else if bits >= floor {
                floor
            } else {
                0
            };
        }
        sum
    };
    let (mut low, mut high) = (1, ALLOCATIONS.len() - 1);
    while low <= high {
        let middle = (low + high) / 2;
        if takes(&|band| given(middle, band) + boosts[band]) > total {
            high = middle - 1;
        } else {
            low = middle + 1;
        }
    }
    let (low, high) = (low - 1, low);
    let mut first = 0;
    let (mut base, mut more) = ([0; BANDS], [0; BANDS]);
    for band in 0..end {
        base[band] = given(low, band) + if low > 0 { boosts[band] } else { 0 };
        let most = if high < ALLOCATIONS.len() { given(high, band) } else { tilted(caps[band], tilt[band]) };
        more[band] = (most + boosts[band] - base[band]).max(0);
        if boosts[band] > 0 {
            first = band;
        }
    }
    // Between the two rows, in 64ths.
    let between = |part: i32, band: usize| base[band] + ((part * more[band]) >> 6);
    let (mut low, mut high) = (0, 64);
    for _ in 0..6 {
        let middle = (low + high) / 2;
        if takes(&|band| between(middle, band)) > total { high = middle } else { low = middle }
    }
    let (mut bits, mut sum, mut pulses) = ([0; BANDS], 0, false);
    for band in (0..end).rev() {
        let given = between(low, band);
        pulses |= given >= least[band];
        let given = match () {
            () if pulses => given,
            () if given >= floor => floor,
            () => 0,
        };
        bits[band] = given.min(caps[band]);
        sum += bits[band];
    }
    // Bands at the end may be skipped.
    let mut coded = end;
    loop {
        let band = coded - 1;
        if band <= first {
            total += skip;
            break;
        }
        let left = total - sum;
        let each = left / EDGES[coded] as i32;
        let rest = left - each * EDGES[coded] as i32;
        let mut given = bits[band] + each * widths[band] + (rest - EDGES[band] as i32).max(0);
        if given >= least[band].max(floor + BIT) {
            if range.bit(1) {
                break;
            }
            sum += BIT;
            given -= BIT;
        }
        sum -= bits[band] + intensity;
        if intensity > 0 {
            intensity = LOG2[band];
        }
        sum += intensity;
        bits[band] = if given >= floor { floor } else { 0 };
        sum += bits[band];
        coded -= 1;
    }
    let intensity = if intensity > 0 { range.uniform(coded as u32 + 1) as usize } else { 0 };
    if intensity == 0 {
        total += dual;
        dual = 0;
    }
    let dual = dual > 0 && range.bit(1);
    // What is left goes to all, and a bit more to the first.
    let left = total - sum;
    let each = left / EDGES[coded] as i32;
    let mut rest = left - each * EDGES[coded] as i32;
    for band in 0..coded {
        let more = rest.min(widths[band]);
        bits[band] += each * widths[band] + more;
        rest -= more;
    }
    let mut allocation = Allocation {
        shape: bits,
        fine: [0; BANDS],
        later: [false; BANDS],
        balance: 0,
        coded,
        intensity,
        dual,
    };
    for (band, cap) in caps.iter().enumerate().take(coded) {
        allocation.split(frame, band, *cap);
    }
    for band in coded..end {
        let bits = &mut allocation.shape[band];
        allocation.fine[band] = *bits >> (channels - 1) >> 3;
        allocation.later[band] = allocation.fine[band] < 1;
        *bits = 0;
    }
    allocation
}

fn tilted(bits: i32, tilt: i32) -> i32 {
    if bits > 0 { (bits + tilt).max(0) } else { 0 }
}

impl Allocation {
    /// Splits what a band gets between its amplitude and its shape. What it cannot use is left for the next.
    fn split(&mut self, frame: &Frame, band: usize, cap: i32) {
        let (channels, lines) = (frame.channels as i32, frame.lines(band) as i32);
        let bits = self.shape[band] + self.balance;
        let (mut excess, mut fine, mut later, shape);
        if lines > 1 {
            excess = (bits - cap).max(0);
            let given = bits - excess;
            // An angle between two channels is one number more.
            let angle = channels == 2 && lines > 2 && !self.dual && band < self.intensity;
            let numbers = channels * lines + i32::from(angle);
            let log = numbers * (LOG_WIDTHS[band] + 8 * frame.size as i32);
            let mut offset = (log >> 1) - numbers * FINE_OFFSET;
            if lines == 2 {
                offset += numbers * BIT / 4;
            }
            if given + offset < numbers * 2 * BIT {
                offset += log >> 2;
            } else if given + offset < numbers * 3 * BIT {
                offset += log >> 3;
            }
            fine = (given + offset + numbers * BIT / 2).max(0) / numbers / BIT;
            if channels * fine > given >> 3 {
                fine = given >> (channels - 1) >> 3;
            }
            fine = fine.min(MAX_FINE);
            later = fine * numbers * BIT >= given + offset;
            shape = given - channels * fine * BIT;
        } else {
            excess = (bits - channels * BIT).max(0);
            shape = bits - excess;
            (fine, later) = (0, true);
        }
        if excess > 0 {
            let more = (excess >> (channels + 2)).min(MAX_FINE - fine);
            fine += more;
            let used = more * channels * BIT;
            later = used >= excess - self.balance;
            excess -= used;
        }
        (self.shape[band], self.fine[band], self.later[band], self.balance) = (shape, fine, later, excess);
    }
}
