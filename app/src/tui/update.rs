//! What an action does to the state, and what it asks of the outside. No terminal, no clock, no thread.
#![forbid(unsafe_code)]

use super::action::Action;
use super::answer;
use super::command::{complete::World, prompt};
use super::compare;
use super::editor::text::Draft;
use super::export::{self, Copied};
use super::format;
use super::lanes::{Group, shown};
use super::layout;
use super::navigate;
use super::overlay::menu::Menu;
use super::panes::{self, PaneId};
use super::perf::Figures;
use super::state::{Overlay, SMOOTHING, State};
use super::steer;
use super::view::View;
use super::watching;
use crate::record::LaneId;
use crate::session::protocol::{Command, Origin, Snapshot, Status};
use crate::workspace::Shelved;
use crate::workspace::sheet::hint;
use std::path::PathBuf;

/// What the loop is to do after an update.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send the trainer a command.
    Send(Command),
    /// Leave the screen.
    Quit,
    /// Go on training the opened run.
    TrainOn,
    /// Hand the terminal to the shell.
    Suspend,
    /// Open the browser of workspaces.
    Browse,
    /// Open the editor on this workspace.
    Edit(Shelved),
    /// Open the editor on the session as it is now; save it there.
    EditSession(Option<String>),
    /// Save the text of the open editor.
    Save {
        /// Where.
        path: PathBuf,
        /// Whether a file that is there may go.
        over: bool,
    },
    /// End the session and run this.
    Open(Box<Draft>),
    /// Apply [`Action::Look`] with the evidence of the verdict of [`State::verdict`], as last drawn.
    Evidence,
    /// Clear, and draw everything.
    Redraw,
    /// Write what a pane shows.
    Export(export::Request),
    /// Put text on the clipboard.
    Copy(Copied),
}

