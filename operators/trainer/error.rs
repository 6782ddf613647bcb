//! What can end the training.

/// What can end the training.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or stream cannot be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A file of a checkpoint cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File { path: std::path::PathBuf, source: std::io::Error },
    /// Parquet.
    #[error(transparent)]
    Parquet(#[from] parquet::errors::ParquetError),
    /// Arrow.
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
    /// JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A checkpoint is damaged or of another model.
    #[error("checkpoint: {0}")]
    Checkpoint(String),
    /// The end was asked for.
    #[error("stopped; the state is kept")]
    Stopped,
    /// libtorch refuses something.
    #[error("libtorch: {0}")]
    Torch(String),
    /// A batch cannot be made, by a mistake of the program.
    #[error("making batch {number} panicked: {panic}")]
    Batch { number: u64, panic: String },
    /// A number is not finite or cannot be read from the device.
    #[error("{0}")]
    Numeric(String),
    /// The pipeline: a chain cannot be restored, a shard cannot be read.
    #[error(transparent)]
    Pipeline(#[from] etude_pipeline::Error),
    /// The trainer was given something that it cannot use.
    #[error("{0}")]
    Input(String),
}
