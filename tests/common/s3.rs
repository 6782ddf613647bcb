//! A server that speaks S3, and what goes wrong between it and a program.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A server that speaks S3, with one bucket.
pub struct Server {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pub endpoint: String,
}

impl Server {
    /// None where moto is not installed.
    pub fn start(bucket: &str) -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/s3.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(bucket).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let mut server = Self { process, input, output: BufReader::new(output), endpoint: String::new() };
        let line = server.line();
        if line.starts_with("skip") {
            return None;
        }
        server.endpoint = line;
        Some(server)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Puts a file into the bucket; gives the number of objects or parts of them that were got so far.
    pub fn put(&mut self, key: &str, path: &Path) -> u64 {
        writeln!(self.input, "{key}\t{}", path.display()).unwrap();
        self.line().parse().unwrap()
    }

    pub fn delete(&mut self, key: &str) -> u64 {
        self.put(key, Path::new(""))
    }

    /// What tells a program where the server is.
    pub fn environment(&self) -> impl Fn(&mut Command) + use<> {
        let endpoint = self.endpoint.clone();
        move |command| point(command, &endpoint)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Tells a program where a server is: for s3:// and, since Google's answer in the same way, for gs://.
pub fn point(command: &mut Command, endpoint: &str) {
    let google = format!(
        r#"{{"gcs_base_url": "{endpoint}", "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}}"#
    );
    command.env("GOOGLE_SERVICE_ACCOUNT_KEY", google).env("GOOGLE_ALLOW_HTTP", "true");
    command.envs([
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("NO_PROXY", "127.0.0.1"),
        ("no_proxy", "127.0.0.1"),
    ]);
}

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It is lost.
    Request,
    /// It is done, and the answer is lost.
    Answer,
    /// It is not done: the server is busy.
    Busy,
    /// It is done, and the server says that it failed.
    Denied,
}

/// Stands between a program and a server. Of each request its number and first line are shown to `judge`.
pub fn between(server: &str, judge: impl Fn(u64, &str) -> Option<Wrong> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = server.trim_start_matches("http://").to_owned();
    let (judge, count) = (Arc::new(judge), Arc::new(AtomicU64::new(0)));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (server, judge, count) = (server.clone(), judge.clone(), count.clone());
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let _ =
                    exchange(&mut stream, &server, |line| judge(count.fetch_add(1, Ordering::Relaxed), line));
            });
        }
    });
    format!("http://{address}")
}

/// One request and its answer; both ends of moto's server close after each.
fn exchange(
    client: &mut TcpStream,
    server: &str,
    judge: impl Fn(&str) -> Option<Wrong>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (mut head, mut length, mut waits) = (String::new(), 0, false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        waits |= lower.starts_with("expect:");
        if line == "\r\n" {
            break;
        }
        head += &line;
    }
    assert!(!waits, "a request that waits for leave to go on");
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let wrong = judge(head.lines().next().unwrap());
    let busy = "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    match wrong {
        Some(Wrong::Request) => return Ok(()),
        Some(Wrong::Busy) => return client.write_all(busy.as_bytes()),
        _ => {}
    }
    let mut to = TcpStream::connect(server)?;
    to.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
    to.write_all(&body)?;
    let mut answer = Vec::new();
    to.read_to_end(&mut answer)?;
    match wrong {
        Some(Wrong::Answer) => Ok(()),
        Some(Wrong::Denied) => client.write_all(busy.as_bytes()),
        _ => client.write_all(&answer),
    }
}
