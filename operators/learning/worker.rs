//! Starts the worker program and passes on what it says.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use etude_pipeline::Error;
use etude_pipeline::event::{Event, Reporter};
use etude_pipeline::operator::{ChainReport, Dataset, DatasetJob};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::shards::{Input, Shards};

/// The name of the program.
pub const PROGRAM: &str = "etude-trainer";

/// What the worker says, a line of JSON each.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum Say {
    /// A line for people, with the values in it.
    Message { text: String, values: BTreeMap<String, f64> },
    /// How far it has come.
    Progress { items: u64, total: u64, seconds: f64 },
    /// It needs shards that are elsewhere; it is told of each.
    Bring { shards: Vec<PathBuf> },
    /// It needs these no more for now.
    Release { shards: Vec<PathBuf> },
    /// It is done; the output is complete.
    Done { report: ChainReport },
    /// It cannot go on.
    Failed { message: String },
}

/// What the worker is told after its job, a line of JSON each.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tell {
    /// It is to keep its state and end.
    Stop,
    /// A shard is here, or why it cannot be.
    Shard { path: PathBuf, wrong: Option<String> },
}

/// A dataset operator that runs in the worker program.
pub struct Worker {
    /// Whether it can go on after its run was killed.
    pub resumes: bool,
    /// Whether it asks for shards when it needs them.
    pub asks: bool,
}

/// The worker program: named by `ETUDE_TRAINER`, beside this program, or on the PATH.
pub fn find() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("ETUDE_TRAINER") {
        return Some(PathBuf::from(path)).filter(|path| path.is_file());
    }
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(PROGRAM)));
    let on_path = std::env::var_os("PATH")
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).map(|folder| folder.join(PROGRAM)).collect::<Vec<_>>());
    beside.into_iter().chain(on_path).find(|path| path.is_file())
}

/// What is missing, and how to get it.
pub fn missing() -> String {
    let place = match std::env::var_os("ETUDE_TRAINER") {
        Some(path) => format!("at {}, which ETUDE_TRAINER names", PathBuf::from(path).display()),
        None => "beside this program or on the PATH".into(),
    };
    format!(
        "needs the program {PROGRAM}, which links libtorch and was not found {place}; \
         `make build` fetches a CPU libtorch and builds it (set LIBTORCH or LIBTORCH_USE_PYTORCH=1 to use one of \
         your own), and ETUDE_TRAINER names one elsewhere"
    )
}

/// The worker with the environment that libtorch needs before it loads.
pub fn command(path: &std::path::Path, threads: usize) -> Command {
    let mut command = Command::new(path);
    command
        // Waiting OpenMP threads must not spin: they take the cores from the data path.
        .env("OMP_WAIT_POLICY", "passive")
        .env("OMP_NUM_THREADS", threads.to_string())
        // Activations are freed and allocated every step: keep the pages instead of faulting them in again.
        .env("MALLOC_MMAP_MAX_", "0")
        .env("MALLOC_TRIM_THRESHOLD_", (1u64 << 40).to_string())
        .env("MALLOC_TOP_PAD_", (64u64 << 20).to_string());
    // An interrupt from the keyboard is for this program alone, which tells the worker to keep its state.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}

/// How long it may take to keep the state and end: the step that it is in, and writing.
const GRACE: Duration = Duration::from_secs(1800);

/// Ends the process when dropped, whatever happens.
struct Guard(Child);

impl Guard {
    /// Waits until it has ended, but not for ever.
    fn wait(&mut self, most: Duration) {
        let begin = Instant::now();
        while matches!(self.0.try_wait(), Ok(None)) && begin.elapsed() < most {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Dataset for Worker {
    fn resumes(&self) -> bool {
        self.resumes
    }

    fn asks(&self) -> bool {
        self.asks
    }

    fn run(
        &self,
        job: &DatasetJob,
        reporter: &Reporter,
        cancel: &CancellationToken,
    ) -> Result<ChainReport, Error> {
        let stage = &job.stage;
        let path = find().ok_or_else(|| Error::stage(stage, missing()))?;
        let failed = |error: std::io::Error| Error::stage(stage, format!("{}: {error}", path.display()));
        let mut child = command(&path, job.threads)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map(Guard)
            .map_err(failed)?;
        let (stdin, stdout, stderr) = (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take());
        // It stays open: the worker ends with this program, however that ends.
        let input = Input::new(stdin);
        input.line(job)?;
        let shards = Shards::begin(job, &input);
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            if let Some(mut stderr) = stderr {
                let _ = stderr.read_to_string(&mut text);
            }
            text
        });
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines()) {
                if line.map(|line| sender.send(line)).is_err() {
                    return;
                }
            }
        });
        loop {
            let said = lines.recv_timeout(Duration::from_millis(100));
            let done =
                matches!(&said, Ok(line) if matches!(serde_json::from_str(line), Ok(Say::Done { .. })));
            if cancel.is_cancelled() && !done {
                input.line(&Tell::Stop)?;
                if self.resumes && job.state.is_some() {
                    let text = "keeping the state; a second interrupt ends at once, without it".to_owned();
                    reporter(Event::Message { stage: stage.clone(), text, values: BTreeMap::new() });
                    child.wait(GRACE);
                }
                // It may have come to its end meanwhile.
                let told = said.into_iter().chain(lines.try_iter());
                return match told.filter_map(|line| serde_json::from_str(&line).ok()).last() {
                    Some(Say::Done { report }) => Ok(report),
                    _ => Err(Error::Cancelled),
                };
            }
            let line = match said {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => {
                    let status = child.0.wait().map_err(failed)?;
                    let text = errors.join().unwrap_or_default();
                    let tail: Vec<&str> = text.lines().rev().take(5).collect();
                    let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
                    let mut message = format!("{PROGRAM} ended early ({status}): {tail}");
                    if tail.contains("shared librar") {
                        message += "\nit was built against a libtorch that is not there any more: `make build` fetches one";
                    }
                    return Err(Error::stage(stage, message));
                }
            };
            match serde_json::from_str(&line) {
                Ok(Say::Message { text, values }) => {
                    reporter(Event::Message { stage: stage.clone(), text, values })
                }
                Ok(Say::Progress { items, total, seconds }) => {
                    reporter(Event::Progress { stage: stage.clone(), items, total, seconds });
                }
                Ok(Say::Bring { shards: asked }) => shards.bring(asked),
                Ok(Say::Release { shards: left }) => shards.release(&left),
                Ok(Say::Done { report }) => return Ok(report),
                Ok(Say::Failed { message }) => return Err(Error::stage(stage, message)),
                Err(_) => {
                    reporter(Event::Message { stage: stage.clone(), text: line, values: BTreeMap::new() })
                }
            }
        }
    }
}
