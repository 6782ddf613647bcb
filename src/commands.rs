//! The commands.

use std::path::Path;
use std::sync::Arc;

use clap::CommandFactory;
use etude_learning::TABLE;
use etude_pipeline::Error;
use etude_pipeline::event::{Event, Status};
use etude_pipeline::run::{BLOCK, Engine, MaxRejects, Options};
use etude_pipeline::spec;
use etude_pipeline::store::Store;
use tokio_util::sync::CancellationToken;

use crate::cli::{Cli, Command, Limits, Pipeline};
use crate::report::Report;
use crate::size::Size;
use crate::{doctor, graph, reference};

/// Why a command failed.
pub enum Failure {
    /// It has been said already.
    Reported,
    Error(Error),
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// Runs a command.
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Run { pipeline, limits } => run_pipeline(&pipeline, &limits),
        Command::Check { pipeline } => {
            let checked = read(&pipeline)?;
            etude_pipeline::run::check(&checked)?;
            eprintln!("{}: {} stages, no errors", pipeline.file.display(), checked.stages.len());
            Ok(())
        }
        Command::Plan { pipeline, limits } => plan(&pipeline, &limits),
        Command::Path { pipeline, stage } => {
            let engine = engine(&pipeline, None, Arc::new(|_| {}), CancellationToken::new())?;
            for path in engine.paths(&read(&pipeline)?, &stage)? {
                println!("{}", path.display());
            }
            Ok(())
        }
        Command::Graph { pipeline, format } => {
            print!("{}", graph::draw(&read(&pipeline)?, format));
            Ok(())
        }
        Command::Ops { name, markdown } => {
            print!("{}", reference::render(name.as_deref(), markdown)?);
            Ok(())
        }
        Command::Schema => {
            println!("{}", serde_json::to_string_pretty(&TABLE.file_schema())?);
            Ok(())
        }
        Command::Doctor { json } => doctor::doctor(json).map_err(Failure::from),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "etude", &mut std::io::stdout());
            Ok(())
        }
    }
}

fn read(pipeline: &Pipeline) -> Result<spec::Pipeline, Error> {
    let path: &Path = &pipeline.file;
    let text = std::fs::read_to_string(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    spec::Pipeline::parse(&path.to_string_lossy(), &text, &pipeline.settings, &TABLE)
}

fn engine(
    pipeline: &Pipeline,
    limits: Option<&Limits>,
    reporter: etude_pipeline::event::Reporter,
    cancel: CancellationToken,
) -> Result<Engine, Error> {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let options = Options {
        threads: limits.and_then(|limits| limits.threads).map_or_else(cores, usize::from),
        memory: limits.and_then(|limits| limits.memory).unwrap_or_else(Size::of_machine).0,
        max_rejects: limits.map_or(MaxRejects::default(), |limits| limits.max_rejects),
        block: limits.map_or(BLOCK, |limits| limits.block),
    };
    Ok(Engine { table: TABLE, store: Store::open(&pipeline.store)?, options, reporter, cancel })
}

fn plan(pipeline: &Pipeline, limits: &Limits) -> Result<(), Failure> {
    let spec = read(pipeline)?;
    let engine = engine(pipeline, Some(limits), Arc::new(|_| {}), CancellationToken::new())?;
    let planned = engine.plan(&spec)?;
    if pipeline.json {
        for stage in &planned {
            println!("{}", serde_json::to_string(stage)?);
        }
        return Ok(());
    }
    let width = planned.iter().map(|stage| stage.stage.len()).max().unwrap_or(0);
    let operators = planned.iter().map(|stage| stage.operator.len()).max().unwrap_or(0);
    for stage in &planned {
        let action = match stage.action {
            Status::Computed => "compute",
            Status::Partial => "partial",
            Status::Reused => "reuse",
        };
        let line = format!(
            "{:width$}  {:operators$}  {action:7}  {}",
            stage.stage,
            stage.operator,
            stage.why.join("; ")
        );
        println!("{}", line.trim_end());
    }
    Ok(())
}

fn run_pipeline(pipeline: &Pipeline, limits: &Limits) -> Result<(), Failure> {
    let report = Arc::new(Report::new(pipeline.json));
    let result = read(pipeline).and_then(|spec| {
        let cancel = CancellationToken::new();
        let to = report.clone();
        let engine = engine(pipeline, Some(limits), Arc::new(move |event| to.event(event)), cancel.clone())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Error::Other(format!("cannot start the runtime: {error}")))?;
        runtime.block_on(async {
            let stopping = report.clone();
            tokio::spawn(async move {
                if tokio::signal::ctrl_c().await.is_ok() {
                    stopping.line("stopping; once more to stop at once");
                    cancel.cancel();
                }
                if tokio::signal::ctrl_c().await.is_ok() {
                    std::process::exit(130);
                }
            });
            engine.run(&spec).await
        })
    });
    report.close();
    match result {
        Ok(outcome) => {
            report.finished(outcome.stages);
            Ok(())
        }
        Err(error) if pipeline.json && !matches!(error, Error::Cancelled) => {
            eprintln!("error: {error}");
            report.event(Event::Failed { message: error.to_string() });
            Err(Failure::Reported)
        }
        Err(error) => Err(error.into()),
    }
}
