//! The editor: what is wrong is said while it is typed, nothing is lost or overwritten unasked, and only what is sound runs.

use super::{Asking, Draft, Request, TextEditor, reduce};
use crate::session::offer::Offers;
use crate::tui::Source;
use crate::tui::action::Action;
use crate::tui::draw::draw;
use crate::tui::smooth::Derived;
use crate::tui::state::{Overlay, State};
use crate::tui::synthetic::Synthetic;
use crate::tui::theme::{Theme, Tier};
use crate::workspace::EMBEDDED;
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::path::PathBuf;
use std::sync::Arc;

fn offers() -> Arc<Offers> {
    Arc::clone(&Synthetic::new(1, 0, 5000, false).snapshot().offers)
}

fn quickstart() -> TextEditor {
    let text = EMBEDDED[0].text.to_owned();
    TextEditor::new(Draft { text, label: "quickstart".to_owned(), path: None }, &offers(), None)
}

fn press(editor: &mut TextEditor, text: &str) -> Option<Request> {
    text.chars().filter_map(|letter| reduce(editor, &Action::Type(letter))).last()
}

/// Puts the cursor behind the first `text`.
fn behind(editor: &mut TextEditor, text: &str) {
    let whole = editor.buffer.text();
    let at = whole.find(text).unwrap_or_else(|| panic!("{text}")) + text.len();
    let before = &whole[..at];
    let row = before.matches('\n').count();
    editor.buffer.go(row, before.rsplit('\n').next().unwrap().chars().count());
}

#[test]
fn what_is_wrong_is_said_at_its_place_while_it_is_typed() {
    let mut editor = quickstart();
    assert_eq!(editor.findings, []);
    behind(&mut editor, "steps");
    press(&mut editor, "z");
    let found = &editor.findings[0];
    let place = found.place.unwrap();
    assert_eq!(editor.buffer.lines()[place.line - 1][place.column - 1..][..6].iter().collect::<String>(), "stepsz");
    assert!(found.message.contains("unknown field `stepsz`") && found.hint.as_ref().unwrap().contains("steps"));
    assert_eq!(reduce(&mut editor, &Action::Run), None);
    assert!(editor.note.as_ref().unwrap().contains("does not run yet"));
    reduce(&mut editor, &Action::Undo);
    assert_eq!(editor.findings, []);
    assert_eq!((reduce(&mut editor, &Action::Run), &editor.asking), (None, &Some(Asking::Run)));
    assert!(matches!(press(&mut editor, "y"), Some(Request::Run(_))));
}

#[test]
fn lanes_are_held_to_the_strategies_at_hand() {
    let mut editor = quickstart();
    behind(&mut editor, "\"weight-transpose\"");
    press(&mut editor, ", params: {\"depth\": 9}");
    assert!(editor.findings[0].message.contains("1 to 8"), "{:?}", editor.findings);
    let place = editor.findings[0].place.unwrap();
    assert!(editor.buffer.lines()[place.line - 1].iter().collect::<String>().contains("depth"));
    let mut editor = quickstart();
    behind(&mut editor, "\"weight-transpos");
    press(&mut editor, "x");
    assert!(editor.findings[0].message.contains("no strategy `weight-transposxe`"), "{:?}", editor.findings);
}

#[test]
fn the_field_under_the_cursor_is_explained() {
    let mut editor = quickstart();
    behind(&mut editor, "scale: st");
    assert!(editor.about().is_some_and(|text| text.contains("How pixels become numbers")), "{:?}", editor.about());
    behind(&mut editor, "sgd(lr: 0.0");
    assert!(editor.about().is_some_and(|text| text.contains("Learning rate")), "{:?}", editor.about());
}

