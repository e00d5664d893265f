//! What actions on lanes and runs ask: forms, targets, filters, the evidence of a verdict. Part of the reducer.
#![forbid(unsafe_code)]

use super::action::Action;
use super::editor::LaneForm;
use super::editor::assign::form_of;
use super::format;
use super::lanes::{Group, shown};
use super::progress::Unit;
use super::state::{Overlay, State, Window};
use super::update::{Effect, heal, selected};
use super::verdict::Evidence;
use crate::filter;
use crate::session::protocol::{Command, Snapshot, Until};
use std::sync::Arc;

/// Opens the form of a lane, or says why it cannot be.
pub(super) fn open_form(state: &mut State, action: Action, lanes: &[Group<'_>], snapshot: &Snapshot) {
    let offers = &snapshot.offers;
    let group = selected(state, lanes);
    let form = match (action, group) {
        _ if offers.strategies.is_empty() => Err("no lane can be added or changed here".to_owned()),
        (Action::NewLane, _) => {
            let used: Vec<&str> = lanes.iter().map(|group| group.first().info.spec.strategy.as_str()).collect();
            Ok(LaneForm::add(offers, &used, group.map(|group| group.first().info.lane)))
        }
        (_, None) => Err("there is no lane yet; n adds one".to_owned()),
        (Action::CopyLane, Some(group)) => {
            let info = &group.first().info;
            Ok(LaneForm::copy(offers, &info.spec, &group.seeds(), info.lane))
        }
        (_, Some(group)) => form_of(group, offers).map(Some),
    };
    match form {
        Ok(Some(form)) => state.overlay = Some(Overlay::Lane(Box::new(form))),
        Ok(None) => state.notice = Some("this session does not have the lane's strategy".to_owned()),
        Err(text) => state.notice = Some(text),
    }
}

/// Changes one setting of the selected lane while it runs, or says why it cannot be.
pub(super) fn set(
    state: &mut State,
    (name, value): (&str, &str),
    lanes: &[Group<'_>],
    snapshot: &Snapshot,
) -> Vec<Effect> {
    let form = match selected(state, lanes) {
        _ if snapshot.offers.strategies.is_empty() => Err("no lane can be changed here".to_owned()),
        None => Err("there is no lane yet; n adds one".to_owned()),
        Some(group) => form_of(group, &snapshot.offers).map(|form| (group.name.clone(), form)),
    };
    let set = form.and_then(|(lane, mut form)| form.assign(name, value).map(|()| (lane, form)));
    match set {
        Ok((lane, form)) => {
            let changes = form.changes();
            if changes.is_empty() {
                state.notice = Some(format!("{lane} has {name} {value} already"));
                return Vec::new();
            }
            state.notice = Some(format!("{lane}: {}", changes.join(", ")));
            form.commands().unwrap_or_default().into_iter().map(Effect::Send).collect()
        }
        Err(text) => {
            state.notice = Some(text);
            Vec::new()
        }
    }
}

/// Lets the trainer go on to what an action names.
pub(super) fn run_on(state: &mut State, action: &Action, snapshot: &Snapshot) -> Vec<Effect> {
    let taken = snapshot.lanes.iter().filter(|lane| lane.ended.is_none()).map(|lane| lane.step).max();
    let Some(taken) = taken else {
        state.notice = Some("no lane is running; r starts them anew".to_owned());
        return Vec::new();
    };
    let until = match action {
        Action::RunTo(step) => Until::Step(*step),
        Action::RunEpochs(_) if snapshot.offers.per_epoch == 0 => {
            state.notice = Some("how many steps an epoch has is not known here".to_owned());
            return Vec::new();
        }
        Action::RunEpochs(epochs) => {
            let length = snapshot.offers.per_epoch;
            Until::Step((taken / length + epochs.max(&1)) * length)
        }
        Action::RunUntil(text) => match filter::parse(text) {
            Ok(filter) => Until::Meets(Arc::new(filter)),
            Err(error) => {
                state.notice = Some(error.to_string());
                return Vec::new();
            }
        },
        _ => return Vec::new(),
    };
    match until {
        Until::Step(step) if step <= taken => {
            state.notice = Some(format!("step {} is passed already", format::grouped(step)));
            Vec::new()
        }
        until => vec![Effect::Send(Command::RunUntil(until))],
    }
}

/// Shows the lanes that meet a filter.
pub(super) fn set_filter(state: &mut State, text: &str, snapshot: &Snapshot) {
    state.filter = match filter::parse(text) {
        _ if text.trim().is_empty() => None,
        Ok(filter) => Some(Arc::new(filter)),
        Err(error) => {
            state.notice = Some(error.to_string());
            return;
        }
    };
    let lanes = shown(state, snapshot);
    heal(state, &lanes);
    if let Some(filter) = state.filter.as_ref().filter(|_| lanes.is_empty()) {
        state.notice = Some(format!("no lane meets {filter}; / and enter show all again"));
    }
}

/// Shows what a verdict was drawn from: its steps, all values, the pane on the full screen.
pub(super) fn look(state: &mut State, evidence: Evidence, snapshot: &Snapshot) {
    state.trail.leave(&state.view());
    state.unit = Unit::Steps;
    state.values.retain(|values| values.pane != evidence.pane);
    let end = state.end(snapshot);
    (state.focus, state.zoomed, state.on_verdict) = (evidence.pane, true, false);
    state.selected = evidence.lane.or(state.selected);
    state.layer = evidence.layer.or(state.layer);
    state.crosshair = evidence.step.map(|step| step.min(end));
    let fixed = |(from, to): (u64, u64)| (to.min(end) > from + 1).then(|| Window::Fixed(from, to.min(end)));
    state.window = evidence.window.and_then(fixed).unwrap_or(Window::All);
    state.verdict += 1;
    let lanes = shown(state, snapshot);
    heal(state, &lanes);
}
