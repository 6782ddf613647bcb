//! Why a recording cannot be decoded.

use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};

use etude_pipeline::run::describe;
use symphonia::core::errors::Error;

/// Why a stream cannot go on.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// Reading failed; the content is not to blame.
    Io(String),
    /// The content is bad.
    Bad { class: &'static str, message: String },
}

/// The content is bad.
pub(super) fn bad(class: &'static str, message: impl Into<String>) -> Failure {
    Failure::Bad { class, message: message.into() }
}

/// A codec that is known but not decoded here.
pub(super) fn not_here(codec: &str) -> Failure {
    bad("codec", format!("{codec} cannot be decoded here"))
}

/// The content ends where more is needed.
pub(super) fn truncated() -> Failure {
    bad("truncated", "the file ends too early")
}

/// Lets a decoder work. A panic is a failure like others: where it happened is then known.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(bad("panic", describe(panic.as_ref()))))
}

/// What an error of reading means: the end of the file is a property of the content.
pub(super) fn reading(error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::UnexpectedEof => truncated(),
        ErrorKind::InvalidData | ErrorKind::InvalidInput => bad("format", error.to_string()),
        _ => Failure::Io(error.to_string()),
    }
}

/// What an error of symphonia means.
pub(super) fn failure(class: &'static str, error: Error) -> Failure {
    match error {
        Error::IoError(error) => match error.kind() {
            ErrorKind::UnexpectedEof => truncated(),
            // symphonia speaks of bad content in this way too.
            ErrorKind::Other | ErrorKind::InvalidData | ErrorKind::InvalidInput => {
                bad(class, error.to_string())
            }
            _ => Failure::Io(error.to_string()),
        },
        Error::Unsupported(what) => bad("unsupported", format!("not supported: {what}")),
        other => bad(class, other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure_with_its_message() {
        let none: [u8; 0] = [];
        let failed = guarded(|| Ok(none[std::hint::black_box(3)]));
        let Err(Failure::Bad { class: "panic", message }) = failed else { panic!("{failed:?}") };
        assert!(message.contains("out of bounds"), "{message}");
    }
}
