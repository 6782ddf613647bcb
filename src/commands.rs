//! The commands.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::CommandFactory;
use etude_learning::TABLE;
use etude_pipeline::event::{Event, Reporter, Status};
use etude_pipeline::operator::Body;
use etude_pipeline::run::{Again, BLOCK, Engine, Extent, Options};
use etude_pipeline::spec;
use etude_pipeline::store::Store;
use etude_pipeline::{Error, Runtime, Size};
use tokio_util::sync::CancellationToken;

use crate::cli::{self, Cli, Command, Limits, Source, Threads};
use crate::report::Report;
use crate::{doctor, graph, history, inspect, keep, plan, reference};

/// Runs a command; gives the exit code.
pub fn run(cli: Cli) -> Result<ExitCode, Error> {
    let done = |result: Result<(), Error>| result.map(|()| ExitCode::SUCCESS);
    match cli.command {
        Command::Run { source, store, limits, until, force, json } => {
            let again = force.into_iter().map(|stage| (stage, Again::Everything)).collect();
            done(run_pipeline(&source, &store, &limits, json, |options| Options { until, again, ..options }))
        }
        Command::Retry { source, stage, store, limits, json } => {
            let stages = match stage {
                Some(stage) => {
                    let spec = read(&source)?;
                    if let Body::Dataset(_) = spec.stages[spec.find(&stage)?].operator.body() {
                        return Err(Error::stage(&stage, "takes everything at once: it has no rejects"));
                    }
                    vec![stage]
                }
                None => read(&source)?.stages.into_iter().map(|stage| stage.name).collect(),
            };
            let again = stages.into_iter().map(|stage| (stage, Again::Rejected)).collect();
            done(run_pipeline(&source, &store, &limits, json, |options| Options { again, ..options }))
        }
        Command::Check { source } => {
            let checked = read(&source)?;
            etude_pipeline::run::check(&checked)?;
            eprintln!("{}: {} stages, no errors", source.file.display(), checked.stages.len());
            Ok(ExitCode::SUCCESS)
        }
        Command::Plan { source, store, threads, until, json, detailed_exitcode } => {
            let options = Options { threads: number_of(&threads), until, ..options(None) };
            let planned = looking(&store, options)?.plan(&read(&source)?)?;
            print(&plan::render(&planned, json)?);
            let due = planned.iter().any(|stage| stage.action != Status::Reused);
            Ok(if detailed_exitcode && due { ExitCode::from(2) } else { ExitCode::SUCCESS })
        }
        Command::Why { source, stage, item, store, threads } => {
            let options = Options { threads: number_of(&threads), ..options(None) };
            let lines = looking(&store, options)?.causes(&read(&source)?, &stage, item.as_deref())?;
            print(&lines.iter().map(|line| format!("{line}\n")).collect::<String>());
            Ok(ExitCode::SUCCESS)
        }
        Command::Status { source, store, threads, json } => {
            let options = Options { threads: number_of(&threads), ..options(None) };
            print(&history::status(&looking(&store, options)?, &read(&source)?, json)?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Log { store, last, json } => {
            print(&history::log(&there(&store)?, last, json)?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Gc { store, apply, keep, json } => {
            let opened = open(&store)?;
            if !opened.is_there()? {
                eprintln!("there is no store at {}", store.url);
            }
            let found = opened.gc(keep.into(), apply)?;
            for record in &found.unreadable {
                eprintln!(
                    "{record} is damaged, so all results are kept: `etude verify FILE --repair` removes it"
                );
            }
            print(&keep::garbage(&found.garbage, apply, json)?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Verify { file, settings, store, limits, repair, json } => {
            there(&store)?;
            let verified = looking(&store, options(Some(&limits)))?.verify(repair)?;
            print(&keep::verified(&verified, repair, json)?);
            match file {
                Some(file) if repair => {
                    let source = Source { file, settings };
                    done(run_pipeline(&source, &store, &limits, false, |options| options))
                }
                _ if verified.damaged.is_empty() => Ok(ExitCode::SUCCESS),
                _ => Err(Error::Other(format!(
                    "{}; `etude verify FILE --repair` removes what is damaged and computes what FILE needs of it",
                    keep::damaged(&verified)
                ))),
            }
        }
        Command::Path { source, stage, store } => {
            let paths = looking(&store, options(None))?.paths(&read(&source)?, &stage)?;
            print(&paths.iter().map(|path| format!("{}\n", path.display())).collect::<String>());
            Ok(ExitCode::SUCCESS)
        }
        Command::Inspect { source, stage, item, store, threads, output, limit, seconds, epoch } => {
            let options = Options { threads: number_of(&threads), ..options(None) };
            let path = output.unwrap_or_else(|| format!("{stage}.html").into());
            let extent = Extent { epoch, signals: limit.into(), seconds };
            let engine = looking(&store, options)?;
            inspect::inspect(&engine, &read(&source)?, &stage, item.as_deref(), extent, &path)?;
            eprintln!("{} shows `{stage}`: open it in a browser", path.display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Graph { source, format } => {
            print(&graph::draw(&read(&source)?, format));
            Ok(ExitCode::SUCCESS)
        }
        Command::Ops { name, markdown } => {
            print(&reference::render(name.as_deref(), markdown)?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Schema => {
            print(&(serde_json::to_string_pretty(&TABLE.file_schema())? + "\n"));
            Ok(ExitCode::SUCCESS)
        }
        Command::Doctor { json } => {
            print(&doctor::report(json)?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "etude", &mut text);
            print(&String::from_utf8_lossy(&text));
            Ok(ExitCode::SUCCESS)
        }
        Command::DecodeHelper => done(
            etude_audio::decode::isolate::serve()
                .map_err(|error| Error::Other(format!("the decode helper: {error}"))),
        ),
    }
}

fn open(store: &cli::Store) -> Result<Store, Error> {
    Ok(Store::open(&store.url)?.telling(|message| eprintln!("{message}")))
}

/// A store that has something.
fn there(store: &cli::Store) -> Result<Store, Error> {
    let opened = open(store)?;
    match opened.is_there()? {
        true => Ok(opened),
        false => Err(Error::Other(format!("there is no store at {}", store.url))),
    }
}

/// An engine that only looks.
fn looking(store: &cli::Store, options: Options) -> Result<Engine, Error> {
    engine(store, options, Arc::new(|_| {}), CancellationToken::new())
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
        max_rejects: limits.and_then(|limits| limits.max_rejects).unwrap_or_default(),
        block: limits.map_or(BLOCK, |limits| limits.block),
        again: BTreeMap::new(),
        until: None,
    }
}

/// What the pipeline file says where the command line does not.
fn with_runtime(limits: &Limits, runtime: &Runtime) -> Limits {
    Limits {
        threads: Threads { number: limits.threads.number.or(runtime.threads) },
        memory: limits.memory.or(runtime.memory),
        max_rejects: limits.max_rejects.or(runtime.max_rejects),
        ..*limits
    }
}

fn engine(
    store: &cli::Store,
    options: Options,
    reporter: Reporter,
    cancel: CancellationToken,
) -> Result<Engine, Error> {
    Ok(Engine { table: TABLE, store: open(store)?, options, reporter, cancel })
}

fn run_pipeline(
    source: &Source,
    store: &cli::Store,
    limits: &Limits,
    json: bool,
    with: impl FnOnce(Options) -> Options,
) -> Result<(), Error> {
    let report = Arc::new(Report::new(json));
    let result = read(source).and_then(|spec| {
        let cancel = CancellationToken::new();
        let to = report.clone();
        let reporter = Arc::new(move |event| to.event(event));
        let options = with(options(Some(&with_runtime(limits, &spec.runtime))));
        // A stage that is not there is a mistake; nothing is run before that is known.
        for stage in options.again.keys() {
            let found = &spec.stages[spec.find(stage)?];
            if matches!(found.operator.body(), Body::Scan(_)) && options.again[stage] == Again::Everything {
                return Err(Error::stage(
                    stage,
                    "lists items each time: there is nothing of it to be computed again",
                ));
            }
        }
        let engine = engine(store, options, reporter, cancel.clone())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Error::Other(format!("cannot start the runtime: {error}")))?;
        runtime.block_on(async {
            #[cfg(unix)]
            let _told = too_large();
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

/// Has a file that would exceed the limit of its size be an error, told like a full disk, instead of an end.
#[cfg(unix)]
fn too_large() -> std::io::Result<tokio::signal::unix::Signal> {
    const SIGXFSZ: i32 = 25;
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(SIGXFSZ))
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
