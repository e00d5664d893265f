//! `keys.ron`: a preset, and keys for single actions in place of the preset's.
#![forbid(unsafe_code)]

use super::super::action::{ACTIONS, Action, Entry, GROUPS};
use super::super::chord::{Chord, EXPECTED};
use super::super::command::{nearest, plain};
use super::super::keymap::{Keymap, Preset};
use crate::workspace::Diagnostic;
use crate::workspace::sheet::Sheet;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The file as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    preset: Preset,
    bind: BTreeMap<String, Vec<String>>,
}

/// Reads a `keys.ron`; `file` names it in messages.
///
/// # Errors
/// Everything that is wrong with it: actions and keys that do not exist, keys that would do two things.
pub fn read(file: &str, text: &str) -> Result<Keymap, Vec<Diagnostic>> {
    let (written, mut sheet) = Sheet::read::<Written>(file, text)?;
    let mut keymap = Keymap::preset(written.preset);
    let mut bound: Vec<(usize, Vec<(Chord, String)>)> = Vec::new();
    for (name, keys) in &written.bind {
        let at = format!("bind.{name}");
        let Some(row) = ACTIONS.iter().position(|entry| entry.id() == plain(name)) else {
            let hint = match nearest(&plain(name)) {
                Some(id) => format!("did you mean `{id}`? `guesswork config --print-default keys` lists them all"),
                None => "`guesswork config --print-default keys` lists them all".to_owned(),
            };
            sheet.report_key(&at, name, format!("unknown action `{name}`"), Some(hint));
            continue;
        };
        let mut chords = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            let place = format!("{at}[{index}]");
            match Chord::parse(key) {
                Ok(chord) => chords.push((chord, place)),
                Err(message) => sheet.report(&place, message, Some(EXPECTED.to_owned())),
            }
        }
        keymap.bind(row, chords.iter().map(|(chord, _)| *chord).collect());
        bound.push((row, chords));
    }
    for (row, chords) in &bound {
        for (chord, place) in chords {
            conflict(&mut sheet, &keymap, &bound, (*row, *chord), place);
        }
    }
    let quit = ACTIONS.iter().find(|entry| entry.action == Action::Quit).map(Entry::id).unwrap_or_default();
    if keymap.of(&Action::Quit).is_empty() {
        sheet.report_key(&format!("bind.{quit}"), &quit, format!("`{quit}` needs a key, or there is no way out"), None);
    }
    let found = sheet.found();
    if found.is_empty() { Ok(keymap) } else { Err(found) }
}

/// Notes that a key of the file does something else too: in the file, or by the preset.
fn conflict(
    sheet: &mut Sheet,
    keymap: &Keymap,
    bound: &[(usize, Vec<(Chord, String)>)],
    (row, chord): (usize, Chord),
    place: &str,
) {
    for (other, entry) in ACTIONS.iter().enumerate().filter(|(other, _)| *other != row) {
        if !keymap.keys(other).contains(&chord) {
            continue;
        }
        let id = entry.id();
        let theirs = bound.iter().find(|(row, _)| *row == other);
        let theirs = theirs.and_then(|(_, chords)| chords.iter().find(|(key, _)| *key == chord));
        match theirs {
            // Both stand in the file: told of once, at the later action.
            Some(_) if other > row => {}
            Some((_, theirs)) => {
                let line = sheet.line(theirs).map_or_else(String::new, |line| format!(" (line {line})"));
                let message = format!("the key `{}` is bound to `{id}`{line} as well", chord.written());
                sheet.report(place, message, Some("a key can do one thing: take it from one of them".to_owned()));
            }
            None => {
                let rest: Vec<String> = keymap.keys(other).iter().filter(|key| **key != chord).map(quoted).collect();
                let hint = format!("give `{id}` other keys too: \"{id}\": [{}]", rest.join(", "));
                let message = format!("the key `{}` is bound to `{id}` by the preset", chord.written());
                sheet.report(place, message, Some(hint));
            }
        }
    }
}

fn quoted(key: &Chord) -> String {
    format!("\"{}\"", key.written().replace('\\', "\\\\").replace('"', "\\\""))
}

/// The built-in keys, as a file to begin with: every action with its help.
pub fn default_text() -> String {
    let mut text = String::from(
        "// Keys of the workbench. What is left out keeps the preset's keys; [] takes an action's keys away.\n//\n",
    );
    for line in super::super::format::wrap(EXPECTED, 100) {
        let _ = writeln!(text, "// {line}");
    }
    text.push_str("(\n    // The keys to begin with: default, or vim (h l along the steps, j k along the lanes).\n");
    text.push_str("    preset: default,\n    bind: {\n");
    for group in GROUPS {
        let _ = writeln!(text, "        // {group}\n");
        for entry in ACTIONS.iter().filter(|entry| entry.group == group) {
            let keys: Vec<String> = entry.keys.iter().map(quoted).collect();
            for line in super::super::format::wrap(entry.help, 100) {
                let _ = writeln!(text, "        // {line}");
            }
            let _ = writeln!(text, "        \"{}\": [{}],", entry.id(), keys.join(", "));
        }
        text.push('\n');
    }
    text.push_str("    },\n)\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> String {
        let found = read("keys.ron", text).unwrap_err();
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_printed_file_is_the_default() {
        assert_eq!(read("keys.ron", &default_text()).unwrap(), Keymap::default());
        assert_eq!(read("keys.ron", "").unwrap(), Keymap::default());
    }

    #[test]
    fn a_preset_and_single_keys() {
        let text = r#"(preset: vim, bind: {"pause": ["p", "space"], "step": ["ctrl-n"], "redraw": [], "pin": []})"#;
        let keymap = read("keys.ron", text).unwrap();
        assert_eq!(keymap.shown(&Action::TogglePause, false), "p");
        assert_eq!(keymap.shown(&Action::Step(1), false), "^N");
        assert_eq!(keymap.shown(&Action::Redraw, false), "");
        assert_eq!(keymap.shown(&Action::Crosshair(-1), false), "h");
    }

    #[test]
    fn wrong_names_and_keys_are_pointed_at() {
        let wrong = errors("(\n    bind: {\n        \"puase\": [\"p\"],\n    },\n)");
        assert!(wrong.starts_with("keys.ron:3:10: unknown action `puase`"), "{wrong}");
        assert!(wrong.contains("did you mean `pause`"), "{wrong}");
        let wrong = errors("(bind: {\"pause\": [\"space\", \"hyper-p\"]})");
        assert!(wrong.starts_with("keys.ron:1:28: `hyper-p` is no key"), "{wrong}");
        let wrong = errors("(preset: emacs)");
        assert!(wrong.contains("unknown value `emacs`") && wrong.contains("`vim`"), "{wrong}");
        assert!(errors("(bind: {\"quit\": []})").contains("no way out"));
    }

    #[test]
    fn a_key_that_would_do_two_things_is_told_of_once() {
        let wrong = errors("(bind: {\"pause\": [\"s\"]})");
        assert!(wrong.contains("the key `s` is bound to `step` by the preset"), "{wrong}");
        assert!(wrong.contains("\"step\": []"), "{wrong}");
        let wrong = errors("(bind: {\n\"pause\": [\"F5\"],\n\"step\": [\"f5\"]})");
        assert_eq!(wrong.matches("is bound to").count(), 1, "{wrong}");
        assert!(wrong.starts_with("keys.ron:3:") && wrong.contains("`pause` (line 2) as well"), "{wrong}");
    }
}
