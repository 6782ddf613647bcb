//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use etude_pipeline::Size;
use etude_pipeline::run::{BLOCK, MaxRejects};

/// From a folder of recordings to a trained encoder: one YAML file, streamed, rerun incrementally.
#[derive(Debug, Parser)]
#[command(name = "etude", version, about, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compute what is not in the store.
    Run {
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        store: Store,
        #[command(flatten)]
        limits: Limits,
        /// End with this stage.
        #[arg(long, value_name = "STAGE")]
        until: Option<String>,
        /// Compute this stage again although it is there; may be repeated.
        #[arg(long, value_name = "STAGE")]
        force: Vec<String>,
        /// One JSON event a line on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Try again what was rejected.
    Retry {
        #[command(flatten)]
        source: Source,
        /// Only what this stage keeps; by default all stages.
        stage: Option<String>,
        #[command(flatten)]
        store: Store,
        #[command(flatten)]
        limits: Limits,
        /// One JSON event a line on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Check a pipeline file: names, types, ranges, the graph. Reads no audio.
    Check {
        #[command(flatten)]
        source: Source,
    },
    /// Say for each stage what a run would do, and why. Writes nothing.
    Plan {
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        store: Store,
        #[command(flatten)]
        threads: Threads,
        /// Up to this stage.
        #[arg(long, value_name = "STAGE")]
        until: Option<String>,
        /// One JSON object on one line.
        #[arg(long)]
        json: bool,
        /// Exit with 0 if there is nothing to do, 2 if there is something, 1 on an error.
        #[arg(long)]
        detailed_exitcode: bool,
    },
    /// Say why a stage, or one item of it, would be computed: the exact parameter, version or file.
    Why {
        #[command(flatten)]
        source: Source,
        /// The stage.
        stage: String,
        /// The item's key.
        item: Option<String>,
        #[command(flatten)]
        store: Store,
        #[command(flatten)]
        threads: Threads,
    },
    /// Say what the store holds of each stage.
    Status {
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        store: Store,
        #[command(flatten)]
        threads: Threads,
        /// One JSON object on one line.
        #[arg(long)]
        json: bool,
    },
    /// List past runs, the last first.
    Log {
        #[command(flatten)]
        store: Store,
        /// At most so many.
        #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
        last: usize,
        /// One JSON object a run and line.
        #[arg(long)]
        json: bool,
    },
    /// List what can be removed from the store, or remove it.
    Gc {
        #[command(flatten)]
        store: Store,
        /// Remove it.
        #[arg(long)]
        apply: bool,
        /// How many runs of each pipeline are kept with all they ended with.
        #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
        keep: u16,
        /// One JSON object a file and line.
        #[arg(long)]
        json: bool,
    },
    /// Compare everything in the store with its digest.
    Verify {
        /// The pipeline file that is run to repair.
        #[arg(required_if_eq("repair", "true"))]
        file: Option<PathBuf>,
        /// Replace the value of a variable; may be repeated.
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
        settings: Vec<(String, String)>,
        #[command(flatten)]
        store: Store,
        #[command(flatten)]
        limits: Limits,
        /// Remove what is damaged, and compute it again.
        #[arg(long)]
        repair: bool,
        /// One JSON object on one line.
        #[arg(long)]
        json: bool,
    },
    /// List the files that a stage's output consists of, one a line.
    Path {
        #[command(flatten)]
        source: Source,
        /// The stage.
        stage: String,
        #[command(flatten)]
        store: Store,
    },
    /// Show and play what a stage gives for an item: writes a page for a browser.
    Inspect {
        #[command(flatten)]
        source: Source,
        /// The stage.
        stage: String,
        /// The item's key; by default the first item.
        item: Option<String>,
        #[command(flatten)]
        store: Store,
        #[command(flatten)]
        threads: Threads,
        /// Where the page is written; by default STAGE.html in this folder.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Signals, or rows of a table, that are shown at most.
        #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
        limit: u16,
        /// Seconds of each signal that are shown at most.
        #[arg(long, value_name = "S", default_value_t = 60.0, value_parser = seconds)]
        seconds: f64,
        /// The epoch whose numbers are drawn below the shards.
        #[arg(long, value_name = "N", default_value_t = 0)]
        epoch: u64,
    },
    /// Draw the graph of stages.
    Graph {
        #[command(flatten)]
        source: Source,
        /// The language of the drawing.
        #[arg(long, value_enum, default_value_t = GraphFormat::Mermaid)]
        format: GraphFormat,
    },
    /// The operator reference: all operators, or one.
    Ops {
        /// The operator.
        name: Option<String>,
        /// As Markdown.
        #[arg(long)]
        markdown: bool,
    },
    /// Print the JSON Schema of pipeline files, for editors.
    Schema,
    /// Say which libtorch there is, with how many threads and which devices.
    Doctor {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print completions for a shell.
    Completions { shell: Shell },
    /// Decode for a run that asks on standard input (`isolate: true`).
    #[command(hide = true)]
    DecodeHelper,
}

#[derive(Debug, Args)]
pub struct Source {
    /// The pipeline file.
    pub file: PathBuf,
    /// Replace the value of a variable; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub struct Store {
    /// Where shards, snapshots and runs are kept: a folder, or s3://bucket/prefix (gs://, az://).
    #[arg(long = "store", value_name = "URL", default_value = ".etude")]
    pub url: String,
}

#[derive(Debug, Args)]
pub struct Threads {
    /// Threads; by default as many as the machine has cores.
    #[arg(long = "threads", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub number: Option<u16>,
}

/// What must not change results.
#[derive(Debug, Args)]
pub struct Limits {
    #[command(flatten)]
    pub threads: Threads,
    /// Memory for what is being worked on, such as 2GiB; by default a sixteenth of the machine's, at least 512MiB.
    #[arg(long)]
    pub memory: Option<Size>,
    /// How many items of a stage may be rejected: a share or a number; by default 10%.
    #[arg(long, value_name = "SHARE")]
    pub max_rejects: Option<MaxRejects>,
    /// Frames of a block of audio.
    #[arg(long, hide_short_help = true, default_value_t = BLOCK, value_parser = block)]
    pub block: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum GraphFormat {
    Mermaid,
    Dot,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.001..=600.0).contains(&seconds) => Ok(seconds),
        _ => Err("expected 0.001 to 600 seconds".into()),
    }
}

fn block(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(frames) if (16..=192_000).contains(&frames) => Ok(frames),
        _ => Err("expected 16 to 192000 frames".into()),
    }
}
