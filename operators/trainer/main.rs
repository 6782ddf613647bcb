//! The worker program: the only place that names burn, tch and libtorch.
//!
//! It reads one job as JSON from standard input, says how it goes as lines of JSON on standard
//! output, and leaves the result in the job's output folder. `etude` starts it; `--doctor` tells
//! which libtorch it has.

mod bench;
mod checkpoint;
mod data;
mod device;
mod doctor;
mod embed;
mod encoder;
mod error;
#[cfg(test)]
mod golden;
mod head;
mod hear;
mod layer;
mod memory;
mod mix;
mod model;
mod objective;
mod optimizer;
mod parameters;
mod pass;
mod rebuild;
mod say;
mod schedule;
mod scope;
mod state;
mod torch;
mod train;
mod watch;

use std::io::BufRead;
use std::process::ExitCode;

use etude_learning::worker::Say;
use etude_pipeline::operator::{ChainReport, DatasetJob};

use crate::error::Error;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--doctor") {
        println!("{}", doctor::report());
        return ExitCode::SUCCESS;
    }
    if std::env::args().nth(1).as_deref() == Some("--bench") {
        let job = std::io::read_to_string(std::io::stdin()).map_err(Error::from);
        return match job.and_then(|job| bench::run(&job)) {
            Ok(times) => {
                println!("{times}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    // libtorch's errors arrive as panics.
    let done = std::panic::catch_unwind(work)
        .unwrap_or_else(|panic| Err(Error::Torch(etude_pipeline::run::describe(panic.as_ref()))));
    match done {
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
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let job: DatasetJob = serde_json::from_str(&line)?;
    hear::listen();
    device::set_threads(job.threads);
    match job.operator.as_str() {
        "train" => train::run(&job),
        "embed" => embed::run(&job),
        other => Err(Error::Input(format!("operator {other} does not run in the worker"))),
    }
}
