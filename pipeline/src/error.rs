//! What can end a run.

use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostic;

/// What can end a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The pipeline file is wrong, in one or several places.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nerror: "))]
    Pipeline(Vec<Diagnostic>),
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: std::io::Error },
    /// The store holds something that it should not.
    #[error("{}: {message}", .path.display())]
    Store { path: PathBuf, message: String },
    /// A stage failed.
    #[error("stage `{stage}`: {message}")]
    Stage { stage: String, message: String },
    /// An item failed for a reason that may pass; nothing of it was stored.
    #[error("stage `{stage}`, {item}: {message}")]
    Item { stage: String, item: String, message: String },
    /// More items were rejected than allowed.
    #[error(
        "{rejected} of {items} items were rejected, more than --max-rejects allows ({limit}); everything else is stored"
    )]
    Rejects { rejected: u64, items: u64, limit: String },
    /// The run was asked to stop.
    #[error("interrupted; what is complete is stored, and the next run goes on from there")]
    Cancelled,
    /// Arrow.
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
    /// Parquet.
    #[error(transparent)]
    Parquet(#[from] parquet::errors::ParquetError),
    /// DataFusion.
    #[error(transparent)]
    DataFusion(Box<datafusion_common::DataFusionError>),
    /// JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// An error of a stage.
    pub fn stage(stage: &str, message: impl Into<String>) -> Self {
        Self::Stage { stage: stage.to_owned(), message: message.into() }
    }

    /// Adds the path to an I/O error.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

impl From<datafusion_common::DataFusionError> for Error {
    fn from(error: datafusion_common::DataFusionError) -> Self {
        // Errors of ours travel through DataFusion's streams and come back as they were.
        match error {
            datafusion_common::DataFusionError::External(inner) => match inner.downcast::<Self>() {
                Ok(ours) => *ours,
                Err(other) => Self::Other(other.to_string()),
            },
            other => Self::DataFusion(Box::new(other)),
        }
    }
}

impl From<Error> for datafusion_common::DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}
