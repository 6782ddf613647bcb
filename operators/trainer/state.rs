//! The whole state of a training, so that one that was killed goes on as if it had not been.

use std::fs;
use std::path::{Path, PathBuf};

use etude_pipeline::operator::ChainReport;
use serde::{Deserialize, Serialize};

use crate::checkpoint;
use crate::error::Error;
use crate::parameters::Tensors;
use crate::schedule::Seen;
use crate::watch::Metrics;

const TENSORS: &str = "state.safetensors";
const TABLE: &str = "metrics.parquet";
const REST: &str = "state.json";

/// Where a training is. Everything random is drawn by seed and step, so nothing of it is kept.
#[derive(Debug)]
pub struct State {
    pub rest: Rest,
    /// Of model, teacher, objectives and optimiser.
    pub tensors: Tensors,
    pub metrics: Metrics,
}

/// What is neither tensor nor table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rest {
    /// The version of this description.
    pub format: u32,
    /// Steps that were taken.
    pub steps: u64,
    pub schedule: Seen,
    /// What the data path did for the steps that were taken.
    pub report: ChainReport,
}

/// The version of a state.
pub const FORMAT: u32 = 2;

/// Keeps a state in a folder of its own below `folder`, and removes those before.
pub fn save(folder: &Path, state: &State) -> Result<(), Error> {
    let complete = folder.join(format!("{:012}", state.rest.steps));
    let partial = folder.join("partial");
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(failed(&partial))?;
    }
    fs::create_dir_all(&partial).map_err(failed(&partial))?;
    checkpoint::write(&partial.join(TENSORS), &state.tensors)?;
    state.metrics.write(&partial.join(TABLE))?;
    fs::write(partial.join(REST), serde_json::to_vec(&state.rest)?).map_err(failed(&partial))?;
    for name in [TENSORS, TABLE, REST] {
        let path = partial.join(name);
        fs::File::open(&path).and_then(|file| file.sync_all()).map_err(failed(&path))?;
    }
    let before = complete_ones(folder)?;
    if complete.exists() {
        fs::remove_dir_all(&complete).map_err(failed(&complete))?;
    }
    fs::rename(&partial, &complete).map_err(failed(&complete))?;
    fs::File::open(folder).and_then(|file| file.sync_all()).map_err(failed(folder))?;
    for old in before.into_iter().filter(|old| *old != complete) {
        fs::remove_dir_all(&old).map_err(failed(&old))?;
    }
    Ok(())
}

/// The last complete state, if there is one. One that cannot be read is told, and the one before is taken.
pub fn read(folder: &Path, tell: impl Fn(&str)) -> Result<Option<State>, Error> {
    for path in complete_ones(folder)?.into_iter().rev() {
        match read_one(&path) {
            Ok(state) => return Ok(Some(state)),
            Err(error) => tell(&format!("the state in {} cannot be used: {error}", path.display())),
        }
    }
    Ok(None)
}

fn read_one(path: &Path) -> Result<State, Error> {
    let text = fs::read(path.join(REST))?;
    let rest: Rest = serde_json::from_slice(&text)?;
    if rest.format != FORMAT {
        return Err(Error::Checkpoint(format!("format {} is not known", rest.format)));
    }
    Ok(State {
        rest,
        tensors: checkpoint::read(&path.join(TENSORS))?,
        metrics: Metrics::read(&path.join(TABLE))?,
    })
}

/// The folders of complete states, the last one last.
fn complete_ones(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::File { path: folder.to_owned(), source }),
    };
    let number =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().parse::<u64>().is_ok());
    let mut found: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(number).collect();
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use etude_learning::optimizer as parameters;

    fn state(steps: u64) -> State {
        let seen = crate::schedule::Schedule::new(&parameters::Schedule::default(), 0.1, 10).seen;
        State {
            rest: Rest { format: FORMAT, steps, schedule: seen, report: ChainReport::default() },
            tensors: Tensors::from([("a".to_owned(), (vec![2], vec![steps as f32, -0.0]))]),
            metrics: Metrics::default(),
        }
    }

    #[test]
    fn the_last_complete_state_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path(), |_| ()).unwrap().is_none());
        for steps in [1, 5, 10] {
            save(folder.path(), &state(steps)).unwrap();
            let read = read(folder.path(), |_| ()).unwrap().unwrap();
            assert_eq!((read.rest, read.tensors), (state(steps).rest, state(steps).tensors));
        }
        assert_eq!(complete_ones(folder.path()).unwrap().len(), 1);
        // One that was being written when the run was killed does not count.
        fs::create_dir(folder.path().join("partial")).unwrap();
        assert_eq!(read(folder.path(), |_| ()).unwrap().unwrap().rest.steps, 10);
    }

    #[test]
    fn a_damaged_state_is_told_and_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), &state(5)).unwrap();
        let bad = folder.path().join(format!("{:012}", 9));
        fs::create_dir(&bad).unwrap();
        fs::write(bad.join(REST), "{").unwrap();
        let told = std::cell::RefCell::new(Vec::new());
        let read = read(folder.path(), |text| told.borrow_mut().push(text.to_owned())).unwrap().unwrap();
        assert_eq!(read.rest.steps, 5);
        assert!(told.borrow()[0].contains("000000000009"), "{told:?}");
    }
}
