//! The workspaces within reach: those that ship with the program, those in a folder, those opened lately.

use super::{Document, EMBEDDED, WorkspaceError};
use etcetera::BaseStrategy;
use std::io;
use std::path::{Path, PathBuf};

/// Files kept in the list of those opened lately.
const LATELY: usize = 12;
/// Largest file that is taken for a workspace, in bytes.
const LARGEST: u64 = 1 << 20;

/// Where a workspace comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It ships with the program.
    Shipped,
    /// It lies in the folder looked at.
    Here,
    /// It was opened lately.
    Lately,
}

/// A workspace that can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelved {
    /// Where it comes from.
    pub origin: Origin,
    /// What [`Document::open`] opens it by.
    pub path: PathBuf,
    /// The question it asks; what is wrong with it when it is not sound.
    pub about: String,
    /// Whether it is sound.
    pub sound: bool,
}

/// The workspaces of `folder`, those opened lately as `recent` lists them, and the shipped ones.
pub fn shelf(folder: &Path, recent: Option<&Path>) -> Vec<Shelved> {
    let mut found = Vec::new();
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|ending| ending == "ron")).collect();
    files.sort();
    for path in files {
        let path = path.strip_prefix(".").map(Path::to_owned).unwrap_or(path);
        found.extend(shelved(Origin::Here, path));
    }
    for path in recent.map(lately).unwrap_or_default() {
        let known = |other: &Shelved| other.path.canonicalize().ok() == path.canonicalize().ok();
        if path.is_file() && !found.iter().any(known) {
            found.extend(shelved(Origin::Lately, path));
        }
    }
    let shipped = EMBEDDED.iter().map(|embedded| Shelved {
        origin: Origin::Shipped,
        path: embedded.name.into(),
        about: embedded.document().map(|document| document.workspace.question).unwrap_or_default(),
        sound: true,
    });
    found.extend(shipped);
    found
}

/// A file, when it is one that means to be a workspace: other RON files lie beside them.
fn shelved(origin: Origin, path: PathBuf) -> Option<Shelved> {
    if std::fs::metadata(&path).is_ok_and(|data| data.len() > LARGEST) {
        return None;
    }
    let sound = match Document::open(&path).and_then(|document| document.check().map(|()| document)) {
        Ok(document) => return Some(Shelved { origin, path, about: document.workspace.question, sound: true }),
        Err(error) => error,
    };
    let text = std::fs::read_to_string(&path).ok()?;
    let about = match &sound {
        WorkspaceError::Invalid(found) => found.first().map_or(String::new(), |first| {
            let place = first.place.map_or(String::new(), |place| format!("{}:{}: ", place.line, place.column));
            format!("{place}{}", first.message)
        }),
        other => other.to_string(),
    };
    text.contains("lanes").then_some(Shelved { origin, path, about, sound: false })
}

/// Where the list of files opened lately is kept; `None` where there is no home.
pub fn recent_list() -> Option<PathBuf> {
    let base = etcetera::choose_base_strategy().ok()?;
    Some(base.state_dir().unwrap_or_else(|| base.data_dir()).join("guesswork").join("recent"))
}

/// The files of a list, newest first.
fn lately(list: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(list).unwrap_or_default();
    text.lines().filter(|line| !line.trim().is_empty()).take(LATELY).map(PathBuf::from).collect()
}

/// Puts `path` at the head of a list.
///
/// # Errors
/// When the list cannot be written.
pub fn remember(list: &Path, path: &Path) -> io::Result<()> {
    let path = path.canonicalize()?;
    let mut files = lately(list);
    files.retain(|other| *other != path);
    files.insert(0, path);
    files.truncate(LATELY);
    if let Some(folder) = list.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let text: String = files.iter().map(|path| format!("{}\n", path.display())).collect();
    std::fs::write(list, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_s_workspaces_and_what_is_wrong_with_them() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("b.ron", EMBEDDED[0].text);
        write("a.ron", &EMBEDDED[0].text.replace("steps:", "stepz:"));
        write("keys.ron", "(bindings: [])");
        write("notes.txt", "lanes");
        let found = shelf(folder.path(), None);
        let here: Vec<&Shelved> = found.iter().filter(|other| other.origin == Origin::Here).collect();
        assert_eq!(here.len(), 2, "{here:?}");
        assert!(!here[0].sound && here[0].about.contains("unknown field `stepz`"), "{}", here[0].about);
        assert!(here[1].sound && here[1].about.ends_with('?'));
        assert_eq!(found.len() - 2, EMBEDDED.len());
        assert!(Document::open(&found[2].path).is_ok());
    }

    #[test]
    fn files_opened_lately_stand_once_newest_first() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("state/recent");
        let names: Vec<PathBuf> = (0..LATELY + 3).map(|index| folder.path().join(format!("{index}.ron"))).collect();
        for name in &names {
            std::fs::write(name, EMBEDDED[0].text).unwrap();
            remember(&list, name).unwrap();
        }
        remember(&list, &names[5]).unwrap();
        let kept = lately(&list);
        assert_eq!(kept.len(), LATELY);
        assert_eq!(kept[0], names[5].canonicalize().unwrap());
        assert_eq!(kept.iter().filter(|path| path.ends_with("5.ron")).count(), 1);
        std::fs::remove_file(&names[5]).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let found = shelf(elsewhere.path(), Some(&list));
        assert_eq!(found.iter().filter(|other| other.origin == Origin::Lately).count(), LATELY - 1);
        assert!(remember(&list, Path::new("/nowhere.ron")).is_err());
    }
}
