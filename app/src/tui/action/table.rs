//! The table of actions.
#![forbid(unsafe_code)]

use super::read::{count, export, filter, pane, unit};
use super::{Action, Argument, Entry};
use crate::tui::chord::{Chord, ch, ctrl, key, shift};
use crate::tui::export::Format;
use crate::tui::progress::Unit;
use crossterm::event::KeyCode;

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
        Action::Command("set "),
        "Lanes",
        &[],
        "set a setting",
        "",
        "Give a setting of the selected lane another value while it runs, as lr 0.01 or scope batch; tab lists them.",
    )
    .command("set")
    .takes(&[Argument::Setting, Argument::Value], 2, |words| {
        Ok(Action::Set(words[0].to_owned(), words[1].to_owned()))
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
        "On the lanes: edit the selected one. On the verdict line, after the last pane: its evidence. On any other pane: the full screen, and back.",
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
