//! A workspace together with the text it came from, so that what is found wrong later can be pointed at.

use super::{Diagnostic, EMBEDDED, Embedded, Workspace, WorkspaceError, check, diagnostic, edit, options};
use std::path::{Path, PathBuf};

/// A workspace and its text.
#[derive(Clone, Debug)]
pub struct Document {
    /// What the text says, and what has been set since.
    pub workspace: Workspace,
    /// Name of the file in messages.
    pub label: String,
    /// The text.
    pub text: String,
    /// Folder of the file: relative paths begin there. `None` for a shipped workspace.
    pub folder: Option<PathBuf>,
    /// Paths changed by [`Document::set`].
    pub(super) changed: Vec<String>,
}

impl Document {
    /// Reads a text; `label` names it in messages. What it means is not checked yet: see [`Document::check`].
    ///
    /// # Errors
    /// [`WorkspaceError::Invalid`] with line, column and what was expected.
    pub fn parse(text: &str, label: &str) -> Result<Self, WorkspaceError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut workspace: Workspace = options()
            .from_str(text)
            .map_err(|error| WorkspaceError::Invalid(vec![Diagnostic::from_ron(label, text, &error)]))?;
        if workspace.name.is_empty() {
            let stem = Path::new(label).file_stem().map(|stem| stem.to_string_lossy().into_owned());
            workspace.name = stem.unwrap_or_default();
        }
        Ok(Self { workspace, label: label.into(), text: text.into(), folder: None, changed: Vec::new() })
    }

    /// Reads a file, or the shipped workspace of that name (`quickstart`) when there is no such file.
    ///
    /// # Errors
    /// As [`Document::parse`]; [`WorkspaceError::Io`] and [`WorkspaceError::Unknown`] when nothing can be read.
    pub fn open(path: &Path) -> Result<Self, WorkspaceError> {
        let label = path.display().to_string();
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(source) => {
                return match Embedded::find(&label) {
                    Some(embedded) if !path.exists() => embedded.document(),
                    None if source.kind() == std::io::ErrorKind::NotFound => Err(unknown(label)),
                    _ => Err(WorkspaceError::Io { path: path.into(), source }),
                };
            }
        };
        let text = String::from_utf8(bytes).map_err(|error| {
            let source = std::io::Error::new(std::io::ErrorKind::InvalidData, error.utf8_error());
            WorkspaceError::Io { path: path.into(), source }
        })?;
        let mut document = Self::parse(&text, &label)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        document.folder = Some(folder.into());
        Ok(document)
    }

    /// Sets the value at a path: `steps=100`, `lanes.*.scope=example`, `lr=0.1`.
    ///
    /// # Errors
    /// [`WorkspaceError::Edit`]: no such path, or a value of another type.
    pub fn set(&mut self, assignment: &str) -> Result<(), WorkspaceError> {
        let Some((path, value)) = assignment.split_once('=') else {
            let (path, value) = (assignment.into(), String::new());
            let (message, hint) = ("no value".into(), Some("write path=value, as steps=100".into()));
            return Err(super::EditError { path, value, message, hint }.into());
        };
        let (workspace, changed) = edit::set(&self.workspace, path.trim(), value.trim())?;
        self.workspace = workspace;
        self.changed.extend(changed);
        Ok(())
    }

    /// Checks what the values mean: sizes, ranges, names, paths of the sweep. Whether strategies and data exist is not
    /// asked here.
    ///
    /// # Errors
    /// [`WorkspaceError::Invalid`] with everything that was found.
    pub fn check(&self) -> Result<(), WorkspaceError> {
        let found = check::check(self);
        if found.is_empty() { Ok(()) } else { Err(WorkspaceError::Invalid(found)) }
    }
}

impl Workspace {
    /// Reads and checks a file (or the shipped workspace of that name).
    ///
    /// # Errors
    /// As [`Document::open`] and [`Document::check`].
    pub fn load(path: &Path) -> Result<Self, WorkspaceError> {
        let document = Document::open(path)?;
        document.check()?;
        Ok(document.workspace)
    }

    /// Reads and checks a text; `label` names it in messages.
    ///
    /// # Errors
    /// As [`Document::parse`] and [`Document::check`].
    pub fn from_text(text: &str, label: &str) -> Result<Self, WorkspaceError> {
        let document = Document::parse(text, label)?;
        document.check()?;
        Ok(document.workspace)
    }
}

fn unknown(name: String) -> WorkspaceError {
    let names = EMBEDDED.map(|embedded| embedded.name);
    let suggestion = diagnostic::suggestion(name.trim_end_matches(".ron"), &names).map(str::to_string);
    WorkspaceError::Unknown { name, suggestion, shipped: names.join(", ") }
}
