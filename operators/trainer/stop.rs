//! Ending before the end.

use std::io::BufRead;
use std::sync::atomic::{AtomicBool, Ordering};

use etude_learning::worker::STOP;

static ASKED: AtomicBool = AtomicBool::new(false);

/// Listens to the program that started this one: it may ask for the end, and when it ends this one ends as well.
pub fn listen() {
    std::thread::spawn(|| {
        for line in std::io::stdin().lock().lines() {
            match line.as_deref() {
                Ok(STOP) => ASKED.store(true, Ordering::Relaxed),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        // Nobody waits for the result any more. What is being written is not complete, and so does not count.
        std::process::exit(1);
    });
}

/// Whether the end was asked for.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
