//! Which keys do what: the table's own keys, the preset `vim` on top of them, and what `keys.ron` says.
#![forbid(unsafe_code)]

use super::action::{ACTIONS, Action};
use super::chord::{Chord, ch, ctrl, key};
use crossterm::event::{KeyCode, KeyEvent};
use serde::Deserialize;

/// Keys that a preset gives to actions, by their names, in place of the table's.
type Bindings = &'static [(&'static str, &'static [Chord])];

/// Movement as in vi: `h` and `l` along the steps, `j` and `k` along the lanes (which the table has already).
const VIM: Bindings = &[
    ("crosshair-left", &[ch('h'), key(KeyCode::Left)]),
    ("crosshair-right", &[ch('l'), key(KeyCode::Right)]),
    ("pan-left", &[ch('H'), ch('<'), ch(',')]),
    ("pan-right", &[ch('L'), ch('>'), ch('.')]),
    ("log-y", &[ch('m')]),
    ("log-x", &[ch('M')]),
    ("whole-run", &[ch('0'), ch('g')]),
    ("follow", &[ch('G'), ch('f')]),
    ("back", &[key(KeyCode::Esc), ctrl('o')]),
];

/// A set of keys to begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// The table's own.
    #[default]
    Default,
    /// Movement as in vi.
    Vim,
}

impl Preset {
    fn bindings(self) -> Bindings {
        match self {
            Self::Default => &[],
            Self::Vim => VIM,
        }
    }
}

/// The keys of every row of [`ACTIONS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    rows: Vec<Vec<Chord>>,
}

impl Default for Keymap {
    fn default() -> Self {
        Self::preset(Preset::Default)
    }
}

impl Keymap {
    /// The keys of a preset.
    pub fn preset(preset: Preset) -> Self {
        let bindings = preset.bindings();
        let keys = |id: &str| bindings.iter().find(|(name, _)| *name == id).map(|(_, keys)| *keys);
        Self { rows: ACTIONS.iter().map(|entry| keys(&entry.id()).unwrap_or(entry.keys).to_vec()).collect() }
    }

    /// The keys of row `index`, the one to show first.
    pub fn keys(&self, index: usize) -> &[Chord] {
        self.rows.get(index).map_or(&[], Vec::as_slice)
    }

    /// The keys of an action of the table.
    pub fn of(&self, action: &Action) -> &[Chord] {
        ACTIONS.iter().position(|entry| entry.action == *action).map_or(&[], |index| self.keys(index))
    }

    /// Gives row `index` these keys.
    pub fn bind(&mut self, index: usize, keys: Vec<Chord>) {
        if let Some(row) = self.rows.get_mut(index) {
            *row = keys;
        }
    }

    /// The row that has this key.
    pub fn row(&self, chord: Chord) -> Option<usize> {
        self.rows.iter().position(|keys| keys.contains(&chord))
    }

    /// The action of a key, outside of overlays.
    pub fn action(&self, event: &KeyEvent) -> Option<&'static Action> {
        let row = self.rows.iter().position(|keys| keys.iter().any(|key| key.matches(event)))?;
        ACTIONS.get(row).map(|entry| &entry.action)
    }

    /// The first key with which each action is shown, as people call it: `s`, `^P`. Empty where it has none.
    pub fn shown(&self, action: &Action, ascii: bool) -> String {
        self.of(action).first().map(|key| key.name(ascii)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyModifiers;

    #[test]
    fn no_key_does_two_things_in_any_preset() {
        for preset in [Preset::Default, Preset::Vim] {
            let keymap = Keymap::preset(preset);
            for (index, entry) in ACTIONS.iter().enumerate() {
                for key in keymap.keys(index) {
                    let first = keymap.row(*key).map(|row| ACTIONS[row].name);
                    assert_eq!(first, Some(entry.name), "{} in the preset {preset:?}", key.name(true));
                }
            }
        }
    }

    #[test]
    fn presets_name_actions_that_are_there() {
        for (name, _) in VIM {
            assert!(ACTIONS.iter().any(|entry| entry.id() == *name), "{name}");
        }
    }

    #[test]
    fn shift_counts_for_arrows_and_not_for_letters() {
        let keymap = Keymap::default();
        let press = |code, modifiers| keymap.action(&KeyEvent::new(code, modifiers)).cloned();
        assert_eq!(press(KeyCode::Left, KeyModifiers::SHIFT), Some(Action::Crosshair(-10)));
        assert_eq!(press(KeyCode::Left, KeyModifiers::NONE), Some(Action::Crosshair(-1)));
        assert_eq!(press(KeyCode::Char('L'), KeyModifiers::SHIFT), Some(Action::LogX));
        assert_eq!(press(KeyCode::Char('?'), KeyModifiers::SHIFT), Some(Action::Help));
        assert_eq!(press(KeyCode::BackTab, KeyModifiers::SHIFT), Some(Action::FocusPrevious));
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Action::Quit));
        assert_eq!(press(KeyCode::Char('§'), KeyModifiers::NONE), None);
    }

    #[test]
    fn vim_moves_the_crosshair_with_letters() {
        let keymap = Keymap::preset(Preset::Vim);
        let press = |letter| keymap.action(&KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE)).cloned();
        assert_eq!(press('h'), Some(Action::Crosshair(-1)));
        assert_eq!(press('j'), Some(Action::NextLane));
        assert_eq!(press('m'), Some(Action::LogY));
    }
}
