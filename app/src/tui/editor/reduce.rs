//! What a key does to a form.
#![forbid(unsafe_code)]

use super::field::{Entry, Field, FieldId};
use super::lane::LaneForm;
use crate::session::Command;
use crate::tui::action::Action;

/// What is to be done after a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The form stays open.
    Stay,
    /// The form is done: these commands are to be sent.
    Send(Vec<Command>),
}

/// Applies `action`.
pub fn reduce(form: &mut LaneForm, action: Action) -> Outcome {
    let fields = form.fields();
    let place = fields.iter().position(|field| field.id == form.focus).unwrap_or(0);
    let Some(field) = fields.get(place) else { return Outcome::Stay };
    let open = field.locked.is_none();
    match action {
        Action::FocusNext | Action::Complete => go(form, &fields, place as isize + 1),
        Action::FocusPrevious => go(form, &fields, place as isize - 1),
        Action::Scroll(by) => {
            let target = (place as isize + isize::from(by)).clamp(0, fields.len() as isize - 1);
            go(form, &fields, target);
        }
        Action::Accept => match form.commands() {
            Ok(commands) => return Outcome::Send(commands),
            Err(id) => form.point(id),
        },
        Action::Type(letter) if open => typed(form, field, letter),
        Action::Erase if open && field.entry == Entry::Text => edit(form, field, |letters, cursor| {
            if *cursor > 0 {
                *cursor -= 1;
                letters.remove(*cursor);
            }
        }),
        Action::Delete if open && field.entry == Entry::Text => edit(form, field, |letters, cursor| {
            if *cursor < letters.len() {
                letters.remove(*cursor);
            }
        }),
        Action::EraseWord if open && field.entry == Entry::Text => edit(form, field, |letters, cursor| {
            let blank = |letter: &char| letter.is_whitespace();
            let word = letters[..*cursor].iter().rposition(|letter| !blank(letter)).unwrap_or(0);
            let start = letters[..word].iter().rposition(blank).map_or(0, |place| place + 1);
            letters.drain(start..*cursor);
            *cursor = start;
        }),
        Action::EraseAll if open && field.entry == Entry::Text => edit(form, field, |letters, cursor| {
            letters.drain(..*cursor);
            *cursor = 0;
        }),
        Action::Cursor(by) => match &field.entry {
            Entry::Text => {
                let length = field.value.chars().count();
                let cursor = form.cursor.min(length).saturating_add_signed(by.into()).min(length);
                form.cursor = if by == i8::MIN {
                    0
                } else if by == i8::MAX {
                    length
                } else {
                    cursor
                };
            }
            Entry::Choice(_) if open => choose(form, field.choice(by.signum().into())),
            Entry::Choice(_) => {}
        },
        _ => {}
    }
    Outcome::Stay
}

fn go(form: &mut LaneForm, fields: &[Field], place: isize) {
    let place = place.rem_euclid(fields.len().max(1) as isize) as usize;
    if let Some(field) = fields.get(place) {
        form.focus = field.id.clone();
        form.cursor = field.value.chars().count();
    }
}

fn typed(form: &mut LaneForm, field: &Field, letter: char) {
    match &field.entry {
        Entry::Text => edit(form, field, |letters, cursor| {
            letters.insert(*cursor, letter);
            *cursor += 1;
        }),
        Entry::Choice(_) if letter == ' ' => choose(form, field.choice(1)),
        Entry::Choice(_) => choose(form, field.choice_by_letter(letter)),
    }
}

fn choose(form: &mut LaneForm, word: Option<&str>) {
    if let Some(word) = word {
        form.write(word.to_owned(), word.chars().count());
    }
}

/// Changes the text of the focused field.
fn edit(form: &mut LaneForm, field: &Field, change: impl FnOnce(&mut Vec<char>, &mut usize)) {
    let mut letters: Vec<char> = field.value.chars().collect();
    let mut cursor = form.cursor.min(letters.len());
    change(&mut letters, &mut cursor);
    let longest = if field.id == FieldId::Of { 4000 } else { 200 };
    form.write(letters.into_iter().take(longest).collect(), cursor);
}
