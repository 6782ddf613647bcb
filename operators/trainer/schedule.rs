//! The learning rate over time.

use std::f64::consts::PI;

/// The learning rate of step `step` (from 0) of `total`: linear from `base`/`warmup_steps` to `base`, then half
/// a cosine from `base` to 0, which it reaches at `total` (Loshchilov and Hutter 2017, arXiv 1608.03983).
pub fn learning_rate(base: f64, step: usize, total: usize, warmup_steps: usize) -> f64 {
    if step < warmup_steps {
        return base * (step + 1) as f64 / warmup_steps as f64;
    }
    if step >= total {
        return 0.0;
    }
    let progress = (step - warmup_steps) as f64 / (total - warmup_steps) as f64;
    base * 0.5 * (1.0 + (PI * progress).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-12, "{left} {right}");
    }

    #[test]
    fn warms_up_in_equal_steps() {
        for step in 0..4 {
            assert_close(learning_rate(0.2, step, 100, 4), 0.05 * (step + 1) as f64);
        }
    }

    #[test]
    fn falls_along_half_a_cosine() {
        assert_close(learning_rate(0.2, 4, 104, 4), 0.2);
        assert_close(learning_rate(0.2, 29, 104, 4), 0.1 * (1.0 + 0.5f64.sqrt()));
        assert_close(learning_rate(0.2, 54, 104, 4), 0.1);
        assert_close(learning_rate(0.2, 104, 104, 4), 0.0);
    }

    #[test]
    fn never_rises_after_the_warm_up() {
        let rates: Vec<f64> = (4..104).map(|step| learning_rate(0.2, step, 104, 4)).collect();
        assert!(rates.windows(2).all(|pair| pair[0] > pair[1]));
        assert!(rates.iter().all(|rate| *rate > 0.0));
    }

    #[test]
    fn edges_are_finite() {
        assert_close(learning_rate(0.2, 0, 10, 0), 0.2);
        assert_close(learning_rate(0.2, 0, 0, 0), 0.0);
        assert_close(learning_rate(0.2, 12, 10, 4), 0.0);
        assert_close(learning_rate(0.2, 5, 6, 10), 0.12);
    }
}
