//! The fixed predictors: differences of order 0 to 4.

/// The highest order.
pub const ORDERS: usize = 5;

/// The sums of the magnitudes of the differences of each order, from the fourth sample on.
pub fn sums(samples: &[i32]) -> [u64; ORDERS] {
    let mut total = [0; ORDERS];
    // In 64 steps a lane of 26 bits cannot overflow.
    for chunk in (4..samples.len()).step_by(64 * 4) {
        let end = samples.len().min(chunk + 64 * 4);
        let mut lanes = [[0u32; 4]; ORDERS];
        let mut at = chunk;
        while at + 4 <= end {
            let window: &[i32] = &samples[at - 4..at + 4];
            for lane in 0..4 {
                for (order, lanes) in lanes.iter_mut().enumerate() {
                    lanes[lane] =
                        lanes[lane].wrapping_add(difference(window, lane + 4, order).unsigned_abs());
                }
            }
            at += 4;
        }
        for (order, lanes) in lanes.iter().enumerate() {
            total[order] += lanes.iter().copied().map(u64::from).sum::<u64>();
        }
        for at in at..end {
            for (order, total) in total.iter_mut().enumerate() {
                *total += u64::from(difference(samples, at, order).unsigned_abs());
            }
        }
    }
    total
}

/// The difference of an order at a place. Samples have at most 25 bits, so nothing overflows.
#[inline(always)]
fn difference(samples: &[i32], at: usize, order: usize) -> i32 {
    let back = |places: usize| samples[at - places];
    match order {
        0 => back(0),
        1 => back(0) - back(1),
        2 => back(0) - 2 * back(1) + back(2),
        3 => back(0) - 3 * (back(1) - back(2)) - back(3),
        _ => back(0) - 4 * (back(1) + back(3)) + 6 * back(2) + back(4),
    }
}

/// What an order does not predict, folded; zero for the first samples.
pub fn residual(samples: &[i32], order: usize, folded: &mut [u32]) {
    folded[..order].fill(0);
    let n = samples.len();
    macro_rules! each {
        ($order:literal) => {{
            for (to, window) in folded[$order..n].iter_mut().zip(samples.windows($order + 1)) {
                *to = fold(difference(window, $order, $order));
            }
        }};
    }
    match order {
        0 => each!(0),
        1 => each!(1),
        2 => each!(2),
        3 => each!(3),
        _ => each!(4),
    }
}

/// 0, −1, 1, −2 … as 0, 1, 2, 3 …
#[inline(always)]
pub fn fold(residual: i32) -> u32 {
    (residual << 1 ^ residual >> 31) as u32
}
