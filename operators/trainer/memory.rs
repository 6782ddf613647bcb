//! Whether a model fits.

use crate::error::Error;
use crate::model::Model;
use crate::scope::Scope;
use crate::torch::{named, trained};
use crate::train::Setting;

/// An error where the weights, their gradients and the optimiser's state alone are more than the machine has left.
pub fn check(setting: &Setting) -> Result<(), Error> {
    if setting.device != tch::Device::Cpu {
        return Ok(());
    }
    let model =
        Model::new(&setting.train, setting.clips, setting.plan.sampling, setting.sides(), &Scope::hollow());
    let weights: usize = trained(&named(&model)).map(|(_, tensor)| tensor.numel() * 4).sum();
    // Weights, gradients, two tensors of the optimiser, and all but the gradients once more when the state is kept; so it
    // is with a teacher.
    let copies = if setting.train.objective.needs().teacher { 9 } else { 7 };
    let Some(available) = available() else { return Ok(()) };
    let needed = (weights * copies) as u64;
    if needed > available {
        let megabytes = |bytes: u64| bytes >> 20;
        return Err(Error::Input(format!(
            "the weights, their gradients, and the optimiser's state take {} MB, the machine has {} MB left: take a \
             smaller encoder",
            megabytes(needed),
            megabytes(available)
        )));
    }
    Ok(())
}

/// Bytes that the machine has left, where it tells.
fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}
