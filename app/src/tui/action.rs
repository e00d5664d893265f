//! Everything a person can do, in one table: its name, its keys, its arguments, its help. The key line, the help screen, the
//! palette, the command line and the key bindings are all read from here; a new action is a variant and a row.
#![forbid(unsafe_code)]

use super::chord::{Chord, ch, ctrl, key, shift};
use super::export::{Copied, Format};
use super::panes::{PANES, PaneId};
use super::progress::Unit;
use super::verdict::Evidence;
use super::view::Band;
use crate::record::LaneId;
use crate::workspace::sheet::hint;
use crossterm::event::KeyCode;
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
    Entry { action, name, group, keys, short, help, arguments: &[], least: 0, command: None, read: None }
}

const fn layout_row(number: u8, name: &'static str, keys: &'static [Chord]) -> Entry {
    entry(Action::Layout(number), "Panes", keys, name, "", "The layout of this number, of layouts.ron or built in.")
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
    )
    .command("pause"),
    entry(
        Action::Step(1),
        "Control",
        &[ch('s')],
        "single step",
        "step",
        "Every lane takes one step (or N), then training pauses.",
    )
    .command("step")
    .takes(&[Argument::Number("N")], 0, |words| Ok(Action::Step(count(words[0])?))),
    entry(
        Action::Command("run-to "),
        "Control",
        &[ch('J')],
        "run to a step",
        "",
        "Training goes on to this step of the first lane, then pauses.",
    )
    .command("run-to")
    .takes(&[Argument::Number("STEP")], 1, |words| Ok(Action::RunTo(count(words[0])?))),
    entry(
        Action::RunEpochs(1),
        "Control",
        &[ch('P')],
        "run through the epoch",
        "",
        "Training goes on until the first lane has seen all examples once more (or N times), then pauses.",
    )
    .command("epoch")
    .takes(&[Argument::Number("N")], 0, |words| Ok(Action::RunEpochs(count(words[0])?))),
    entry(
        Action::Command("until "),
        "Control",
        &[ch('Y')],
        "run to a target",
        "",
        "Training goes on until a lane meets a filter, as loss<0.5 or test_accuracy>=0.8, then pauses.",
    )
    .command("until")
    .takes(&[Argument::Text("FILTER")], 1, |words| filter(words[0]).map(Action::RunUntil)),
    entry(Action::Stop, "Control", &[ch('S')], "stop training", "", "Training ends; the curves stay. Asks first.")
        .command("stop"),
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
        Action::NewLane,
        "Lanes",
        &[ch('n')],
        "new lane",
        "new",
        "Add a lane while the others run: it starts at its own step 0 and sees the same batches.",
    ),
    entry(
        Action::CopyLane,
        "Lanes",
        &[ch('c')],
        "copy lane",
        "",
        "Add a lane that begins as a copy of the selected one's settings.",
    ),
    entry(
        Action::EditLane,
        "Lanes",
        &[ch('e')],
        "edit lane",
        "edit",
        "Change the selected lane's settings while it runs; weights and curve stay, a mark says what changed.",
    ),
    entry(
        Action::DropLane,
        "Lanes",
        &[ch('x')],
        "drop lane",
        "",
        "End the selected lane with all its seeds; its curve stays. Once more takes it off the screen. Asks first.",
    )
    .command("drop"),
    entry(
        Action::Command("filter "),
        "Lanes",
        &[ch('/')],
        "filter lanes",
        "",
        "Show the lanes that meet a filter, as strategy=weight* lr>0.001 !diverged; all again when nothing is typed.",
    )
    .command("filter")
    .takes(&[Argument::Text("FILTER")], 0, |words| match words.first() {
        Some(text) if !text.trim().is_empty() => filter(text).map(Action::Filter),
        _ => Ok(Action::Filter(String::new())),
    }),
    entry(
        Action::RateUp,
        "Lanes",
        &[ch('+'), ch('=')],
        "raise the learning rate",
        "",
        "Multiply the selected lane's learning rate by √10.",
    )
    .command("raise-rate"),
    entry(
        Action::RateDown,
        "Lanes",
        &[ch('-')],
        "lower the learning rate",
        "",
        "Divide the selected lane's learning rate by √10.",
    )
    .command("lower-rate"),
    entry(
        Action::PinBaseline,
        "Lanes",
        &[ch('p')],
        "pin as baseline",
        "",
        "The selected lane becomes the baseline of differences; once more gives it up.",
    )
    .command("pin"),
    entry(
        Action::Difference,
        "Lanes",
        &[ch('v')],
        "difference to the baseline",
        "",
        "Charts over the run show each lane minus the pinned one, seed by seed; without a pin, minus the selected.",
    )
    .command("difference"),
    entry(
        Action::NextMetric,
        "Lanes",
        &[ch('t')],
        "rank by another metric",
        "",
        "The next metric that was measured: losses, accuracies, cosine and more.",
    )
    .command("metric"),
    entry(
        Action::NextRanking,
        "Lanes",
        &[ch('T')],
        "rank by best or last",
        "",
        "Which value of a lane counts in the rank table: the best, the last, the smoothed one.",
    )
    .command("ranking"),
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
    entry(
        Action::Command("go "),
        "Look",
        &[],
        "go to a step",
        "",
        "Put the crosshair at this step; `:2000` does the same.",
    )
    .command("go")
    .takes(&[Argument::Number("STEP")], 1, |words| Ok(Action::GoTo(count(words[0])?))),
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
    entry(
        Action::ZoomInValues,
        "Look",
        &[ch('I')],
        "zoom in on values",
        "",
        "Show half the range of values in the focused chart, else in the loss.",
    )
    .command("values-in"),
    entry(
        Action::ZoomOutValues,
        "Look",
        &[ch('O')],
        "zoom out of values",
        "",
        "Show twice the range of values in the focused chart.",
    )
    .command("values-out"),
    entry(Action::PanValues(3), "Look", &[shift(KeyCode::Up)], "pan up", "", "Move the window to greater values."),
    entry(Action::PanValues(-3), "Look", &[shift(KeyCode::Down)], "pan down", "", "Move the window to lesser values."),
    entry(
        Action::Whole,
        "Look",
        &[ch('0')],
        "whole run",
        "",
        "Show all of the run; values follow the data again in every chart.",
    ),
    entry(
        Action::ViewBack,
        "Look",
        &[ch('u')],
        "view back",
        "",
        "Go to what was shown before the last zoom, pan or change of axis.",
    ),
    entry(Action::ViewForward, "Look", &[ch('U')], "view forward", "", "Go to the view that was gone back from."),
    entry(
        Action::NextUnit,
        "Look",
        &[ch('a')],
        "x axis unit",
        "",
        "Compare by steps, examples, directional derivatives, FLOP, or seconds of training.",
    )
    .command("axis")
    .takes(&[Argument::Choice(&Unit::WORDS)], 0, |words| Ok(Action::Unit(unit(words[0])?))),
    entry(Action::Follow, "Look", &[ch('f')], "follow the tail", "", "Keep the newest steps in view, or hold still.")
        .command("follow"),
    entry(
        Action::LogY,
        "Look",
        &[ch('l')],
        "logarithmic values",
        "log y",
        "Logarithmic values in the focused chart, else in the loss.",
    )
    .command("log-y"),
    entry(Action::LogX, "Look", &[ch('L')], "logarithmic steps", "", "Logarithmic steps in all panes.")
        .command("log-x"),
    entry(
        Action::Smoother,
        "Look",
        &[ch('d')],
        "smooth more",
        "smooth",
        "Stronger debiased EMA before the faint raw values; after the strongest, none.",
    ),
    entry(Action::Rougher, "Look", &[ch('D')], "smooth less", "", "Weaker debiased EMA."),
    entry(
        Action::Range,
        "Look",
        &[ch('R')],
        "robust or full range",
        "",
        "Robust leaves out the outermost values, which then show at the edge.",
    )
    .command("range"),
    entry(
        Action::Signed,
        "Look",
        &[ch('C')],
        "signed or absolute cosine",
        "",
        "Cosines with their sign, or magnitudes against the random floor.",
    )
    .command("signed"),
    entry(
        Action::Evidence,
        "Look",
        &[ch('V')],
        "evidence of the verdict",
        "",
        "The pane, the steps and the crosshair that show what the verdict line says; again for the next verdict. A click on it does the same.",
    )
    .command("evidence"),
    entry(Action::FocusNext, "Panes", &[key(KeyCode::Tab)], "next pane", "pane", "Focus the next pane."),
    entry(Action::FocusPrevious, "Panes", &[key(KeyCode::BackTab)], "previous pane", "", "Focus the pane before."),
    entry(
        Action::Open,
        "Panes",
        &[key(KeyCode::Enter)],
        "open",
        "",
        "On the lanes: edit the selected one. On any other pane: the full screen, and back.",
    ),
    entry(Action::ZoomPane, "Panes", &[ch('z')], "zoom pane", "zoom", "The focused pane on the full screen, and back.")
        .command("zoom"),
    layout_row(1, "layout 1", &[ch('1')]),
    layout_row(2, "layout 2", &[ch('2')]),
    layout_row(3, "layout 3", &[ch('3')]),
    layout_row(4, "layout 4", &[ch('4')]),
    layout_row(5, "layout 5", &[ch('5')]),
    layout_row(6, "layout 6", &[ch('6')]),
    layout_row(7, "layout 7", &[ch('7')]),
    layout_row(8, "layout 8", &[ch('8')]),
    layout_row(9, "layout 9", &[ch('9')]),
    entry(Action::Command("layout "), "Panes", &[], "choose a layout", "", "A layout by its number or name.")
        .command("layout")
        .takes(&[Argument::Layout], 1, |words| Ok(Action::LayoutNamed(words[0].to_owned()))),
    entry(Action::Command("show "), "Panes", &[], "show a pane", "", "A pane on the full screen, by its name.")
        .command("show")
        .takes(&[Argument::Pane], 1, |words| Ok(Action::Show(pane(words[0])?))),
    entry(
        Action::Browse,
        "Program",
        &[ch('W')],
        "workspaces",
        "",
        "Open a workspace of this folder, a recent or a shipped one: read it, change it, save it, run it in place.",
    ),
    entry(
        Action::Command("save-workspace "),
        "Program",
        &[],
        "save workspace as",
        "",
        "Write the lanes as they run now to a workspace file.",
    )
    .command("save-workspace")
    .takes(&[Argument::File], 1, |words| Ok(Action::SaveSession(words[0].to_owned()))),
    entry(Action::Help, "Program", &[ch('?'), key(KeyCode::F(1))], "help", "help", "All keys; type to search."),
    entry(
        Action::Command(""),
        "Program",
        &[ch(':')],
        "command line",
        "command",
        "Type an action by name, with its arguments; tab completes, up and down recall.",
    ),
    entry(Action::Palette, "Program", &[ctrl('p')], "palette", "palette", "Find an action by typing part of its name."),
    entry(
        Action::ExportMenu,
        "Panes",
        &[ch('E')],
        "export the pane",
        "export",
        "The focused pane as a PNG or SVG picture, as CSV or JSON values, or as ANSI text.",
    ),
    entry(
        Action::Command("export "),
        "Panes",
        &[],
        "export to a file",
        "",
        "A pane in a format to a file; without one it gets a telling name in the working folder.",
    )
    .command("export")
    .takes(
        &[Argument::Pane, Argument::Choice(&Format::WORDS), Argument::File, Argument::Choice(&["overwrite"])],
        2,
        export,
    ),
    entry(
        Action::CopyMenu,
        "Panes",
        &[ch('y')],
        "copy",
        "",
        "A value, the verdict or the focused pane's text to the clipboard (OSC 52).",
    ),
    entry(
        Action::Back,
        "Program",
        &[key(KeyCode::Esc)],
        "back",
        "",
        "Close what is open; leave the zoom; hide the crosshair; show the whole run.",
    ),
    entry(
        Action::Perf,
        "Program",
        &[key(KeyCode::F(3))],
        "performance of the screen",
        "",
        "Time and bytes of a frame, from key to frame, snapshots that were never drawn.",
    )
    .command("perf"),
    entry(Action::Redraw, "Program", &[ctrl('l')], "redraw", "", "Draw the whole screen anew."),
    entry(Action::Suspend, "Program", &[ctrl('z')], "suspend", "", "Hand the terminal to the shell; `fg` comes back."),
    entry(Action::Quit, "Program", &[ch('q'), ctrl('c')], "quit", "quit", "Leave. Asks first while training."),
];

