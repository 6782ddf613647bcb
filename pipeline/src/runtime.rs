//! `runtime:` — what must not change results, and so is no part of any fingerprint.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::run::MaxRejects;
use crate::size::Size;

/// How a pipeline is run where the command line does not say.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Runtime {
    /// Threads, 1 to 1024; by default as many as the machine has cores.
    #[serde(deserialize_with = "threads")]
    #[schemars(range(min = 1, max = 1024))]
    pub threads: Option<u16>,
    /// Memory for what is being worked on, such as `2GiB`; by default a sixteenth of the machine's, at least
    /// 512 MiB.
    pub memory: Option<Size>,
    /// How many items of a stage may be rejected: a share such as `10%` or a number.
    pub max_rejects: Option<MaxRejects>,
}

fn threads<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    let threads = Option::<u16>::deserialize(deserializer)?;
    match threads {
        Some(0 | 1025..) => Err(serde::de::Error::custom("`threads` must be from 1 to 1024")),
        threads => Ok(threads),
    }
}