/// Applies `action`.
pub fn update(state: &mut State, action: Action, snapshot: &Snapshot) -> Vec<Effect> {
    if !matches!(action, Action::Resize(..)) {
        state.notice = None;
        state.refusal = snapshot.refused.as_ref().map_or(0, |refused| refused.number);
    }
    let lanes = shown(state, snapshot);
    heal(state, &lanes);
    if state.overlay.is_some() {
        return answer::in_overlay(state, action, snapshot);
    }
    if let Some(notice) = watching::refusal(&action, snapshot) {
        state.notice = Some(notice.to_owned());
        return Vec::new();
    }
    if navigate::apply(state, &action, snapshot) {
        return Vec::new();
    }
    match action {
        Action::TogglePause if snapshot.origin == Origin::Opened => {
            confirm(state, "Go on training this run from its checkpoints?".to_owned(), action);
        }
        Action::TogglePause => match snapshot.status {
            Status::Running => return vec![Effect::Send(Command::Pause)],
            Status::Paused => return vec![Effect::Send(Command::Resume)],
            Status::Starting => {
                state.notice = Some("pauses as soon as it has started".to_owned());
                return vec![Effect::Send(Command::Pause)];
            }
            Status::Finished => state.notice = Some("all lanes have ended; r starts them anew".to_owned()),
            Status::Stopped => state.notice = Some("nobody trains this run".to_owned()),
            Status::Failed(_) => state.notice = Some("the trainer has failed".to_owned()),
        },
        Action::Step(rounds) => return vec![Effect::Send(Command::Step(rounds))],
        Action::RunTo(_) | Action::RunEpochs(_) | Action::RunUntil(_) => {
            return steer::run_on(state, &action, snapshot);
        }
        Action::Filter(text) => steer::set_filter(state, &text, snapshot),
        Action::Stop if matches!(snapshot.status, Status::Finished | Status::Failed(_)) => {
            state.notice = Some("nothing is running".to_owned());
        }
        Action::Stop => {
            confirm(state, "Stop training? Lanes end where they stand, their curves stay.".to_owned(), action)
        }
        Action::Reset => confirm(state, "Start all lanes anew from step 0?".to_owned(), action),
        Action::Quit if snapshot.status == Status::Running && snapshot.origin == Origin::Training => {
            confirm(state, "Training is under way. Stop it and quit?".to_owned(), action);
        }
        Action::Quit => return answer::perform(state, action, snapshot),
        Action::NewLane | Action::CopyLane | Action::EditLane => steer::open_form(state, action, &lanes, snapshot),
        Action::Open if state.on_verdict => return vec![Effect::Evidence],
        Action::Open if state.focus == PaneId::Lanes => steer::open_form(state, Action::EditLane, &lanes, snapshot),
        Action::Open => state.zoomed = !state.zoomed,
        Action::DropLane => match selected(state, &lanes) {
            Some(group) if group.lanes.iter().all(|lane| lane.ended.is_some()) => {
                confirm(state, format!("Take {} off the screen?", group.name), action);
            }
            Some(group) if group.lanes.len() > 1 => {
                confirm(state, format!("Drop {} with its {} seeds?", group.name, group.lanes.len()), action);
            }
            Some(group) => confirm(state, format!("Drop {}?", group.name), action),
            None => {}
        },
        Action::Set(name, value) => return steer::set(state, (&name, &value), &lanes, snapshot),
        Action::RateUp => return change_rate(state, &lanes, 1),
        Action::RateDown => return change_rate(state, &lanes, -1),
        Action::PreviousLane if state.focus == PaneId::Log && state.zoomed => scroll_log(state, 1, snapshot),
        Action::NextLane if state.focus == PaneId::Log && state.zoomed => scroll_log(state, -1, snapshot),
        Action::PreviousLane => select(state, &lanes, -1),
        Action::NextLane => select(state, &lanes, 1),
        Action::PreviousLayer => choose_layer(state, &lanes, -1),
        Action::NextLayer => choose_layer(state, &lanes, 1),
        Action::LogY => {
            let pane = navigate::chart(state);
            if state.is_difference(pane) {
                let key = state.keymap.shown(&Action::Difference, true);
                state.notice =
                    Some(format!("differences have both signs, their axis is linear: {key} shows the values"));
                return Vec::new();
            }
            match state.log_y.iter().position(|other| *other == pane) {
                Some(index) => drop(state.log_y.remove(index)),
                None => state.log_y.push(pane),
            }
        }
        Action::LogX => state.log_x = !state.log_x,
        Action::Smoother => state.smoothing = (state.smoothing + 1) % SMOOTHING.len(),
        Action::Rougher => state.smoothing = (state.smoothing + SMOOTHING.len() - 1) % SMOOTHING.len(),
        Action::Range => {
            state.robust = !state.robust;
            let text = if state.robust { "range of values: without the outermost" } else { "range of values: all" };
            state.notice = Some(text.to_owned());
        }
        Action::Signed => {
            state.signed = !state.signed;
            let text = if state.signed { "cosines with their sign" } else { "magnitudes of cosines" };
            state.notice = Some(text.to_owned());
        }
        Action::PinBaseline => compare::pin(state, &lanes),
        Action::Difference => compare::difference(state, &lanes),
        Action::NextMetric => compare::next_metric(state, snapshot),
        Action::NextRanking => {
            state.ranked_by = state.ranked_by.next();
            state.notice = Some(format!("ranked by the {} value", state.ranked_by.name()));
        }
        Action::FocusNext => focus(state, snapshot, 1),
        Action::FocusPrevious => focus(state, snapshot, -1),
        Action::ZoomPane => state.zoomed = !state.zoomed,
        Action::Browse => return vec![Effect::Browse],
        Action::SaveSession(path) => return vec![Effect::EditSession(Some(path))],
        Action::Evidence => return vec![Effect::Evidence],
        Action::Look(evidence) => steer::look(state, evidence, snapshot),
        Action::Show(pane) => (state.focus, state.zoomed, state.on_verdict) = (pane, true, false),
        Action::Layout(number) => choose_layout(state, number, snapshot),
        Action::LayoutNamed(name) => match state.layouts.number(&name) {
            Some(number) => choose_layout(state, number, snapshot),
            None => {
                let names: Vec<String> = state.layouts.all().iter().map(|layout| layout.name.clone()).collect();
                state.notice = Some(format!("no layout `{name}`: {}", hint(&name, &names, "layouts")));
            }
        },
        Action::Help => state.overlay = Some(Overlay::Help { query: String::new(), scroll: 0 }),
        Action::Command(typed) => {
            let world = World { snapshot, layouts: &state.layouts, selected: state.selected };
            state.overlay = Some(Overlay::Command(prompt::Prompt::new(typed, world)));
        }
        Action::ExportMenu => state.overlay = Some(Overlay::Menu(Menu::export(state.focus))),
        Action::CopyMenu => state.overlay = Some(Overlay::Menu(Menu::copy(state.focus))),
        Action::Export { pane, format, file, overwrite } => {
            let pane = pane.unwrap_or(state.focus);
            return vec![Effect::Export(export::Request { pane, format, file, overwrite })];
        }
        Action::Copy(what) => return vec![Effect::Copy(what)],
        Action::Palette => state.overlay = Some(Overlay::Palette { query: String::new(), chosen: 0 }),
        Action::Back => back(state),
        Action::Suspend => return vec![Effect::Suspend],
        Action::Redraw => return vec![Effect::Redraw],
        Action::Perf => {
            state.perf = match state.perf {
                Some(_) => None,
                None => Some(Figures::default()),
            };
        }
        Action::Scroll(by) if state.focus == PaneId::Log => scroll_log(state, -i64::from(by), snapshot),
        Action::Point { pane, lane, step, layer } => {
            state.on_verdict &= pane.is_none();
            state.focus = pane.unwrap_or(state.focus);
            state.selected = lane.or(state.selected);
            state.crosshair = step.map(|step| step.min(state.end(snapshot))).or(state.crosshair);
            state.layer = layer.or(state.layer);
            heal(state, &lanes);
        }
        Action::Resize(width, height) => return resized(state, width, height),
        // The rest belongs to overlays, or was done above.
        _ => {}
    }
    Vec::new()
}

