//! Everything a person can do. Rows of one table say its name, its keys, its arguments, its help; the key line, the help screen, the
//! palette, the command line and the key bindings are all read from there. A new action is a variant here and a row in [`ACTIONS`].
#![forbid(unsafe_code)]

mod read;
mod table;

pub use table::{ACTIONS, GROUPS};

use super::chord::Chord;
use super::export::{Copied, Format};
use super::panes::PaneId;
use super::progress::Unit;
use super::verdict::Evidence;
use super::view::Band;
use crate::record::LaneId;
use std::path::PathBuf;

/// One thing to do. Those of [`ACTIONS`] have keys; the others carry what was typed or pointed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Pause or resume.
    TogglePause,
    /// Take so many rounds of steps.
    Step(u64),
    /// Run until the first lane has taken so many steps, then pause.
    RunTo(u64),
    /// Run to the end of the epoch, or of so many, then pause.
    RunEpochs(u64),
    /// Run until a lane meets this filter, then pause.
    RunUntil(String),
    /// Start all lanes anew, after a question.
    Reset,
    /// End training and keep the screen, after a question.
    Stop,
    /// Leave, after a question while training.
    Quit,
    /// Open the form for a lane more.
    NewLane,
    /// Open the form for a copy of the selected lane.
    CopyLane,
    /// Open the form for other settings of the selected lane.
    EditLane,
    /// Drop the selected lane, after a question.
    DropLane,
    /// Show the lanes that meet this filter; all when it is blank.
    Filter(String),
    /// Give a setting of the selected lane another value.
    Set(String, String),
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
    /// Show half the range of values of the focused chart.
    ZoomInValues,
    /// Show twice the range of values of the focused chart.
    ZoomOutValues,
    /// Move the window of values of the focused chart by so many tenths of its height.
    PanValues(i8),
    /// Show half or twice as much of the run around a place along x.
    Magnify {
        /// The place.
        at: u64,
        /// Half as much.
        closer: bool,
    },
    /// Show half or twice the range of a chart's values around a place.
    MagnifyValues {
        /// The chart.
        pane: PaneId,
        /// The place, in parts of the height from below.
        part: u16,
        /// Half as much.
        closer: bool,
    },
    /// The view before.
    ViewBack,
    /// The view gone back from.
    ViewForward,
    /// The next unit of the x axis.
    NextUnit,
    /// Make the selected lane the baseline, or give it up.
    PinBaseline,
    /// Show charts as differences to the baseline, or as they are.
    Difference,
    /// Rank by the next metric.
    NextMetric,
    /// Rank by the best, the last or the smoothed value.
    NextRanking,
    /// This unit of the x axis.
    Unit(Unit),
    /// Show all of the run and all values.
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
    /// What the focused pane is for: lanes are edited, others zoomed.
    Open,
    /// The focused pane on the full screen, and back.
    ZoomPane,
    /// A pane on the full screen.
    Show(PaneId),
    /// Show the evidence of a verdict: of the first, then of the next.
    Evidence,
    /// Show this evidence.
    Look(Evidence),
    /// The browser of workspaces.
    Browse,
    /// Edit the session as it is now, and save it there.
    SaveSession(String),
    /// Save the text of the open editor.
    Save,
    /// Run the text of the open editor.
    Run,
    /// Take the last change back.
    Undo,
    /// Choose a layout, counted from 1.
    Layout(u8),
    /// Choose a layout by its name or number.
    LayoutNamed(String),
    /// The help screen.
    Help,
    /// The palette.
    Palette,
    /// The command line, with this much typed already.
    Command(&'static str),
    /// Put the crosshair at this step.
    GoTo(u64),
    /// Choose a format to export the focused pane in.
    ExportMenu,
    /// Write what a pane shows to a file.
    Export {
        /// The pane; the focused one when `None`.
        pane: Option<PaneId>,
        /// The format.
        format: Format,
        /// The file; one with a telling name in the working folder when `None`.
        file: Option<PathBuf>,
        /// Whether a file that is there may be replaced.
        overwrite: bool,
    },
    /// Choose what of the focused pane goes to the clipboard.
    CopyMenu,
    /// Put it there.
    Copy(Copied),
    /// Close what is open, undo zoom, hide the crosshair.
    Back,
    /// Hand the terminal to the shell.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Show what the screen itself costs, or hide it.
    Perf,
    /// Type a character into the open overlay.
    Type(char),
    /// Erase the character before the cursor.
    Erase,
    /// Erase the last word typed.
    EraseWord,
    /// Erase all that was typed.
    EraseAll,
    /// Move the cursor in what was typed.
    Cursor(i8),
    /// Complete what was typed.
    Complete,
    /// Erase the character under the cursor.
    Delete,
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
    /// A rubber band is being drawn.
    Stretch(Band),
    /// Show what the rubber band was drawn around.
    Window(Band),
    /// The terminal has a new size.
    Resize(u16, u16),
}

