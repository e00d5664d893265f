//! Everything a person can do, in one table: its name, its keys, its help. The key line, the help screen, the palette and
//! the dispatch of keys are all read from here.
#![forbid(unsafe_code)]

use super::panes::PaneId;
use crate::record::LaneId;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// One thing to do. Those of [`ACTIONS`] have keys; the others carry what was typed or pointed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Pause or resume.
    TogglePause,
    /// Take one round of steps.
    Step,
    /// Start all lanes anew, after a question.
    Reset,
    /// Leave, after a question while training.
    Quit,
    /// Drop the selected lane, after a question.
    DropLane,
    /// Multiply the selected lane's learning rate by √10.
    RateUp,
    /// Divide the selected lane's learning rate by √10.
    RateDown,
    /// Select the lane above.
    PreviousLane,
    /// Select the lane below.
    NextLane,
    /// Select the layer before.
    PreviousLayer,
    /// Select the layer after.
    NextLayer,
    /// Move the crosshair so many hundredths of the window.
    Crosshair(i8),
    /// Show half as many steps.
    ZoomIn,
    /// Show twice as many steps.
    ZoomOut,
    /// Move the window by so many tenths of its width.
    Pan(i8),
    /// Show all steps.
    Whole,
    /// Keep the newest steps in view, or stop doing so.
    Follow,
    /// Logarithmic values in the focused chart.
    LogY,
    /// Logarithmic steps.
    LogX,
    /// Smooth more.
    Smoother,
    /// Smooth less.
    Rougher,
    /// Range of values: robust or everything.
    Range,
    /// Cosines with their sign, or their magnitude.
    Signed,
    /// Focus the next pane.
    FocusNext,
    /// Focus the pane before.
    FocusPrevious,
    /// The focused pane on the full screen, and back.
    ZoomPane,
    /// A pane on the full screen.
    Show(PaneId),
    /// Choose a layout, counted from 1.
    Layout(u8),
    /// The help screen.
    Help,
    /// The palette.
    Palette,
    /// Close what is open, undo zoom, hide the crosshair.
    Back,
    /// Hand the terminal to the shell.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Type a character into the open overlay.
    Type(char),
    /// Erase the last character typed.
    Erase,
    /// Do what the open overlay proposes.
    Accept,
    /// Move within the open overlay, or the log.
    Scroll(i8),
    /// What the mouse pointed at.
    Point {
        /// The pane under it.
        pane: Option<PaneId>,
        /// The lane under it.
        lane: Option<LaneId>,
        /// The step under it.
        step: Option<u64>,
        /// The layer under it.
        layer: Option<u16>,
    },
    /// Show these steps: a rubber band drawn with the mouse.
    Window(u64, u64),
    /// The terminal has a new size.
    Resize(u16, u16),
}

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chord {
    code: KeyCode,
    modifiers: KeyModifiers,
}

const fn key(code: KeyCode) -> Chord {
    Chord { code, modifiers: KeyModifiers::NONE }
}

const fn ch(character: char) -> Chord {
    key(KeyCode::Char(character))
}

const fn ctrl(character: char) -> Chord {
    Chord { code: KeyCode::Char(character), modifiers: KeyModifiers::CONTROL }
}

const fn shift(code: KeyCode) -> Chord {
    Chord { code, modifiers: KeyModifiers::SHIFT }
}

impl Chord {
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
        let pick = |unicode: &str, plain: &str| if ascii { plain.to_owned() } else { unicode.to_owned() };
        let code = match self.code {
            KeyCode::Char(' ') => "space".to_owned(),
            KeyCode::Char(character) if self.modifiers == KeyModifiers::CONTROL => character.to_uppercase().to_string(),
            KeyCode::Char(character) => character.to_string(),
            KeyCode::Up => pick("↑", "up"),
            KeyCode::Down => pick("↓", "down"),
            KeyCode::Left => pick("←", "left"),
            KeyCode::Right => pick("→", "right"),
            KeyCode::Enter => pick("⏎", "enter"),
            KeyCode::Tab => "tab".to_owned(),
            KeyCode::BackTab => pick("⇧tab", "shift-tab"),
            KeyCode::Esc => "esc".to_owned(),
            KeyCode::Home => "home".to_owned(),
            KeyCode::End => "end".to_owned(),
            KeyCode::F(number) => format!("F{number}"),
            other => format!("{other:?}").to_lowercase(),
        };
        match self.modifiers {
            KeyModifiers::CONTROL => format!("^{code}"),
            KeyModifiers::SHIFT => pick("⇧", "shift-") + &code,
            _ => code,
        }
    }
}

