//! A panic within a decoder is damage like any other: it has a place, and costs one recording.

use std::panic::{AssertUnwindSafe, catch_unwind};

use etude_pipeline::run::describe;

use super::failure::{Failure, bad};

/// The class of a recording that made its decoder panic. Nothing that the decoder says later counts.
pub(super) const PANIC: &str = "panic";

/// Does a piece of a decoder's work.
pub(super) fn caught<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(bad(PANIC, format!("the decoder panicked: {}", describe(panic.as_ref()))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_damage() {
        let mut given = vec![1];
        assert_eq!(caught(|| Ok(&mut given[..])).unwrap(), [1]);
        assert_eq!(caught::<()>(|| Err(bad("decode", "bad"))), Err(bad("decode", "bad")));
        let expected = bad(PANIC, "the decoder panicked: attempt to do something");
        assert_eq!(caught::<()>(|| panic!("attempt to do something")), Err(expected));
    }
}
