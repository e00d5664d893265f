//! Where runs are kept when nothing else is said, and which run is meant by a name.
#![forbid(unsafe_code)]

use etcetera::BaseStrategy;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Why no run can be found.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// There is no home folder to keep runs in.
    #[error("no folder to keep runs in: neither XDG_STATE_HOME nor HOME says where; name one with --out DIR")]
    Homeless,
    /// No run was ever kept.
    #[error("{} holds no run yet; `guesswork` starts one", path.display())]
    Empty {
        /// Where runs are kept.
        path: PathBuf,
    },
    /// No run of that name.
    #[error("no run `{name}`: no such folder here or in {}{}", path.display(), newest(runs))]
    Unknown {
        /// What was asked for.
        name: String,
        /// Where runs are kept.
        path: PathBuf,
        /// The names of those that are there, newest first.
        runs: Vec<String>,
    },
}

fn newest(runs: &[String]) -> String {
    match runs {
        [] => String::new(),
        runs => format!("; the newest there: {}", runs[..runs.len().min(3)].join(", ")),
    }
}

/// `guesswork/runs` in the user's folder for state that outlives a program.
///
/// # Errors
/// When the user has no home.
pub fn runs() -> Result<PathBuf, PlaceError> {
    let base = etcetera::choose_base_strategy().map_err(|_| PlaceError::Homeless)?;
    let state = base.state_dir().unwrap_or_else(|| base.data_dir());
    Ok(state.join("guesswork/runs"))
}

/// The run folder that `name` means: a folder, or one by its name in [`runs`]; the newest there without a name.
///
/// # Errors
/// When there is none.
pub fn find(name: Option<&Path>) -> Result<PathBuf, PlaceError> {
    if let Some(path) = name.filter(|path| path.exists()) {
        return Ok(path.into());
    }
    find_in(&runs()?, name)
}

fn find_in(parent: &Path, name: Option<&Path>) -> Result<PathBuf, PlaceError> {
    let mut names = names(parent).unwrap_or_default();
    names.sort_unstable_by(|a, b| b.cmp(a));
    match name {
        // Names begin with the moment of their start.
        None => match names.first() {
            Some(first) => Ok(parent.join(first)),
            None => Err(PlaceError::Empty { path: parent.into() }),
        },
        Some(name) if names.iter().any(|known| Path::new(known) == name) => Ok(parent.join(name)),
        Some(name) => Err(PlaceError::Unknown { name: name.display().to_string(), path: parent.into(), runs: names }),
    }
}

fn names(parent: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if entry.path().join("workspace.ron").exists() {
            names.extend(entry.file_name().into_string());
        }
    }
    Ok(names)
}

/// The shortest word by which [`find`] finds `folder` from anywhere.
pub fn name_of(folder: &Path) -> PathBuf {
    let path = std::path::absolute(folder).unwrap_or_else(|_| folder.into());
    match (runs(), path.parent(), path.file_name()) {
        (Ok(runs), Some(parent), Some(name)) if parent == runs => name.into(),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_by_name_and_the_newest_without_one() {
        let parent = tempfile::tempdir().expect("a folder");
        assert!(matches!(find_in(parent.path(), None), Err(PlaceError::Empty { .. })));
        for name in ["20240501-120000-a", "20240502-120000-b", "not-a-run"] {
            fs::create_dir(parent.path().join(name)).expect("created");
            if name != "not-a-run" {
                fs::write(parent.path().join(name).join("workspace.ron"), "").expect("written");
            }
        }
        let found = |name: Option<&str>| find_in(parent.path(), name.map(Path::new));
        assert_eq!(found(None).expect("two"), parent.path().join("20240502-120000-b"));
        assert_eq!(found(Some("20240501-120000-a")).expect("there"), parent.path().join("20240501-120000-a"));
        let text = found(Some("not-a-run")).expect_err("no run").to_string();
        assert!(text.contains("not-a-run") && text.contains("20240502-120000-b"), "{text}");
    }
}