/// A line of the table.
#[derive(Debug)]
pub struct Entry {
    /// What it does.
    pub action: Action,
    /// Name in the palette.
    pub name: &'static str,
    /// Heading of the help screen it stands under.
    pub group: &'static str,
    /// Its keys, the one to show first.
    pub keys: &'static [Chord],
    /// One word for the key line; empty when it has no place there.
    pub short: &'static str,
    /// A sentence.
    pub help: &'static str,
}

/// Headings of the help screen, in order.
pub const GROUPS: [&str; 5] = ["Control", "Lanes", "Look", "Panes", "Program"];

const fn entry(
    action: Action,
    group: &'static str,
    keys: &'static [Chord],
    name: &'static str,
    short: &'static str,
    help: &'static str,
) -> Entry {
    Entry { action, name, group, keys, short, help }
}

/// The table.
pub static ACTIONS: &[Entry] = &[
    entry(
        Action::TogglePause,
        "Control",
        &[ch(' ')],
        "pause or resume",
        "pause",
        "Training stops after the step under way, and goes on.",
    ),
    entry(
        Action::Step,
        "Control",
        &[ch('s')],
        "single step",
        "step",
        "Every lane takes one step, then training pauses.",
    ),
    entry(Action::Reset, "Control", &[ch('r')], "reset", "reset", "All lanes start anew from step 0. Asks first."),
    entry(Action::PreviousLane, "Lanes", &[key(KeyCode::Up), ch('k')], "previous lane", "", "Select the lane above."),
    entry(
        Action::NextLane,
        "Lanes",
        &[key(KeyCode::Down), ch('j')],
        "next lane",
        "lane",
        "Select the lane below: heatmap, rank, formula, verdict follow.",
    ),
    entry(
        Action::DropLane,
        "Lanes",
        &[ch('x')],
        "drop lane",
        "",
        "End the selected lane with all its seeds. Asks first.",
    ),
    entry(
        Action::RateUp,
        "Lanes",
        &[ch('+'), ch('=')],
        "raise the learning rate",
        "",
        "Multiply the selected lane's learning rate by √10.",
    ),
    entry(
        Action::RateDown,
        "Lanes",
        &[ch('-')],
        "lower the learning rate",
        "",
        "Divide the selected lane's learning rate by √10.",
    ),
    entry(
        Action::Crosshair(-1),
        "Look",
        &[key(KeyCode::Left)],
        "crosshair left",
        "",
        "Move the crosshair back; every pane shows its values there.",
    ),
    entry(
        Action::Crosshair(1),
        "Look",
        &[key(KeyCode::Right)],
        "crosshair right",
        "crosshair",
        "Move the crosshair on.",
    ),
    entry(
        Action::Crosshair(-10),
        "Look",
        &[shift(KeyCode::Left), ch('b')],
        "crosshair far left",
        "",
        "Move the crosshair a tenth of the window back.",
    ),
    entry(
        Action::Crosshair(10),
        "Look",
        &[shift(KeyCode::Right), ch('w')],
        "crosshair far right",
        "",
        "Move the crosshair a tenth of the window on.",
    ),
    entry(Action::PreviousLayer, "Look", &[ch('[')], "previous layer", "", "Point at the layer before."),
    entry(Action::NextLayer, "Look", &[ch(']')], "next layer", "", "Point at the layer after."),
    entry(
        Action::ZoomIn,
        "Look",
        &[ch('i')],
        "zoom in",
        "",
        "Show half as many steps, around the crosshair or up to the newest.",
    ),
    entry(Action::ZoomOut, "Look", &[ch('o')], "zoom out", "", "Show twice as many steps."),
    entry(Action::Pan(-3), "Look", &[ch('<'), ch(',')], "pan left", "", "Move the window to earlier steps."),
    entry(Action::Pan(3), "Look", &[ch('>'), ch('.')], "pan right", "", "Move the window to later steps."),
    entry(Action::Whole, "Look", &[ch('0')], "whole run", "", "Show all steps."),
    entry(Action::Follow, "Look", &[ch('f')], "follow the tail", "", "Keep the newest steps in view, or hold still."),
    entry(
        Action::LogY,
        "Look",
        &[ch('l')],
        "logarithmic values",
        "log y",
        "Logarithmic values in the focused chart, else in the loss.",
    ),
    entry(Action::LogX, "Look", &[ch('L')], "logarithmic steps", "", "Logarithmic steps in all panes."),
    entry(
        Action::Smoother,
        "Look",
        &[ch('e')],
        "smooth more",
        "smooth",
        "Stronger debiased EMA before the faint raw values; after the strongest, none.",
    ),
    entry(Action::Rougher, "Look", &[ch('E')], "smooth less", "", "Weaker debiased EMA."),
    entry(
        Action::Range,
        "Look",
        &[ch('R')],
        "robust or full range",
        "",
        "Robust leaves out the outermost values, which then show at the edge.",
    ),
    entry(
        Action::Signed,
        "Look",
        &[ch('c')],
        "signed or absolute cosine",
        "",
        "Cosines with their sign, or magnitudes against the random floor.",
    ),
    entry(Action::FocusNext, "Panes", &[key(KeyCode::Tab)], "next pane", "pane", "Focus the next pane."),
    entry(Action::FocusPrevious, "Panes", &[key(KeyCode::BackTab)], "previous pane", "", "Focus the pane before."),
    entry(
        Action::ZoomPane,
        "Panes",
        &[ch('z'), key(KeyCode::Enter)],
        "zoom pane",
        "zoom",
        "The focused pane on the full screen, and back.",
    ),
    entry(Action::Layout(1), "Panes", &[ch('1')], "layout: overview", "", "Everything at a glance."),
    entry(Action::Layout(2), "Panes", &[ch('2')], "layout: curves", "", "Loss and accuracy, large."),
    entry(Action::Layout(3), "Panes", &[ch('3')], "layout: alignment", "", "Heatmap, matrix and cosines."),
    entry(
        Action::Layout(4),
        "Panes",
        &[ch('4')],
        "layout: inside",
        "",
        "Effective rank, norm ratio, one-step effectiveness, cost.",
    ),
    entry(Action::Layout(5), "Panes", &[ch('5')], "layout: reading", "", "Lanes, formula and log."),
    entry(Action::Help, "Program", &[ch('?'), key(KeyCode::F(1))], "help", "help", "All keys; type to search."),
    entry(
        Action::Palette,
        "Program",
        &[ch(':'), ctrl('p')],
        "palette",
        "palette",
        "Find an action by typing part of its name.",
    ),
    entry(
        Action::Back,
        "Program",
        &[key(KeyCode::Esc)],
        "back",
        "",
        "Close what is open; leave the zoom; hide the crosshair.",
    ),
    entry(Action::Redraw, "Program", &[ctrl('l')], "redraw", "", "Draw the whole screen anew."),
    entry(Action::Suspend, "Program", &[ctrl('z')], "suspend", "", "Hand the terminal to the shell; `fg` comes back."),
    entry(Action::Quit, "Program", &[ch('q'), ctrl('c')], "quit", "quit", "Leave. Asks first while training."),
];

