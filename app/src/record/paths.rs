//! Folders that a run needs and its workspace does not name: kept in its run folder, so that it can go on from anywhere.
#![forbid(unsafe_code)]

use super::replace::replace;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::{fs, io};

const FILE: &str = "paths.ron";

/// Where relative paths of a run begin and its strategies are found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Paths {
    /// Folder of the workspace file.
    pub beside: Option<PathBuf>,
    /// Folders and libraries in which strategies are looked for first.
    pub plugin_paths: Vec<PathBuf>,
}

/// Why the paths cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum PathsError {
    /// The system refuses.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// The file does not say what it should.
    #[error("{}:{error}; correct it, or delete it if the workspace names no relative path", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where, and what was expected.
        error: Box<ron::error::SpannedError>,
    },
    /// A path that RON cannot hold.
    #[error("cannot write {}: {error}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: ron::Error,
    },
}

impl Paths {
    /// Writes them into the run folder `folder`, made absolute.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), PathsError> {
        let path = folder.join(FILE);
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let kept = Self {
            beside: self.beside.as_ref().map(absolute),
            plugin_paths: self.plugin_paths.iter().map(absolute).collect(),
        };
        let text = ron::ser::to_string_pretty(&kept, ron::ser::PrettyConfig::default())
            .map_err(|error| PathsError::Unwritable { path: path.clone(), error })?;
        replace(&path, format!("{text}\n").as_bytes()).map_err(|error| PathsError::Io { path, error })
    }

    /// Those of the run in `folder`; none where they were not written down.
    ///
    /// # Errors
    /// When they are there and cannot be read.
    pub fn read(folder: &Path) -> Result<Self, PathsError> {
        let path = folder.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => ron::from_str(&text).map_err(|error| PathsError::Malformed { path, error: Box::new(error) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(PathsError::Io { path, error }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_back_absolute() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Paths::read(folder.path()).expect("none yet"), Paths::default());
        let paths = Paths { beside: Some("here".into()), plugin_paths: vec!["/there".into()] };
        paths.write(folder.path()).expect("written");
        let found = Paths::read(folder.path()).expect("read");
        assert_eq!(found.beside, Some(std::env::current_dir().expect("a folder").join("here")));
        assert_eq!(found.plugin_paths, [PathBuf::from("/there")]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(FILE), "(\n    besides: None,\n)").expect("written");
        let text = Paths::read(folder.path()).expect_err("a misspelt field").to_string();
        assert!(text.contains("paths.ron:2:") && text.contains("besides"), "{text}");
    }
}
