//! Why a recording cannot be decoded.

use std::io::{self, ErrorKind};

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
