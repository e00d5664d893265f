//! What a key does to the editor of a workspace.
#![forbid(unsafe_code)]

use super::{Asking, Draft, TextEditor};
use crate::tui::action::Action;
use crate::tui::command::line::Line;
use std::path::PathBuf;

/// What the editor asks of the outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Write the text here; over what is there only where that was said.
    Save {
        /// Where.
        path: PathBuf,
        /// Whether a file that is there may go.
        over: bool,
    },
    /// End what runs, and run this.
    Run(Box<Draft>),
    /// Close the editor.
    Close,
}

/// Applies `action`.
pub fn reduce(editor: &mut TextEditor, action: &Action) -> Option<Request> {
    editor.note = None;
    match editor.asking.take() {
        Some(asking) => answer(editor, asking, action),
        None => edit(editor, action),
    }
}

fn edit(editor: &mut TextEditor, action: &Action) -> Option<Request> {
    let buffer = &mut editor.buffer;
    match action {
        Action::Type(letter) => buffer.insert(*letter),
        Action::Accept => buffer.newline(),
        Action::Erase => buffer.erase(),
        Action::Delete => buffer.delete(),
        Action::EraseWord => buffer.erase_word(),
        Action::EraseAll => buffer.erase_line(),
        Action::Complete => buffer.tab(),
        Action::Undo => {
            if !buffer.undo() {
                editor.note = Some("nothing is left to take back".to_owned());
            }
        }
        Action::Cursor(i8::MIN) => buffer.home(),
        Action::Cursor(i8::MAX) => buffer.end(),
        Action::Cursor(by) => buffer.right((*by).into()),
        Action::Scroll(by) => buffer.down((*by).into()),
        Action::FocusPrevious => {
            next_finding(editor);
            return None;
        }
        Action::Save => return save(editor),
        Action::Run => return run(editor),
        Action::Back if editor.changed() => editor.asking = Some(Asking::Leave),
        Action::Back => return Some(Request::Close),
        _ => return None,
    }
    editor.check();
    None
}

fn answer(editor: &mut TextEditor, asking: Asking, action: &Action) -> Option<Request> {
    match (asking, action) {
        (_, Action::Back) => {}
        (Asking::Path(line), Action::Accept) => {
            let text = line.text().trim();
            if text.is_empty() {
                editor.asking = Some(Asking::Path(line));
                return None;
            }
            let path = PathBuf::from(text);
            let path = if path.extension().is_none() { path.with_extension("ron") } else { path };
            return Some(Request::Save { path, over: false });
        }
        (Asking::Path(mut line), action) => {
            match action {
                Action::Type(letter) => line.insert(*letter),
                Action::Erase => {
                    line.erase();
                }
                Action::EraseWord => line.erase_word(),
                Action::EraseAll => line = Line::default(),
                Action::Cursor(by) => line.move_by(*by),
                _ => {}
            }
            editor.asking = Some(Asking::Path(line));
        }
        (Asking::Over(path), Action::Accept | Action::Type('y' | 'Y')) => {
            return Some(Request::Save { path, over: true });
        }
        (Asking::Leave, Action::Accept | Action::Type('y' | 'Y')) => return Some(Request::Close),
        (Asking::Leave, Action::Save) => return save(editor),
        (Asking::Run, Action::Accept | Action::Type('y' | 'Y')) => return Some(Request::Run(Box::new(editor.draft()))),
        (Asking::Over(_) | Asking::Leave | Asking::Run, Action::Type(_)) => {}
        (asking, _) => editor.asking = Some(asking),
    }
    None
}

/// Saves to the file the text is from; asks for one where there is none, as for a shipped workspace.
fn save(editor: &mut TextEditor) -> Option<Request> {
    match &editor.path {
        Some(path) => Some(Request::Save { path: path.clone(), over: true }),
        None => {
            let name = editor.label.rsplit(['/', '\\']).next().unwrap_or("workspace").trim_end_matches(".ron");
            editor.asking = Some(Asking::Path(Line::new(format!("{name}.ron"))));
            None
        }
    }
}

/// Runs what is sound. It need not be saved: a run keeps its workspace.
fn run(editor: &mut TextEditor) -> Option<Request> {
    if editor.findings.is_empty() {
        editor.asking = Some(Asking::Run);
        return None;
    }
    next_finding(editor);
    let count = editor.findings.len();
    editor.note =
        Some(format!("it does not run yet: {count} {} wrong", if count == 1 { "thing is" } else { "things are" }));
    None
}

/// Goes to the next place that is wrong.
fn next_finding(editor: &mut TextEditor) {
    let (row, column) = editor.buffer.cursor();
    let here = (row + 1, column + 1);
    let places = || editor.findings.iter().filter_map(|finding| finding.place);
    let next = places().find(|place| (place.line, place.column) > here).or_else(|| places().next());
    if let Some(place) = next {
        editor.buffer.go(place.line - 1, place.column - 1);
    }
}