fn choose_layout(state: &mut State, number: u8, snapshot: &Snapshot) {
    if !(1..=state.layouts.count()).contains(&number) {
        state.notice = Some(format!("there is no layout {number}; there are {}", state.layouts.count()));
        return;
    }
    (state.layout, state.zoomed, state.on_verdict) = (number, false, false);
    let visible = layout::visible(state, snapshot);
    if !visible.contains(&state.focus) {
        let chart = visible.iter().find(|pane| panes::is_chart(**pane));
        state.focus = chart.or(visible.first()).copied().unwrap_or(PaneId::Loss);
    }
}

/// A terminal that was small for a moment may have cut what it showed, also when it is back at its size: all is drawn anew.
pub fn resized(state: &mut State, width: u16, height: u16) -> Vec<Effect> {
    state.size = (width, height);
    vec![Effect::Redraw]
}

/// Brings what the state points at back into being: the selected lane and layer may be gone.
pub(super) fn heal(state: &mut State, lanes: &[Group<'_>]) {
    let here = |id: LaneId| lanes.iter().find(|group| group.lanes.iter().any(|lane| lane.info.lane == id));
    state.selected =
        state.selected.and_then(here).or(lanes.iter().find(|group| group.colour > 0)).or(lanes.first()).map(Group::id);
    state.pinned = state.pinned.and_then(here).map(Group::id);
    state.difference &= state.pinned.is_some();
    let layers = selected(state, lanes).map_or(0, |group| group.first().info.sites.len());
    state.layer = state.layer.filter(|layer| usize::from(*layer) < layers);
}

/// The selected group.
pub fn selected<'a, 'b>(state: &State, lanes: &'b [Group<'a>]) -> Option<&'b Group<'a>> {
    let chosen =
        state.selected.and_then(|id| lanes.iter().find(|group| group.lanes.iter().any(|lane| lane.info.lane == id)));
    chosen.or_else(|| lanes.iter().find(|group| group.colour > 0)).or_else(|| lanes.first())
}

