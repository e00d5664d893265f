//! A key with its modifiers: what an event is compared with, what people read, and what they write in `keys.ron`.
#![forbid(unsafe_code)]

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chord {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// A key without modifiers.
pub const fn key(code: KeyCode) -> Chord {
    Chord { code, modifiers: KeyModifiers::NONE }
}

/// A character, as typed: shift is part of it.
pub const fn ch(character: char) -> Chord {
    key(KeyCode::Char(character))
}

/// A letter with Control.
pub const fn ctrl(character: char) -> Chord {
    Chord { code: KeyCode::Char(character), modifiers: KeyModifiers::CONTROL }
}

/// A key that is no character, with Shift.
pub const fn shift(code: KeyCode) -> Chord {
    Chord { code, modifiers: KeyModifiers::SHIFT }
}

/// Keys that have a name in `keys.ron`, with the glyph that people see.
const NAMED: [(&str, &str, KeyCode); 14] = [
    ("space", "space", KeyCode::Char(' ')),
    ("up", "↑", KeyCode::Up),
    ("down", "↓", KeyCode::Down),
    ("left", "←", KeyCode::Left),
    ("right", "→", KeyCode::Right),
    ("enter", "⏎", KeyCode::Enter),
    ("tab", "tab", KeyCode::Tab),
    ("esc", "esc", KeyCode::Esc),
    ("home", "home", KeyCode::Home),
    ("end", "end", KeyCode::End),
    ("pageup", "pgup", KeyCode::PageUp),
    ("pagedown", "pgdn", KeyCode::PageDown),
    ("delete", "del", KeyCode::Delete),
    ("insert", "ins", KeyCode::Insert),
];

/// What a key is expected to be, said where one is not understood.
pub const EXPECTED: &str = "a key is a character (\"p\", \"P\", \"?\"), a name (space, up, down, left, right, enter, tab, \
                            esc, home, end, pageup, pagedown, delete, insert, f1 to f12), or one of these after ctrl-, \
                            alt- or shift-";

impl Chord {
    /// Reads `p`, `P`, `space`, `ctrl-p`, `alt-enter`, `shift-left`, `f1`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        // A lone `-` is the key itself.
        while let Some((modifier, after)) = rest.split_once('-').filter(|(_, after)| !after.is_empty()) {
            modifiers |= match modifier.to_ascii_lowercase().as_str() {
                "ctrl" | "c" => KeyModifiers::CONTROL,
                "alt" | "a" => KeyModifiers::ALT,
                "shift" | "s" => KeyModifiers::SHIFT,
                _ => return Err(format!("`{text}` is no key: `{modifier}-` is not a modifier")),
            };
            rest = after;
        }
        let lower = rest.to_ascii_lowercase();
        let mut letters = rest.chars();
        let code = match (letters.next(), letters.next()) {
            (Some(character), None) if !character.is_control() => KeyCode::Char(character),
            _ => {
                let named = NAMED.iter().find(|(name, ..)| *name == lower).map(|(.., code)| *code);
                let function = lower.strip_prefix('f').and_then(|number| number.parse().ok());
                let function = function.filter(|number| (1..=12).contains(number)).map(KeyCode::F);
                named.or(function).ok_or_else(|| format!("`{text}` is no key"))?
            }
        };
        match code {
            KeyCode::Tab if modifiers == KeyModifiers::SHIFT => Ok(key(KeyCode::BackTab)),
            KeyCode::Char(character) if modifiers.contains(KeyModifiers::SHIFT) => {
                let hint = character.to_uppercase();
                Err(format!("`{text}`: shift is part of a character; write `{hint}`"))
            }
            KeyCode::Char(character)
                if modifiers.contains(KeyModifiers::CONTROL) && !character.is_ascii_lowercase() =>
            {
                Err(format!("`{text}`: terminals know Control only with the letters a to z"))
            }
            _ => Ok(Self { code, modifiers }),
        }
    }

    /// What [`Chord::parse`] reads back.
    pub fn written(&self) -> String {
        let code = match self.code {
            KeyCode::BackTab => return "shift-tab".to_owned(),
            KeyCode::F(number) => format!("f{number}"),
            code => match (NAMED.iter().find(|(.., other)| *other == code), code) {
                (Some((name, ..)), _) => (*name).to_owned(),
                (None, KeyCode::Char(character)) => character.to_string(),
                (None, other) => format!("{other:?}").to_lowercase(),
            },
        };
        let modifiers =
            [(KeyModifiers::CONTROL, "ctrl-"), (KeyModifiers::ALT, "alt-"), (KeyModifiers::SHIFT, "shift-")];
        let before = modifiers.iter().filter(|(modifier, _)| self.modifiers.contains(*modifier));
        before.map(|(_, text)| *text).collect::<String>() + &code
    }

    /// Whether `event` is this key. Shift is part of a character, and told apart only for other keys.
    pub fn matches(&self, event: &KeyEvent) -> bool {
        let mut modifiers = event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        if matches!(event.code, KeyCode::Char(_) | KeyCode::BackTab) {
            modifiers.remove(KeyModifiers::SHIFT);
        }
        self.code == event.code && self.modifiers == modifiers
    }

    /// What people call it: `space`, `⇧←`, `^C`.
    pub fn name(&self, ascii: bool) -> String {
        if ascii {
            return match (self.code, self.modifiers) {
                (KeyCode::Char(character), KeyModifiers::CONTROL) => format!("^{}", character.to_uppercase()),
                _ => self.written(),
            };
        }
        let code = match self.code {
            KeyCode::BackTab => return "⇧tab".to_owned(),
            KeyCode::F(number) => format!("F{number}"),
            KeyCode::Char(character) if self.modifiers == KeyModifiers::CONTROL => character.to_uppercase().to_string(),
            code => match (NAMED.iter().find(|(.., other)| *other == code), code) {
                (Some((_, glyph, _)), _) => (*glyph).to_owned(),
                (None, KeyCode::Char(character)) => character.to_string(),
                (None, other) => format!("{other:?}").to_lowercase(),
            },
        };
        let modifiers = [(KeyModifiers::CONTROL, "^"), (KeyModifiers::ALT, "⌥"), (KeyModifiers::SHIFT, "⇧")];
        let before = modifiers.iter().filter(|(modifier, _)| self.modifiers.contains(*modifier));
        before.map(|(_, text)| *text).collect::<String>() + &code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in
            ["p", "P", "?", "-", "=", "space", "ctrl-p", "alt-enter", "shift-left", "shift-tab", "f1", "alt-x", "home"]
        {
            let chord = Chord::parse(text).unwrap();
            assert_eq!(chord.written(), text);
        }
        assert_eq!(Chord::parse("Ctrl-c").unwrap(), ctrl('c'));
        assert_eq!(Chord::parse("F12").unwrap(), key(KeyCode::F(12)));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "pp", "hyper-x", "f13", "f0", "ctrl-", "shift-p", "ctrl-?", "ctrl-P"] {
            assert!(Chord::parse(text).is_err(), "{text}");
        }
        assert!(Chord::parse("shift-p").unwrap_err().contains("write `P`"));
    }

    #[test]
    fn names_for_people() {
        let names =
            |ascii| [ctrl('c'), shift(KeyCode::Left), ch(' '), key(KeyCode::BackTab)].map(|key| key.name(ascii));
        assert_eq!(names(false), ["^C", "⇧←", "space", "⇧tab"]);
        assert_eq!(names(true), ["^C", "shift-left", "space", "shift-tab"]);
    }
}