#[test]
fn saving_asks_for_a_name_where_there_is_none_and_keeps_comments() {
    let mut editor = quickstart();
    assert_eq!(reduce(&mut editor, &Action::Save), None);
    assert!(matches!(&editor.asking, Some(Asking::Path(line)) if line.text() == "quickstart.ron"));
    reduce(&mut editor, &Action::EraseAll);
    press(&mut editor, "mine");
    let asked = reduce(&mut editor, &Action::Accept);
    assert_eq!(asked, Some(Request::Save { path: PathBuf::from("mine.ron"), over: false }));
    assert!(editor.buffer.text().starts_with("// "));
    // A file of its own is written where it is.
    editor.path = Some(PathBuf::from("x.ron"));
    assert_eq!(reduce(&mut editor, &Action::Save), Some(Request::Save { path: "x.ron".into(), over: true }));
    // One that is there already is asked about.
    editor.asking = Some(Asking::Over("y.ron".into()));
    assert_eq!(press(&mut editor, "n"), None);
    assert_eq!(editor.asking, None);
    editor.asking = Some(Asking::Over("y.ron".into()));
    assert_eq!(press(&mut editor, "y"), Some(Request::Save { path: "y.ron".into(), over: true }));
}

#[test]
fn changes_are_not_left_unasked() {
    let mut editor = quickstart();
    assert_eq!(reduce(&mut editor, &Action::Back), Some(Request::Close));
    press(&mut editor, " ");
    assert_eq!(reduce(&mut editor, &Action::Back), None);
    assert_eq!(editor.asking, Some(Asking::Leave));
    assert_eq!(press(&mut editor, "n"), None);
    assert_eq!(editor.asking, None);
    reduce(&mut editor, &Action::Back);
    assert_eq!(press(&mut editor, "y"), Some(Request::Close));
}

fn text(state: &State, (width, height): (u16, u16), theme: &Theme) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let session = Synthetic::new(1, 5, 5000, false).snapshot();
    let drawn = terminal.draw(|frame| drop(draw(state, &session, theme, &Derived::default(), frame.buffer_mut())));
    let frame = drawn.unwrap();
    let rows = frame.buffer.content().chunks(usize::from(width));
    rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned() + "\n").collect()
}

#[test]
fn pictures_of_the_editor() {
    let mut editor = quickstart();
    behind(&mut editor, "activity-perturbation\", scope: example");
    press(&mut editor, "s");
    for (name, size) in [("text_120x40", (120, 40)), ("text_80x24", (80, 24))] {
        let state = State { size, overlay: Some(Overlay::Editor(Box::new(editor.clone()))), ..State::default() };
        insta::assert_snapshot!(name, text(&state, size, &Theme::default()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(13), ..ProptestConfig::with_cases(48) })]

    #[test]
    fn no_keys_break_the_editor(keys in prop::collection::vec((0u8..13, any::<char>(), any::<i8>()), 0..40), start in 0usize..900, size in (1u16..140, 1u16..50)) {
        let mut editor = quickstart();
        editor.buffer.right(start as isize);
        for (key, letter, by) in keys {
            let action = match key {
                0..=2 => Action::Type(letter),
                3 => Action::Accept,
                4 => Action::Erase,
                5 => Action::Delete,
                6 => Action::Cursor(by),
                7 => Action::Scroll(by),
                8 => Action::Undo,
                9 => Action::Save,
                10 => Action::FocusPrevious,
                11 => Action::Back,
                _ => Action::Complete,
            };
            reduce(&mut editor, &action);
            let (row, column) = editor.buffer.cursor();
            prop_assert!(row < editor.buffer.lines().len() && column <= editor.buffer.lines()[row].len());
        }
        // What runs is what reads.
        editor.asking = None;
        reduce(&mut editor, &Action::Run);
        if let Some(Request::Run(draft)) = press(&mut editor, "y") {
            prop_assert!(crate::workspace::Workspace::from_text(&draft.text, "x").is_ok());
        }
        let state = State { size, overlay: Some(Overlay::Editor(Box::new(editor))), ..State::default() };
        text(&state, size, &Theme { tier: Tier::Mono, dark: true, ascii: true, ..Theme::default() });
    }
}