/// What can be typed after a command's name: what the command line shows, and what it completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A number, called so.
    Number(&'static str),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A pane.
    Pane,
    /// A layout, by number or name.
    Layout,
    /// A lane, by its name.
    Lane,
    /// A setting of the selected lane.
    Setting,
    /// What the setting before it can be.
    Value,
    /// A file.
    File,
    /// The rest of the line, called so.
    Text(&'static str),
}

impl Argument {
    /// What stands for it in `:step [N]`.
    pub fn placeholder(&self) -> String {
        match self {
            Self::Number(name) | Self::Text(name) => (*name).to_owned(),
            Self::Choice(words) => words.join("|"),
            Self::Pane => "PANE".to_owned(),
            Self::Layout => "LAYOUT".to_owned(),
            Self::Lane => "LANE".to_owned(),
            Self::Setting => "SETTING".to_owned(),
            Self::Value => "VALUE".to_owned(),
            Self::File => "FILE".to_owned(),
        }
    }
}

/// A row of the table.
#[derive(Debug)]
pub struct Entry {
    /// What it does; of one that needs arguments: ask for them.
    pub action: Action,
    /// Name in the palette.
    pub name: &'static str,
    /// Heading of the help screen it stands under.
    pub group: &'static str,
    /// Its keys unless `keys.ron` gives others, the one to show first.
    pub keys: &'static [Chord],
    /// One word for the key line; empty when it has no place there.
    pub short: &'static str,
    /// A sentence.
    pub help: &'static str,
    /// Its arguments on the command line.
    pub arguments: &'static [Argument],
    /// How many of them must be given.
    pub least: usize,
    command: Option<&'static str>,
    read: Option<fn(&[&str]) -> Result<Action, String>>,
}

impl Entry {
    /// Name on the command line and in `keys.ron`, where the palette's own name would be long: `:pause`.
    const fn command(mut self, name: &'static str) -> Self {
        self.command = Some(name);
        self
    }

    /// Its arguments on the command line, of which `least` must be given, and the action that they make. An error says what was
    /// expected. The action of a row with `least > 0` is [`Action::Command`], which asks for them.
    const fn takes(
        mut self,
        arguments: &'static [Argument],
        least: usize,
        read: fn(&[&str]) -> Result<Action, String>,
    ) -> Self {
        (self.arguments, self.least, self.read) = (arguments, least, Some(read));
        self
    }

    /// Name on the command line and in `keys.ron`: letters, digits and `-`.
    pub fn id(&self) -> String {
        let letter = |letter: char| if letter == ' ' { '-' } else { letter };
        self.command.map_or_else(|| self.name.chars().filter(|&c| c != ':').map(letter).collect(), str::to_owned)
    }

    /// `:step [N]`.
    pub fn usage(&self) -> String {
        let mut text = format!(":{}", self.id());
        for (index, argument) in self.arguments.iter().enumerate() {
            let word = argument.placeholder();
            text.push_str(&if index < self.least { format!(" {word}") } else { format!(" [{word}]") });
        }
        text
    }

    /// The action that these arguments make.
    ///
    /// # Errors
    /// Too few, too many, or not what was expected.
    pub fn with(&self, words: &[&str]) -> Result<Action, String> {
        match self.read {
            _ if words.len() > self.arguments.len() => {
                Err(format!("`{}` is too much: {}", words[self.arguments.len()], self.usage()))
            }
            _ if words.len() < self.least => Err(format!("something is missing: {}", self.usage())),
            Some(read) if !words.is_empty() => read(words),
            // By its key it asks for what may be left out; entered without, it is left out.
            Some(read) if self.least == 0 && matches!(self.action, Action::Command(_)) => read(words),
            _ => Ok(self.action.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_entry_is_complete() {
        let mut ids = BTreeSet::new();
        for entry in ACTIONS {
            assert!(GROUPS.contains(&entry.group), "{}", entry.name);
            assert!(entry.help.ends_with('.') && !entry.name.is_empty(), "{}", entry.name);
            let id = entry.id();
            assert!(id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{id}");
            assert!(id.len() <= 24, "{id} is long to type: give it a .command(…)");
            assert!(ids.insert(id), "two actions are called {}", entry.id());
            let asks = matches!(entry.action, Action::Command(_));
            assert!(entry.least <= entry.arguments.len() && (entry.least == 0 || asks), "{}", entry.name);
        }
    }

    #[test]
    fn arguments_make_actions_and_errors_say_what_was_expected() {
        let step = ACTIONS.iter().find(|entry| entry.action == Action::Step(1)).unwrap();
        assert_eq!((step.id().as_str(), step.usage().as_str()), ("step", ":step [N]"));
        assert_eq!(step.with(&[]), Ok(Action::Step(1)));
        assert_eq!(step.with(&["1_000"]), Ok(Action::Step(1000)));
        assert!(step.with(&["x"]).unwrap_err().contains("whole number"));
        assert!(step.with(&["1", "2"]).unwrap_err().contains(":step [N]"));
    }
}
