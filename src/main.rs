//! `etude`: a dataflow engine for audio pretraining.

mod cli;
mod commands;
mod doctor;
mod graph;
mod history;
mod inspect;
mod keep;
mod plan;
mod reference;
mod report;
mod table;

use std::process::ExitCode;

use clap::Parser;
use tikv_jemallocator::Jemalloc;

/// The system's allocator keeps what clips leave in pieces: the longer a recording, the more memory it would take.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    quiet_item_threads();
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => {
            let _ = told.print();
            // 2 says that there is something to do.
            return if told.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    match commands::run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            match error {
                etude_pipeline::Error::Cancelled => ExitCode::from(130),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// A panic of an operator becomes a reject with its message, one of a reader of damaged files an error: they need not be
/// printed as well.
fn quiet_item_threads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let item = std::thread::current().name().is_some_and(|name| name.starts_with("etude-item-"));
        if !item && !etude_pipeline::run::is_guarded() {
            usual(panic);
        }
    }));
}
