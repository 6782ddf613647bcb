//! The worker program: the only place that names burn, tch and libtorch.
//!
//! It reads one job as JSON from standard input, says how it goes as lines of JSON on standard
//! output, and leaves the result in the job's output folder. `etude` starts it; `--doctor` tells
//! which libtorch it has.

mod checkpoint;
mod clips;
mod device;
mod doctor;
mod embed;
mod encoder;
mod error;
#[cfg(test)]
mod golden;
mod head;
mod init;
mod layout;
mod metrics;
mod model;
mod objective;
mod optimizer;
mod parameters;
mod rebuild;
mod say;
mod schedule;
mod train;

use std::process::ExitCode;

use etude_learning::worker::Say;
use etude_pipeline::operator::{ChainReport, DatasetJob};

use crate::error::Error;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--doctor") {
        println!("{}", doctor::report());
        return ExitCode::SUCCESS;
    }
    match work() {
        Ok(report) => {
            say::say(&Say::Done { report });
            ExitCode::SUCCESS
        }
        Err(error) => {
            say::say(&Say::Failed { message: error.to_string() });
            ExitCode::FAILURE
        }
    }
}

fn work() -> Result<ChainReport, Error> {
    let job: DatasetJob = serde_json::from_reader(std::io::stdin().lock())?;
    device::set_threads(job.threads);
    match job.operator.as_str() {
        "train" => train::run(&job),
        "embed" => embed::run(&job),
        other => Err(Error::Input(format!("operator {other} does not run in the worker"))),
    }
}
