//! What holds of runs whatever happens, on toy operators and a disk that fails when it is told to.

mod bench;
mod crash;
mod disk;
mod machine;
#[cfg(feature = "cloud")]
mod server;
mod toy;
