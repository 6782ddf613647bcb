//! Panics of dependencies are known to come, and cost one recording: the run catches them. A panic of
//! Étude's own code is a finding.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// To be done first.
pub fn sort() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let theirs = panic.location().is_some_and(|place| place.file().contains("/registry/"));
        if !theirs {
            // libFuzzer's own hook, which ends the process.
            usual(panic);
        }
    }));
}

/// What the run does around every item.
pub fn caught(work: impl FnOnce()) {
    // What gets here is a dependency's.
    let _ = catch_unwind(AssertUnwindSafe(work));
}
