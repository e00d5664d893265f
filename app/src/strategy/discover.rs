//! Where libraries are looked for, and in which order: what is found first wins.
//!
//! Knows paths and file names only; nothing is opened here.
#![forbid(unsafe_code)]

use super::refusal::{Refusal, Refused};
use etcetera::BaseStrategy;
use serde::Serialize;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Folders separated by `:` that are searched after those named on the command line.
pub const PATH_VARIABLE: &str = "GUESSWORK_PLUGIN_PATH";

/// Why a place is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Named with `--plugin-path`.
    Named,
    /// Named in [`PATH_VARIABLE`].
    Environment,
    /// The workspace file's folder.
    Workspace,
    /// Beside the executable.
    Executable,
    /// The folder of an installation, `lib/guesswork`.
    Installation,
    /// The person's data folder.
    Data,
}

impl Origin {
    /// Whether what lies there came with the program itself.
    pub fn is_own(self) -> bool {
        matches!(self, Self::Executable | Self::Installation)
    }
}

/// The places to search, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchPath {
    places: Vec<(PathBuf, Origin)>,
}

/// A file to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The file.
    pub path: PathBuf,
    /// Why it was found.
    pub origin: Origin,
}

impl SearchPath {
    /// The order of a run: `named` (`--plugin-path`, files or folders), the environment, the workspace file's folder,
    /// `plugins` and `deps` beside the executable, `../lib/guesswork`, the data folder.
    pub fn standard(named: &[PathBuf], workspace: Option<&Path>) -> Self {
        let mut path = Self::default();
        for place in named {
            path.push(place.clone(), Origin::Named);
        }
        if let Some(list) = std::env::var_os(PATH_VARIABLE) {
            for place in std::env::split_paths(&list).filter(|place| !place.as_os_str().is_empty()) {
                path.push(place, Origin::Environment);
            }
        }
        if let Some(folder) = workspace {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            path.push(folder.to_owned(), Origin::Workspace);
        }
        if let Ok(executable) = std::env::current_exe() {
            path.executable(&executable);
        }
        if let Ok(base) = etcetera::choose_base_strategy() {
            path.push(base.data_dir().join("guesswork").join("plugins"), Origin::Data);
        }
        path
    }

    /// Appends a folder or, when `origin` is `Named` or `Environment`, a file.
    pub fn push(&mut self, place: PathBuf, origin: Origin) {
        self.places.push((place, origin));
    }

    /// Appends the places that belong to `executable`. A program that lies in `deps` itself (a test) has its libraries
    /// beside it.
    pub fn executable(&mut self, executable: &Path) {
        let resolved = executable.canonicalize().unwrap_or_else(|_| executable.to_owned());
        let Some(folder) = resolved.parent() else { return };
        self.push(folder.join("plugins"), Origin::Executable);
        self.push(folder.join("deps"), Origin::Executable);
        if folder.file_name() == Some(OsStr::new("deps")) {
            self.push(folder.to_owned(), Origin::Executable);
        }
        if let Some(prefix) = folder.parent() {
            self.push(prefix.join("lib").join("guesswork"), Origin::Installation);
        }
    }

    /// The places, in order.
    pub fn places(&self) -> impl Iterator<Item = (&Path, Origin)> {
        self.places.iter().map(|(path, origin)| (path.as_path(), *origin))
    }

    /// The files to try, in order and each once, and the named places that are not there. In folders only
    /// `libguesswork_*` counts, sorted by name; a file named explicitly is taken whatever its name.
    pub fn candidates(&self) -> (Vec<Candidate>, Vec<Refused>) {
        let (mut found, mut refused, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut take = |path: PathBuf, origin| {
            let identity = path.canonicalize().unwrap_or_else(|_| path.clone());
            if seen.insert(identity) {
                found.push(Candidate { path, origin });
            }
        };
        for (place, origin) in self.places() {
            let explicit = matches!(origin, Origin::Named | Origin::Environment);
            if place.is_dir() {
                match libraries(place) {
                    Ok(files) => files.into_iter().for_each(|path| take(path, origin)),
                    Err(error) => refused.push(refuse(place, Refusal::Unreadable(error.to_string()))),
                }
            } else if explicit {
                if place.exists() {
                    take(place.to_owned(), origin);
                } else {
                    refused.push(refuse(place, Refusal::Missing));
                }
            }
        }
        (found, refused)
    }
}

fn refuse(path: &Path, reason: Refusal) -> Refused {
    Refused { path: path.to_owned(), strategy: None, reason }
}

/// The plugin libraries in a folder, sorted by name.
fn libraries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(is_library) && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a file's name is that of a plugin library: `libguesswork_*.so`, on macOS also `.dylib`.
fn is_library(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let Some(rest) = name.strip_prefix("libguesswork_") else { return false };
    rest.ends_with(".so") || (cfg!(target_os = "macos") && rest.ends_with(".dylib"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn folders_are_filtered_sorted_and_searched_in_order() {
        let root = tempfile::tempdir().unwrap();
        let (first, second) = (root.path().join("first"), root.path().join("second"));
        for folder in [&first, &second] {
            fs::create_dir(folder).unwrap();
            for name in ["libguesswork_b.so", "libguesswork_a.so", "libother.so", "libguesswork_c.rlib", "notes.txt"] {
                fs::write(folder.join(name), "x").unwrap();
            }
            fs::create_dir(folder.join("libguesswork_d.so")).unwrap();
        }
        let mut path = SearchPath::default();
        path.push(second.join("notes.txt"), Origin::Named);
        path.push(root.path().join("nowhere"), Origin::Environment);
        path.push(root.path().join("not here either"), Origin::Executable);
        path.push(second.clone(), Origin::Environment);
        path.push(first.clone(), Origin::Workspace);
        path.push(second.clone(), Origin::Data);
        let (found, refused) = path.candidates();
        let found: Vec<_> = found.iter().map(|file| file.path.strip_prefix(root.path()).unwrap()).collect();
        let expected = ["second/notes.txt", "second/libguesswork_a.so", "second/libguesswork_b.so"];
        let expected = expected.into_iter().chain(["first/libguesswork_a.so", "first/libguesswork_b.so"]);
        assert_eq!(found, expected.map(Path::new).collect::<Vec<_>>());
        assert_eq!(refused, [refuse(&root.path().join("nowhere"), Refusal::Missing)]);
    }

    #[test]
    fn a_test_program_finds_the_libraries_beside_it() {
        let mut path = SearchPath::default();
        path.executable(Path::new("/somewhere/target/debug/deps/plugins-0123"));
        let places: Vec<_> = path.places().map(|(place, _)| place.to_owned()).collect();
        assert!(places.contains(&PathBuf::from("/somewhere/target/debug/deps")), "{places:?}");
        assert!(places.contains(&PathBuf::from("/somewhere/target/debug/lib/guesswork")), "{places:?}");
    }
}
