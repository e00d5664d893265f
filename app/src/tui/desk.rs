//! What the screen does with workspace files: lists, opens and saves them, through `workspace` alone. Called by the loop, as the
//! reducer touches no file.
#![forbid(unsafe_code)]

use super::browser::Browser;
use super::editor::text::{Asking, Draft, TextEditor};
use super::state::{Overlay, State};
use crate::session::protocol::Snapshot;
use crate::workspace::{
    Document, Origin, SaveError, Shelved, recent_list, remember, save as write, shelf, to_ron_brief,
};
use std::path::{Path, PathBuf};

/// Opens the browser.
pub fn browse(state: &mut State) {
    let items = shelf(Path::new("."), recent_list().as_deref());
    state.overlay = Some(Overlay::Browser(Box::new(Browser::new(items))));
}

/// Opens the editor on a workspace, sound or not.
pub fn edit(state: &mut State, item: &Shelved, snapshot: &Snapshot) {
    let label = item.path.display().to_string();
    let file = item.origin != Origin::Shipped;
    let text = match file {
        true => std::fs::read_to_string(&item.path).map_err(|error| format!("{label}: {error}")),
        false => Document::open(&item.path).map(|document| document.text).map_err(|error| error.to_string()),
    };
    match text {
        Ok(text) => {
            if let Some(list) = recent_list().filter(|_| file) {
                // A list that cannot be written is only not there the next time.
                let _ = remember(&list, &item.path);
            }
            let draft = Draft { text, label, path: file.then(|| item.path.clone()) };
            state.overlay = Some(Overlay::Editor(Box::new(TextEditor::new(draft, &snapshot.offers, None))));
        }
        Err(error) => (state.overlay, state.notice) = (None, Some(error)),
    }
}

/// Opens the editor on the session as it is now; with a path, asks whether it is to be saved there.
pub fn edit_session(state: &mut State, path: Option<&str>, snapshot: &Snapshot) {
    let text = snapshot.workspace_now().map(|workspace| (workspace.name.clone(), to_ron_brief(&workspace)));
    let Some((name, Ok(text))) = text else {
        (state.overlay, state.notice) = (None, Some("the session has not begun: there is nothing to write".to_owned()));
        return;
    };
    let note =
        "written from the running session: comments and the sweep over settings of its file are not in it".to_owned();
    let draft = Draft { text, label: name, path: None };
    let mut editor = TextEditor::new(draft, &snapshot.offers, Some(note));
    // It is in no file yet.
    editor.saved.clear();
    state.overlay = Some(Overlay::Editor(Box::new(editor)));
    if let Some(path) = path {
        let path = PathBuf::from(path);
        let path = if path.extension().is_none() { path.with_extension("ron") } else { path };
        save(state, &path, false);
    }
}

/// Saves the text of the open editor.
pub fn save(state: &mut State, path: &Path, over: bool) {
    let Some(Overlay::Editor(editor)) = &mut state.overlay else { return };
    let text = editor.buffer.text();
    match write(path, &text, over) {
        Ok(()) => {
            if let Some(list) = recent_list() {
                // As above.
                let _ = remember(&list, path);
            }
            editor.note = Some(format!("saved as {}", path.display()));
            (editor.path, editor.saved) = (Some(path.to_owned()), text);
            editor.label = path.display().to_string();
            editor.check();
        }
        Err(SaveError::Exists(path)) => editor.asking = Some(Asking::Over(path)),
        Err(error) => editor.note = Some(format!("not saved: {error}")),
    }
}