/// A pane, for an argument.
fn pane(word: &str) -> Result<PaneId, String> {
    PaneId::named(word).filter(|pane| *pane != PaneId::LaneLine).ok_or_else(|| {
        let names: Vec<String> = PANES.iter().map(|pane| pane.id.slug()).collect();
        format!("`{word}` is no pane: {}", hint(&word.to_lowercase(), &names, "panes"))
    })
}

/// A unit of the x axis, for an argument.
fn unit(word: &str) -> Result<Unit, String> {
    Unit::named(word).ok_or_else(|| format!("`{word}` is no unit: expected {}", Unit::WORDS.join(", ")))
}

/// A filter that reads, as it was typed.
fn filter(text: &str) -> Result<String, String> {
    crate::filter::parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// `PANE FORMAT [FILE] [overwrite]`.
fn export(words: &[&str]) -> Result<Action, String> {
    let formats = Format::WORDS.map(str::to_owned);
    let format = Format::named(words[1])
        .ok_or_else(|| format!("`{}` is no format: {}", words[1], hint(words[1], &formats, "formats")))?;
    let overwrite = match words.get(3) {
        None => false,
        Some(&"overwrite") => true,
        Some(other) => return Err(format!("`{other}`: expected `overwrite`, or nothing")),
    };
    Ok(Action::Export { pane: Some(pane(words[0])?), format, file: words.get(2).map(PathBuf::from), overwrite })
}

/// A whole number, for an argument.
fn count(word: &str) -> Result<u64, String> {
    let plain: String = word.chars().filter(|letter| !matches!(letter, '_' | ' ' | '\u{202f}')).collect();
    plain.parse().map_err(|_| format!("`{word}`: expected a whole number, as 2000"))
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
