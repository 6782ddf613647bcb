//! The commands.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use clap::CommandFactory;
use etude_learning::TABLE;
use etude_pipeline::Error;
use etude_pipeline::event::{Event, Reporter, Status};
use etude_pipeline::run::{BLOCK, Engine, MaxRejects, Options, Planned};
use etude_pipeline::spec;
use etude_pipeline::store::Store;
use tokio_util::sync::CancellationToken;

use crate::cli::{self, Cli, Command, Limits, Source, Threads};
use crate::report::Report;
use crate::size::Size;
use crate::{doctor, graph, reference};

/// Runs a command.
pub fn run(cli: Cli) -> Result<(), Error> {
    let silent = || Arc::new(|_| {}) as Reporter;
    match cli.command {
        Command::Run { source, store, limits, json } => run_pipeline(&source, &store, &limits, json),
        Command::Check { source } => {
            let checked = read(&source)?;
            etude_pipeline::run::check(&checked)?;
            eprintln!("{}: {} stages, no errors", source.file.display(), checked.stages.len());
            Ok(())
        }
        Command::Plan { source, store, threads, json } => {
            let options = Options { threads: number_of(&threads), ..options(None) };
            let engine = engine(&store, options, silent(), CancellationToken::new())?;
            plan(&engine.plan(&read(&source)?)?, json)
        }
        Command::Path { source, stage, store } => {
            let engine = engine(&store, options(None), silent(), CancellationToken::new())?;
            let paths = engine.paths(&read(&source)?, &stage)?;
            print(&paths.iter().map(|path| format!("{}\n", path.display())).collect::<String>());
            Ok(())
        }
        Command::Graph { source, format } => {
            print(&graph::draw(&read(&source)?, format));
            Ok(())
        }
        Command::Ops { name, markdown } => {
            print(&reference::render(name.as_deref(), markdown)?);
            Ok(())
        }
        Command::Schema => {
            print(&(serde_json::to_string_pretty(&TABLE.file_schema())? + "\n"));
            Ok(())
        }
        Command::Doctor { json } => {
            print(&doctor::report(json)?);
            Ok(())
        }
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "etude", &mut text);
            print(&String::from_utf8_lossy(&text));
            Ok(())
        }
        Command::DecodeHelper => etude_audio::decode::isolate::serve()
            .map_err(|error| Error::Other(format!("the decode helper: {error}"))),
    }
}

/// Prints a result. Where nobody reads on, there is nothing more to do.
pub fn print(text: &str) {
    let mut output = std::io::stdout().lock();
    if output.write_all(text.as_bytes()).and_then(|()| output.flush()).is_err() {
        std::process::exit(0);
    }
}

fn read(source: &Source) -> Result<spec::Pipeline, Error> {
    let path: &Path = &source.file;
    let text = std::fs::read_to_string(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    spec::Pipeline::parse(&path.to_string_lossy(), &text, &source.settings, &TABLE)
}

fn number_of(threads: &Threads) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    threads.number.map_or_else(cores, usize::from)
}

fn options(limits: Option<&Limits>) -> Options {
    Options {
        threads: limits.map_or(1, |limits| number_of(&limits.threads)),
        memory: limits.and_then(|limits| limits.memory).unwrap_or_else(Size::of_machine).0,
        max_rejects: limits.map_or(MaxRejects::default(), |limits| limits.max_rejects),
        block: limits.map_or(BLOCK, |limits| limits.block),
        again: BTreeMap::new(),
        until: None,
    }
}

fn engine(
    store: &cli::Store,
    options: Options,
    reporter: Reporter,
    cancel: CancellationToken,
) -> Result<Engine, Error> {
    Ok(Engine { table: TABLE, store: Store::open(&store.url)?, options, reporter, cancel })
}

fn plan(planned: &[Planned], json: bool) -> Result<(), Error> {
    let mut text = String::new();
    let width = planned.iter().map(|stage| stage.stage.len()).max().unwrap_or(0);
    let operators = planned.iter().map(|stage| stage.operator.len()).max().unwrap_or(0);
    for stage in planned {
        if json {
            text += &(serde_json::to_string(stage)? + "\n");
            continue;
        }
        let action = match stage.action {
            Status::Computed => "compute",
            Status::Partial => "partial",
            Status::Reused => "reuse",
        };
        let why = stage.why.join("; ");
        let line = format!("{:width$}  {:operators$}  {action:7}  {why}", stage.stage, stage.operator);
        text += line.trim_end();
        text.push('\n');
    }
    print(&text);
    Ok(())
}

fn run_pipeline(source: &Source, store: &cli::Store, limits: &Limits, json: bool) -> Result<(), Error> {
    let report = Arc::new(Report::new(json));
    let result = read(source).and_then(|spec| {
        let cancel = CancellationToken::new();
        let to = report.clone();
        let reporter = Arc::new(move |event| to.event(event));
        let engine = engine(store, options(Some(limits)), reporter, cancel.clone())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Error::Other(format!("cannot start the runtime: {error}")))?;
        runtime.block_on(async {
            tokio::spawn(stop_on_signal(report.clone(), cancel));
            engine.run(&spec).await
        })
    });
    report.close();
    match result {
        Ok(outcome) => {
            report.finished(outcome.stages);
            Ok(())
        }
        Err(error) => {
            if json {
                report.event(Event::Failed { message: error.to_string() });
            }
            Err(error)
        }
    }
}

/// The first interrupt ends the run cleanly, the second at once.
async fn stop_on_signal(report: Arc<Report>, cancel: CancellationToken) {
    interrupted().await;
    report.line("stopping; once more to stop at once");
    cancel.cancel();
    interrupted().await;
    std::process::exit(130);
}

/// Waits for Ctrl-C or a request to terminate.
async fn interrupted() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}
