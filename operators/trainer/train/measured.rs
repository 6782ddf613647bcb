use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use crate::error::Error;
use crate::watch::{Row, measure, projection_std};

/// Clips that a message names.
const NAMED: usize = 8;

/// The numbers of a step, on the device until they are read.
pub struct Measured {
    step: u64,
    epoch: u64,
    learning_rate: f64,
    values: Vec<(String, Tensor)>,
    /// The step's clips, and rows of its batches.
    pub names: Vec<String>,
    pub rows: usize,
}

impl Measured {
    pub fn new(step: u64, epoch: u64, learning_rate: f64) -> Self {
        Self { step, epoch, learning_rate, values: Vec::new(), names: Vec::new(), rows: 0 }
    }

    /// Adds a value to what was measured under that name.
    pub fn add(&mut self, name: &str, value: &Tensor) {
        let value = value.detach().to_kind(Kind::Float).reshape([1]);
        match self.values.iter_mut().find(|(known, _)| known == name) {
            Some((_, sum)) => *sum = &*sum + value,
            None => self.values.push((name.to_owned(), value)),
        }
    }

    /// Measures the vectors of a batch, of the last one of a step.
    pub fn watch(&mut self, vectors: &Tensor, projections: Option<&Tensor>, views: usize) {
        let projections = projections.map(|projections| ("projection_std", projection_std(projections)));
        for (name, value) in measure(vectors, views).into_iter().chain(projections) {
            self.values.retain(|(known, _)| known != name);
            self.values.push((name.to_owned(), value.reshape([1])));
        }
    }

    /// Waits for the device, once for all values.
    pub fn read(&self) -> Result<Row, Error> {
        let tensors: Vec<&Tensor> = self.values.iter().map(|(_, value)| value).collect();
        let all = Tensor::cat(&tensors, 0).to_device(tch::Device::Cpu).to_kind(Kind::Float);
        let numbers = Vec::<f32>::try_from(all).map_err(|error| Error::Numeric(error.to_string()))?;
        let names = self.values.iter().map(|(name, _)| name.clone());
        let mut values: BTreeMap<String, f64> = names.zip(numbers.into_iter().map(f64::from)).collect();
        values.insert("learning_rate".into(), self.learning_rate);
        Ok(Row { step: self.step, epoch: self.epoch, values })
    }

    /// Names the step's clips, the first of them.
    pub fn clips(&self) -> String {
        let shown = self.names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        match self.names.len().saturating_sub(NAMED) {
            0 => shown,
            more => format!("{shown} and {more} more"),
        }
    }
}
