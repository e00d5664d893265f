//! The editor of a workspace: its text, checked at every key, with what is wrong said at the place.
//!
//! ```text
//! key ─→ reduce ─→ buffer ─→ Document::parse, check, the strategies' schemas ─→ findings
//!           └─→ requests: save here, run this
//! ```
//!
//! Comments stay, as it is the text that is edited. A workspace that is written from a running session has none: that is said.
#![forbid(unsafe_code)]

mod buffer;
mod names;
mod reduce;
mod render;
#[cfg(test)]
mod tests;

pub use buffer::Buffer;
pub use reduce::{Request, reduce};
pub use render::render;

use crate::session::offer::Offers;
use crate::tui::command::line::Line;
use crate::workspace::{Diagnostic, Document, Place, WorkspaceError};
use std::path::PathBuf;
use std::sync::Arc;

/// A workspace as it is to run: its text and where it is from.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The text.
    pub text: String,
    /// Its name in messages.
    pub label: String,
    /// Its file; `None` for a shipped one and for one that was never saved.
    pub path: Option<PathBuf>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Where, when that is known.
    pub place: Option<Place>,
    /// What, and what was expected.
    pub message: String,
    /// The next step.
    pub hint: Option<String>,
}

/// A question at the foot of the editor.
#[derive(Clone, Debug, PartialEq)]
pub enum Asking {
    /// Where to save.
    Path(Line),
    /// Whether a file that is there may go.
    Over(PathBuf),
    /// Whether changes may be left.
    Leave,
    /// Whether the session may end for this one.
    Run,
}

/// The editor.
#[derive(Clone, Debug, PartialEq)]
pub struct TextEditor {
    /// The text.
    pub buffer: Buffer,
    /// Its name in messages.
    pub label: String,
    /// Its file.
    pub path: Option<PathBuf>,
    /// The text as it is in the file.
    pub saved: String,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What is asked.
    pub asking: Option<Asking>,
    /// Something to say until the next key.
    pub note: Option<String>,
    offers: Arc<Offers>,
}

impl TextEditor {
    /// On `draft`; lanes are held to the strategies of `offers`, where there are any.
    pub fn new(draft: Draft, offers: &Arc<Offers>, note: Option<String>) -> Self {
        let buffer = Buffer::new(&draft.text);
        let saved = buffer.text();
        let (label, path, offers) = (draft.label, draft.path, Arc::clone(offers));
        let mut editor = Self { buffer, label, path, saved, findings: Vec::new(), asking: None, note, offers };
        editor.check();
        editor
    }

    /// Whether there is something that is in no file.
    pub fn changed(&self) -> bool {
        self.buffer.text() != self.saved
    }

    /// What it would run.
    pub fn draft(&self) -> Draft {
        Draft { text: self.buffer.text(), label: self.label.clone(), path: self.path.clone() }
    }

    /// Looks at the whole text.
    pub fn check(&mut self) {
        self.findings = findings(&self.buffer.text(), &self.label, &self.offers);
    }

    /// What the field under the cursor means.
    pub fn about(&self) -> Option<String> {
        crate::workspace::about(&names::names_at(&self.buffer.text(), self.buffer.offset()))
    }
}

/// What is wrong with a text: its form, its values, and its lanes as far as the strategies at hand can tell.
pub fn findings(text: &str, label: &str, offers: &Offers) -> Vec<Finding> {
    let of = |error: WorkspaceError| match error {
        WorkspaceError::Invalid(found) => found.into_iter().map(Finding::from).collect(),
        other => vec![Finding { place: None, message: other.to_string(), hint: None }],
    };
    let document = match Document::parse(text, label) {
        Ok(document) => document,
        Err(error) => return of(error),
    };
    if let Err(error) = document.check() {
        return of(error);
    }
    let workspace = &document.workspace;
    let mut found = Vec::new();
    for (index, lane) in workspace.lanes.iter().enumerate().filter(|_| !offers.strategies.is_empty()) {
        for fault in offers.faults_of_file(&lane.resolved(&workspace.defaults), &workspace.defaults, workspace.steps) {
            let at = format!("lanes[{index}].{}", fault.field);
            found.push(Finding { place: document.place(&at), message: fault.message, hint: None });
        }
    }
    found
}

impl From<Diagnostic> for Finding {
    fn from(found: Diagnostic) -> Self {
        Self { place: found.place, message: found.message, hint: found.hint }
    }
}