fn confirm(state: &mut State, question: String, action: Action) {
    state.overlay = Some(Overlay::Confirm { question, action });
}

/// Learning rates move along half-decades: 0.1, 0.316, 1.
fn change_rate(state: &mut State, lanes: &[Group<'_>], by: i32) -> Vec<Effect> {
    let Some(group) = selected(state, lanes) else { return Vec::new() };
    let Some(rate) = group.base_rate().or_else(|| group.learning_rate()) else {
        state.notice = Some(format!("{} has not said its learning rate yet", group.name));
        return Vec::new();
    };
    let exact = 10f64.powf(f64::from((2.0 * rate.log10()).round() as i32 + by) / 2.0);
    let power = 10f64.powf(exact.log10().floor() - 2.0);
    let rate = (exact / power).round() * power;
    state.notice = Some(format!("{}: learning rate {}", group.name, format::value(rate)));
    group.lanes.iter().map(|lane| Effect::Send(Command::LearningRate(lane.info.lane, rate))).collect()
}

fn select(state: &mut State, lanes: &[Group<'_>], by: isize) {
    let position = lanes.iter().position(|group| Some(group.id()) == state.selected).unwrap_or(0);
    let target = position.saturating_add_signed(by).min(lanes.len().saturating_sub(1));
    state.selected = lanes.get(target).map(Group::id);
    heal(state, lanes);
}

fn choose_layer(state: &mut State, lanes: &[Group<'_>], by: isize) {
    let layers = selected(state, lanes).map_or(0, |group| group.first().info.sites.len());
    let target = match state.layer {
        Some(layer) => usize::from(layer).saturating_add_signed(by).min(layers.saturating_sub(1)),
        None if by > 0 => 0,
        None => layers.saturating_sub(1),
    };
    state.layer = (layers > 0).then_some(target as u16);
}

fn focus(state: &mut State, snapshot: &Snapshot, by: isize) {
    let visible = if state.zoomed {
        panes::PANES.iter().map(|pane| pane.id).filter(|id| *id != PaneId::LaneLine).collect()
    } else {
        layout::visible(state, snapshot)
    };
    if visible.is_empty() {
        return;
    }
    // After the last pane comes the verdict line.
    let count = visible.len() as isize + 1;
    let position = match visible.iter().position(|pane| *pane == state.focus) {
        _ if state.on_verdict => count - 1,
        Some(index) => index as isize,
        None => -1,
    };
    let target = if position < 0 { 0 } else { (position + by).rem_euclid(count) };
    match visible.get(target as usize) {
        Some(pane) => (state.focus, state.on_verdict) = (*pane, false),
        None => state.on_verdict = true,
    }
}

fn scroll_log(state: &mut State, by: i64, snapshot: &Snapshot) {
    let most = snapshot.messages.len().saturating_sub(1);
    state.log_back = state.log_back.saturating_add_signed(by as isize).min(most);
}

/// Undoes one thing: pane zoom, then crosshair and layer, then the window.
fn back(state: &mut State) {
    state.verdict = 0;
    if state.on_verdict {
        state.on_verdict = false;
    } else if state.zoomed {
        state.zoomed = false;
    } else if state.crosshair.is_some() || state.layer.is_some() {
        (state.crosshair, state.layer) = (None, None);
    } else if state.log_back > 0 {
        state.log_back = 0;
    } else if state.view() != (View { unit: state.unit, ..View::default() }) {
        navigate::whole(state);
    }
}
