//! Fourier transforms of real signals, planned once a thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

type Plans = (Arc<dyn RealToComplex<f32>>, Arc<dyn ComplexToReal<f32>>);

thread_local!(static PLANS: RefCell<HashMap<usize, Plans>> = RefCell::default());

/// Does something with the transforms of so many samples, there and back. Together they scale by that number.
pub fn real<T>(size: usize, work: impl FnOnce(&dyn RealToComplex<f32>, &dyn ComplexToReal<f32>) -> T) -> T {
    let (forward, inverse) = PLANS.with_borrow_mut(|plans| {
        let plan = || {
            let mut planner = RealFftPlanner::new();
            (planner.plan_fft_forward(size), planner.plan_fft_inverse(size))
        };
        plans.entry(size).or_insert_with(plan).clone()
    });
    work(forward.as_ref(), inverse.as_ref())
}
