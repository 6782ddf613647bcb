//! The pipeline: the YAML file, the graph, the operator contract, the plan, the run on
//! DataFusion, and the store. It knows no audio and no learning.
//!
//! A [`spec::Pipeline`] is read from YAML with the help of an [`operator::Table`]; a
//! [`run::Engine`] computes what a [`store::Store`] does not have yet.

mod diagnostic;
mod error;
pub mod event;
pub mod flow;
pub mod operator;
pub mod place;
pub mod random;
pub mod run;
mod runtime;
mod size;
pub mod spec;
pub mod store;
pub mod suggest;
pub mod yaml;

pub use diagnostic::Diagnostic;
pub use error::Error;
pub use runtime::Runtime;
pub use size::Size;
