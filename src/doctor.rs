//! Which libtorch there is.

use etude_learning::worker;
use etude_pipeline::{Error, Size};
use serde_json::{Value, json};

/// What a run would find on this machine.
pub fn report(as_json: bool) -> Result<String, Error> {
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
    let version = env!("CARGO_PKG_VERSION");
    if as_json {
        let learning = worker.unwrap_or_else(|problem| json!({"problem": problem}));
        let found = json!({"etude": version, "threads": threads, "memory": memory, "learning": learning});
        return Ok(format!("{found}\n"));
    }
    let mut text =
        format!("etude     {version}\nthreads   {threads}\nmemory    {} MiB (--memory)\n", memory >> 20);
    match worker {
        Ok(found) => {
            let show = |key: &str| match &found[key] {
                Value::String(text) => text.clone(),
                Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
                Value::Null => "unknown".into(),
                other => other.to_string(),
            };
            text += &format!("worker    {}\n", show("worker"));
            text += &format!(
                "libtorch  {} ({}), {} threads\n",
                show("libtorch"),
                show("library"),
                show("threads")
            );
            text += &format!("devices   {}\n", show("devices"));
        }
        Err(problem) => text += &format!("{problem}\n"),
    }
    Ok(text)
}
