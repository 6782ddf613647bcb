//! Which libtorch there is.

use etude_learning::worker;
use etude_pipeline::Error;
use serde_json::{Value, json};

use crate::size::Size;

/// Prints what a run would find on this machine.
pub fn doctor(as_json: bool) -> Result<(), Error> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let memory = Size::of_machine().0;
    let worker = match worker::find() {
        None => Err(format!("learning stages: {}", worker::missing())),
        Some(path) => {
            let output = worker::command(&path, threads).arg("--doctor").output();
            match output {
                Ok(output) if output.status.success() => {
                    let mut found: Value = serde_json::from_slice(&output.stdout)?;
                    found["worker"] = json!(path);
                    Ok(found)
                }
                Ok(output) => Err(format!(
                    "{} does not start ({}): {}",
                    path.display(),
                    output.status,
                    String::from_utf8_lossy(&output.stderr).trim()
                )),
                Err(error) => Err(format!("{} does not start: {error}", path.display())),
            }
        }
    };
    if as_json {
        let learning = worker.unwrap_or_else(|problem| json!({"problem": problem}));
        println!(
            "{}",
            json!({"etude": env!("CARGO_PKG_VERSION"), "threads": threads, "memory": memory, "learning": learning})
        );
        return Ok(());
    }
    println!("etude     {}", env!("CARGO_PKG_VERSION"));
    println!("threads   {threads}");
    println!("memory    {} MiB (--memory)", memory >> 20);
    match worker {
        Ok(found) => {
            let text = |key: &str| match &found[key] {
                Value::String(text) => text.clone(),
                Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
                Value::Null => "unknown".into(),
                other => other.to_string(),
            };
            println!("worker    {}", text("worker"));
            println!("libtorch  {} ({}), {} threads", text("libtorch"), text("library"), text("threads"));
            println!("devices   {}", text("devices"));
        }
        Err(problem) => println!("{problem}"),
    }
    Ok(())
}
