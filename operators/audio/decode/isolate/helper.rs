//! The run's side: a helper process and what it says.

use std::ffi::OsStr;
use std::io::{self, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use etude_pipeline::operator::Stop;

use super::End;
use super::wire::{Frame, Request};

/// The name of the program, and of its hidden command.
const PROGRAM: &str = "etude";
const COMMAND: &str = "decode-helper";

/// Frames that may wait to be handed on: memory stays flat.
const WAITING: usize = 2;

/// What is looked at of what a helper that died wrote to standard error.
const LAST_WORDS: u64 = 4096;

/// A helper process. It is ended when dropped.
pub struct Helper {
    child: Child,
    stdin: ChildStdin,
    frames: Receiver<io::Result<Frame>>,
    /// Whether it has said that it is there.
    pub ready: bool,
    /// What it said that makes no sense.
    nonsense: Option<String>,
}

/// What a helper says within a while.
pub enum Next {
    Frame(Frame),
    Nothing,
    Ended,
}

impl Helper {
    /// Starts one.
    pub fn start() -> Result<Self, Stop> {
        let path = program().ok_or_else(|| Stop::Transient {
            message: format!(
                "`isolate: true` needs the program {PROGRAM}: it is looked for at ETUDE_DECODER, beside \
                 this program and on the PATH"
            ),
        })?;
        let failed = |error: io::Error| Stop::Transient { message: format!("{}: {error}", path.display()) };
        let mut command = Command::new(&path);
        command
            .arg(COMMAND)
            // Its memory is bounded by address space, of which glibc would take 64 MiB a thread, and jemalloc keeps
            // what it has had.
            .env("MALLOC_ARENA_MAX", "1")
            .env("_RJEM_MALLOC_CONF", "narenas:1,retain:false")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // An interrupt is the run's affair: it ends its helpers in its own time.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(failed)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Stop::Transient { message: "the decode helper has no pipes".into() });
        };
        let (sender, frames) = sync_channel(WAITING);
        let mut stdout = BufReader::with_capacity(1 << 16, stdout);
        let read = move || {
            while let Some(frame) = Frame::read(&mut stdout).transpose() {
                let last = frame.is_err();
                if sender.send(frame).is_err() || last {
                    return;
                }
            }
        };
        // It ends with the helper, whose end closes the pipe.
        let thread = std::thread::Builder::new().name("etude-decode-helper".into()).spawn(read);
        let helper = Self { child, stdin, frames, ready: false, nonsense: None };
        thread.map(|_| helper).map_err(failed)
    }

    /// Sends a request.
    pub fn ask(&mut self, request: &Request) -> io::Result<()> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        self.stdin.write_all(&line)
    }

    /// The next frame, if it comes within `patience`.
    pub fn next(&mut self, patience: Duration) -> Next {
        match self.frames.recv_timeout(patience) {
            Ok(Ok(frame)) => Next::Frame(frame),
            Ok(Err(error)) => {
                self.nonsense = Some(error.to_string());
                Next::Ended
            }
            Err(RecvTimeoutError::Timeout) => Next::Nothing,
            Err(RecvTimeoutError::Disconnected) => Next::Ended,
        }
    }

    /// What the end of a helper means: one that never began says nothing of the item.
    pub fn end(self) -> End {
        let ready = self.ready;
        match self.death() {
            message if ready => End::Lost(message),
            message => End::Stop(Stop::Transient { message: format!("`{PROGRAM} {COMMAND}`: {message}") }),
        }
    }

    /// Why a helper that has ended did so.
    fn death(mut self) -> String {
        if let Some(nonsense) = self.nonsense.take() {
            return nonsense;
        }
        let status = match self.child.wait() {
            Ok(status) => status,
            Err(error) => return error.to_string(),
        };
        let mut last = Vec::new();
        if let Some(stderr) = self.child.stderr.take() {
            // Without its last words the status has to do.
            let _ = stderr.take(LAST_WORDS).read_to_end(&mut last);
        }
        let last = String::from_utf8_lossy(&last);
        let said = last.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let status = describe(status);
        if said.is_empty() { status } else { format!("{status}: {said}") }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // One that has ended already is only collected.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program: named by `ETUDE_DECODER`, this one, one beside it, or one on the PATH.
fn program() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("ETUDE_DECODER") {
        return Some(PathBuf::from(path));
    }
    let name = format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX);
    let own = std::env::current_exe().ok();
    if own.as_deref().and_then(|own| own.file_name()) == Some(OsStr::new(&name)) {
        return own;
    }
    let beside = own.map(|own| own.with_file_name(&name));
    let on_path = std::env::var_os("PATH")
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).map(|folder| folder.join(&name)).collect::<Vec<_>>());
    beside.into_iter().chain(on_path).find(|path| path.is_file())
}

/// How a process ended, in words.
fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let name = match signal {
            4 => " (SIGILL)",
            6 => " (SIGABRT)",
            8 => " (SIGFPE)",
            9 => " (SIGKILL)",
            11 => " (SIGSEGV)",
            15 => " (SIGTERM)",
            _ => "",
        };
        return format!("the decoder was ended by signal {signal}{name}");
    }
    format!("the decoder ended with {status}")
}