/// The action of a key, outside of overlays.
pub fn of_key(event: &KeyEvent) -> Option<Action> {
    ACTIONS.iter().find(|entry| entry.keys.iter().any(|key| key.matches(event))).map(|entry| entry.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_does_two_things() {
        let keys: Vec<(Chord, &str)> =
            ACTIONS.iter().flat_map(|entry| entry.keys.iter().map(|key| (*key, entry.name))).collect();
        for (index, (key, name)) in keys.iter().enumerate() {
            for (other, other_name) in &keys[index + 1..] {
                assert!(key != other, "{} is both {name} and {other_name}", key.name(true));
            }
        }
    }

    #[test]
    fn every_entry_is_complete() {
        for entry in ACTIONS {
            assert!(!entry.keys.is_empty() && GROUPS.contains(&entry.group), "{}", entry.name);
            assert!(entry.help.ends_with('.') && !entry.name.is_empty(), "{}", entry.name);
        }
    }

    #[test]
    fn shift_counts_for_arrows_and_not_for_letters() {
        let press = |code, modifiers| of_key(&KeyEvent::new(code, modifiers));
        assert_eq!(press(KeyCode::Left, KeyModifiers::SHIFT), Some(Action::Crosshair(-10)));
        assert_eq!(press(KeyCode::Left, KeyModifiers::NONE), Some(Action::Crosshair(-1)));
        assert_eq!(press(KeyCode::Char('L'), KeyModifiers::SHIFT), Some(Action::LogX));
        assert_eq!(press(KeyCode::Char('?'), KeyModifiers::SHIFT), Some(Action::Help));
        assert_eq!(press(KeyCode::BackTab, KeyModifiers::SHIFT), Some(Action::FocusPrevious));
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Action::Quit));
        assert_eq!(press(KeyCode::Char('y'), KeyModifiers::NONE), None);
    }
}
