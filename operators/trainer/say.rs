//! What goes to the program that started this one.

use std::collections::BTreeMap;
use std::io::Write;

use etude_learning::worker::Say;

/// Says one line. When nobody listens any more nobody waits for the result either.
pub fn say(what: &Say) {
    if let Ok(line) = serde_json::to_string(what) {
        let mut output = std::io::stdout().lock();
        if writeln!(output, "{line}").and_then(|()| output.flush()).is_err() {
            std::process::exit(1);
        }
    }
}

/// Says a line for people, with the values in it.
pub fn message(text: String, values: &[(&str, f64)]) {
    let values: BTreeMap<String, f64> =
        values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    say(&Say::Message { text, values });
}

/// Says how far it has come.
pub fn progress(items: usize, total: usize, seconds: f64) {
    say(&Say::Progress { items: items as u64, total: total as u64, seconds });
}
