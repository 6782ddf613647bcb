//! Which libtorch this is.

use std::path::PathBuf;

use serde_json::json;

/// Where libtorch was loaded from, where the system tells.
fn library() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|line| line.contains("libtorch_cpu"))?;
    Some(PathBuf::from(line.get(line.find('/')?..)?))
}

/// Version, place, threads and devices, as JSON.
pub fn report() -> serde_json::Value {
    let library = library();
    let root = library.as_ref().and_then(|path| Some(path.parent()?.parent()?.to_owned()));
    let version = root.and_then(|root| {
        // A libtorch folder has the first of these, a PyTorch package the second.
        let plain = std::fs::read_to_string(root.join("build-version")).ok();
        let python = || {
            let text = std::fs::read_to_string(root.join("version.py")).ok()?;
            let line = text.lines().find(|line| line.starts_with("__version__"))?;
            Some(line.split('\'').nth(1)?.to_owned())
        };
        plain.or_else(python)
    });
    let mut devices = vec!["cpu".to_owned()];
    devices.extend((0..tch::Cuda::device_count()).map(|index| format!("cuda:{index}")));
    json!({
        "libtorch": version.as_deref().map(str::trim),
        "library": library,
        "threads": tch::get_num_threads(),
        "devices": devices,
        "omp_wait_policy": std::env::var("OMP_WAIT_POLICY").ok(),
    })
}
