use std::time::{Duration, Instant};

use etude_pipeline::flow::Sampling;

use super::setting::Setting;
use crate::data::Loaded;
use crate::say;
use crate::watch::Metrics;

/// The share of time spent waiting for data from which on data is the limit.
const WAITED: f64 = 0.1;

/// From one line to the next.
const EVERY: Duration = Duration::from_secs(10);

/// What is told while it goes on.
pub struct Live {
    first: u64,
    begin: Instant,
    waited: Duration,
    /// What threads were at batches, and of that in which stage, in seconds.
    data: f64,
    stages: Vec<f64>,
    told: Instant,
    saved: Instant,
}

impl Live {
    /// Begins to count after `first` steps.
    pub fn new(first: u64) -> Self {
        let now = Instant::now();
        Self {
            first,
            begin: now,
            waited: Duration::ZERO,
            data: 0.0,
            stages: Vec::new(),
            told: now,
            saved: now,
        }
    }

    /// Does what has to be waited for.
    pub fn waiting<T>(&mut self, wait: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let result = wait();
        self.waited += begin.elapsed();
        result
    }

    /// Counts what a batch took to be made.
    pub fn loaded(&mut self, loaded: &Loaded) {
        self.data += loaded.seconds;
        self.stages.resize(loaded.report.seconds.len(), 0.0);
        self.stages.iter_mut().zip(&loaded.report.seconds).for_each(|(sum, seconds)| *sum += seconds);
    }

    /// Tells that a step was taken.
    pub fn step(&mut self, setting: &Setting, steps: u64, metrics: &Metrics) {
        let batch = setting.plan.clips as u64 * setting.accumulate();
        let Sampling { rate, hop, .. } = setting.plan.sampling;
        let frames = setting.plan.frames as f64 * setting.plan.views as f64;
        let clip = frames * f64::from(hop) / f64::from(rate.max(1));
        let usize = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        say::progress(usize(steps), usize(setting.total), (steps * batch) as f64 * clip);
        if self.told.elapsed() < EVERY {
            return;
        }
        self.told = Instant::now();
        let seconds = self.begin.elapsed().as_secs_f64();
        let taken = (steps - self.first) as f64;
        let examples = taken * batch as f64 / seconds;
        let left = (setting.total - steps) as f64 * seconds / taken.max(1.0);
        let waited = self.waited.as_secs_f64() / seconds;
        let Some(row) = metrics.last() else { return };
        let value = |name: &str| row.values.get(name).copied().unwrap_or(f64::NAN);
        say::message(
            format!(
                "step {steps} of {}: loss {:.4}, learning rate {:.2e}, {examples:.0} clips a second, waiting for data \
                 {:.0} % of the time, {} left",
                setting.total,
                value("loss"),
                value("learning_rate"),
                waited * 100.0,
                time(left),
            ),
            &[
                ("step", steps as f64),
                ("loss", value("loss")),
                ("learning_rate", value("learning_rate")),
                ("examples_per_second", examples),
                ("waited", waited),
                ("seconds_left", left),
            ],
        );
    }

    /// Whether the state is to be kept; counts from now on if so.
    pub fn save_is_due(&mut self, every: Duration) -> bool {
        let due = self.saved.elapsed() >= every;
        if due {
            self.saved = Instant::now();
        }
        due
    }

    /// Tells what was waited for, and what the data path took.
    pub fn end(&self, setting: &Setting) {
        let seconds = self.begin.elapsed().as_secs_f64().max(f64::EPSILON);
        let waited = self.waited.as_secs_f64() / seconds;
        let taken = (setting.total - self.first) * setting.plan.clips as u64 * setting.accumulate();
        let (rate, spent) = (taken as f64 / seconds, self.data / taken.max(1) as f64);
        say::message(
            format!(
                "waited for data {:.0} % of the time; {rate:.0} clips a second, making one took a thread {:.2} ms",
                waited * 100.0,
                spent * 1e3,
            ),
            &[("waited", waited), ("examples_per_second", rate), ("data_seconds_per_example", spent)],
        );
        if waited <= WAITED {
            return;
        }
        let reading = (self.data - self.stages.iter().sum::<f64>()).max(0.0);
        let named = setting.stages.iter().map(|stage| format!("`{stage}`")).zip(self.stages.iter().copied());
        let all = named.chain([("reading the shards".to_owned(), reading)]);
        if let Some((name, most)) = all.max_by(|a, b| a.1.total_cmp(&b.1)) {
            let share = most / self.data.max(f64::EPSILON) * 100.0;
            say::message(
                format!(
                    "data is the limit: {name} took {share:.0} % of the data path's time; what stands above the shards is \
                     done once, and more `--threads` do what stands below them sooner"
                ),
                &[],
            );
        }
    }
}

/// Seconds as people say them.
fn time(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 60.0 => format!("{seconds:.0} s"),
        seconds if seconds < 3600.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}
