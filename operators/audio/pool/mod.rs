//! Summarises each clip as one vector.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use etude_pipeline::flow::{Block, Flow, Header};
use etude_pipeline::operator::{
    self, Body, Context, Declare, Inputs, Invalid, Operator, Port, Read, Scope, SinkRows, Step, Stop, Storage,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Expect;
use crate::vectors;

/// Summarises each signal over time as one vector, and keeps the table.
///
/// For every statistic in turn, the value of each channel. A signal without frames gives no row. A row has the item,
/// the start, the view, and what was drawn for it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// Which statistics, in which order.
    #[serde(default = "mean_and_std")]
    statistics: Vec<Statistic>,
}

/// A statistic over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Statistic {
    /// The mean.
    Mean,
    /// The standard deviation of the population.
    Std,
    /// The highest value.
    Max,
}

fn mean_and_std() -> Vec<Statistic> {
    vec![Statistic::Mean, Statistic::Std]
}

impl Declare for Pool {
    const NAME: &'static str = "pool";
    const VERSION: u32 = 2;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[crate::SIGNAL];
}

impl Operator for Pool {
    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless(!self.statistics.is_empty(), "statistics", "needs at least one")
    }

    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = crate::signal(inputs)?;
        let channels = signal.one_width()?;
        Ok(Flow::Table(vectors::schema(usize::from(channels) * self.statistics.len(), &signal.drawn)))
    }

    fn body(&self) -> Body {
        Body::Sink(Box::new(self.clone()))
    }
}

impl operator::Sink for Pool {
    fn schema(&self, output: &Flow) -> SchemaRef {
        match output {
            Flow::Table(schema) => schema.clone(),
            _ => vectors::schema(0, &[]),
        }
    }

    fn storage(&self) -> Storage {
        Storage { target: 256 << 20, row_pages: false }
    }

    fn rows(&self, _: Context) -> Box<dyn SinkRows> {
        Box::new(Rows {
            statistics: self.statistics.clone(),
            schema: None,
            header: None,
            frames: 0,
            sums: Vec::new(),
        })
    }

    fn reader(&self, _: Context) -> Option<Box<dyn Read>> {
        None
    }
}

/// Sum, sum of squares (about the first value, which keeps them small) and highest value.
#[derive(Clone, Copy)]
struct Sums {
    first: f64,
    sum: f64,
    squares: f64,
    max: f64,
}

struct Rows {
    statistics: Vec<Statistic>,
    schema: Option<SchemaRef>,
    header: Option<Header>,
    frames: u64,
    sums: Vec<Sums>,
}

impl SinkRows for Rows {
    fn begin(&mut self, header: &Header) -> Step {
        self.header = Some(header.clone());
        self.frames = 0;
        self.sums.clear();
        Ok(())
    }

    fn block(&mut self, block: &mut Block) -> Step {
        if block.frames() == 0 {
            return Ok(());
        }
        if self.sums.is_empty() {
            let start = |channel| {
                let first = f64::from(block.channel(channel)[0]);
                Sums { first, sum: 0.0, squares: 0.0, max: f64::NEG_INFINITY }
            };
            self.sums = (0..block.channels()).map(start).collect();
        }
        self.frames += block.frames() as u64;
        for (channel, sums) in self.sums.iter_mut().enumerate() {
            for value in block.channel(channel) {
                let value = f64::from(*value);
                let difference = value - sums.first;
                sums.sum += difference;
                sums.squares += difference * difference;
                sums.max = sums.max.max(value);
            }
        }
        Ok(())
    }

    fn end(&mut self, counters: &mut Vec<(&'static str, u64)>) -> Result<Option<RecordBatch>, Stop> {
        let Some(header) = self.header.take() else { return Ok(None) };
        if self.frames == 0 {
            counters.push(("without_frames", 1));
            return Ok(None);
        }
        let n = self.frames as f64;
        let mut values = Vec::with_capacity(self.sums.len() * self.statistics.len());
        for statistic in &self.statistics {
            values.extend(self.sums.iter().map(|sums| {
                let mean = sums.sum / n;
                (match statistic {
                    Statistic::Mean => sums.first + mean,
                    Statistic::Std => (sums.squares / n - mean * mean).max(0.0).sqrt(),
                    Statistic::Max => sums.max,
                }) as f32
            }));
        }
        let width = values.len();
        let schema = self.schema.get_or_insert_with(|| {
            let drawn: Vec<_> = header.drawn.iter().map(|(name, _)| name.clone()).collect();
            vectors::schema(width, &drawn)
        });
        let batch = vectors::batch(schema, &[&header], values, width);
        batch.map(Some).map_err(|error| Stop::Rejected {
            class: "table",
            offset: String::new(),
            message: error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, FixedSizeListArray};
    use arrow::datatypes::Float32Type;
    use serde_json::{Value, json};

    use super::*;
    use crate::harness::{operator, recording, wrong};

    /// The vector of two channels in blocks of one frame.
    fn pooled(parameters: Value) -> Vec<f32> {
        let Body::Sink(sink) = operator::<Pool>(parameters).body() else { panic!("it keeps rows") };
        let context = Context {
            seed: 0,
            stage: "test".into(),
            epoch: 0,
            block: 1,
            cancel: Default::default(),
            sides: Default::default(),
        };
        let mut rows = sink.rows(context);
        let (header, samples) = recording(&[vec![1.0, 2.0, 6.0], vec![-1.0, -1.0, -4.0]]);
        rows.begin(&header).unwrap();
        (0..3).for_each(|at| rows.block(&mut samples.slice(at, at + 1)).unwrap());
        let batch = rows.end(&mut Vec::new()).unwrap().unwrap();
        let vectors: &FixedSizeListArray = batch.column_by_name("vector").unwrap().as_fixed_size_list();
        vectors.values().as_primitive::<Float32Type>().values().to_vec()
    }

    #[test]
    fn statistics_stand_in_their_order() {
        let std = [(14.0f32 / 3.0).sqrt(), 2f32.sqrt()];
        let close = |parameters: Value, expected: &[f32]| {
            let found = pooled(parameters);
            let same = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6);
            assert!(found.len() == expected.len() && same, "{found:?} {expected:?}");
        };
        close(json!({}), &[3.0, -2.0, std[0], std[1]]);
        close(json!({"statistics": ["max", "mean"]}), &[6.0, -1.0, 3.0, -2.0]);
        close(json!({"statistics": ["std"]}), &std);
        assert_eq!(wrong(&operator::<Pool>(json!({"statistics": []}))), Some("statistics".into()));
    }
}
