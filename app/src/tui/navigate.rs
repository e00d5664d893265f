//! Crosshair, zoom, pan, rubber band, view history: what moves the eye over the run. Part of the reducer.
#![forbid(unsafe_code)]

use super::action::Action;
use super::chart::Scale;
use super::context::{Hit, Target};
use super::lanes::shown;
use super::panes::{self, PaneId};
use super::progress::{Ruler, Unit};
use super::state::{State, Window};
use super::update::selected;
use super::view::{Band, HEIGHT, Values, View, value_at};
use crate::session::protocol::Snapshot;

/// Applies `action` if it is one of those; tells whether it was.
pub fn apply(state: &mut State, action: &Action, snapshot: &Snapshot) -> bool {
    match *action {
        Action::Crosshair(by) => move_crosshair(state, snapshot, by),
        Action::ZoomIn => zoom(state, snapshot, true, None),
        Action::ZoomOut => zoom(state, snapshot, false, None),
        Action::ZoomInValues => zoom_values(state, chart(state), true, HEIGHT / 2),
        Action::ZoomOutValues => zoom_values(state, chart(state), false, HEIGHT / 2),
        Action::PanValues(tenths) => pan_values(state, tenths),
        Action::Magnify { at, closer } => zoom(state, snapshot, closer, Some(at)),
        Action::MagnifyValues { pane, part, closer } => zoom_values(state, pane, closer, part),
        Action::Pan(tenths) => pan(state, snapshot, tenths),
        Action::Whole => {
            if state.window == Window::All && state.values.is_empty() {
                state.notice = Some("all of the run is shown".to_owned());
            }
            whole(state);
        }
        Action::Follow => follow(state, snapshot),
        Action::Stretch(band) => {
            state.band = Some(band);
            if let Some((_, to)) = band.across {
                state.crosshair = Some(to.min(state.end(snapshot)));
            }
        }
        Action::Window(band) => take_band(state, band, snapshot),
        Action::ViewBack => go(state, false),
        Action::ViewForward => go(state, true),
        Action::NextUnit => change_unit(state, snapshot, state.unit.next()),
        Action::Unit(unit) => change_unit(state, snapshot, unit),
        Action::GoTo(step) => {
            let lanes = shown(state, snapshot);
            let at = selected(state, &lanes).map_or(step, |group| Ruler::new(state.unit, group.first()).at(step));
            state.crosshair = Some(at.min(state.end(snapshot)));
        }
        _ => return false,
    }
    true
}

/// Keeps what the last frame showed: the scales of its charts.
pub fn saw(state: &mut State, hits: &[Hit]) {
    state.scales.clear();
    state.scales.extend(hits.iter().filter_map(|hit| match hit.target {
        Target::Values(pane, scale) => Some((pane, scale)),
        _ => None,
    }));
}

/// Shows all of the run and all values.
pub fn whole(state: &mut State) {
    state.trail.leave(&state.view());
    state.window = Window::All;
    state.values.clear();
}

/// The chart that keys for values mean: the focused one, else the loss.
pub fn chart(state: &State) -> PaneId {
    if panes::is_chart(state.focus) { state.focus } else { PaneId::Loss }
}

fn move_crosshair(state: &mut State, snapshot: &Snapshot, hundredths: i8) {
    let steps = state.steps(snapshot);
    let end = state.end(snapshot).min(steps.last);
    let Some(from) = state.crosshair else {
        state.crosshair = Some(end.max(steps.first));
        return;
    };
    const PARTS: usize = 100;
    let target = if steps.log {
        let column = steps.column(from, PARTS).unwrap_or(PARTS - 1);
        let target = column.saturating_add_signed(hundredths.into()).min(PARTS - 1);
        let step = steps.step(target, PARTS);
        if step == from { from.saturating_add_signed(hundredths.signum().into()) } else { step }
    } else {
        let part = ((steps.last - steps.first) / PARTS as u64).max(1);
        let part = i64::try_from(part).unwrap_or(i64::MAX);
        from.saturating_add_signed(part.saturating_mul(hundredths.into()))
    };
    state.crosshair = Some(target.clamp(steps.first, end.max(steps.first)));
}

/// Half or twice as much of the run: around `at`, the crosshair or the middle; up to the newest where that was shown.
fn zoom(state: &mut State, snapshot: &Snapshot, closer: bool, at: Option<u64>) {
    state.trail.leave(&state.view());
    let end = state.end(snapshot);
    let steps = state.steps(snapshot);
    let span = (steps.last - steps.first).saturating_add(1);
    let wanted = if closer { (span / 2).max(8) } else { span.saturating_mul(2) };
    // Halves that are doubled again fall a few steps short of the whole.
    let whole = if closer { wanted > end } else { wanted.saturating_add(wanted / 50) >= end };
    if whole {
        if state.window == Window::All {
            let text = if closer { "too few steps to zoom in on" } else { "all of the run is shown" };
            state.notice = Some(text.to_owned());
        }
        state.window = Window::All;
        return;
    }
    let place = at.or(state.crosshair);
    state.window = match (place, state.window) {
        (None, Window::All | Window::Tail(_)) => Window::Tail(wanted),
        (place, _) => {
            let middle = place.unwrap_or(steps.first + span / 2);
            // What is pointed at stays where it is on the screen.
            let part = (middle.saturating_sub(steps.first) as f64 / span as f64).clamp(0.0, 1.0);
            let part = if at.is_some() { part } else { 0.5 };
            let before = (wanted as f64 * part) as u64;
            let first = middle.saturating_sub(before).min((end + 1).saturating_sub(wanted));
            Window::Fixed(first, first + wanted - 1)
        }
    };
}

fn pan(state: &mut State, snapshot: &Snapshot, tenths: i8) {
    if state.window == Window::All {
        let key = state.keymap.shown(&Action::ZoomIn, true);
        state.notice = Some(format!("all of the run is shown: {key} zooms in"));
        return;
    }
    state.trail.leave(&state.view());
    let steps = state.steps(snapshot);
    let span = steps.last - steps.first;
    let by = i64::try_from((span / 10).max(1)).unwrap_or(i64::MAX).saturating_mul(tenths.into());
    let first = steps.first.saturating_add_signed(by).min(state.end(snapshot).saturating_sub(span));
    state.window = Window::Fixed(first, first.saturating_add(span));
}

fn follow(state: &mut State, snapshot: &Snapshot) {
    state.trail.leave(&state.view());
    let steps = state.steps(snapshot);
    let quarter = state.end(snapshot) / 4;
    state.window = match state.window {
        Window::Tail(_) => Window::Fixed(steps.first, steps.last),
        Window::Fixed(..) => Window::Tail((steps.last - steps.first).saturating_add(1)),
        Window::All => Window::Tail(quarter.max(50)),
    };
}

/// The scale that `pane` was drawn with, or a notice that it has none.
fn scale_of(state: &mut State, pane: PaneId) -> Option<Scale> {
    let scale = state.scales.iter().find(|(other, _)| *other == pane).map(|(_, scale)| *scale);
    if scale.is_none() {
        state.notice = Some("focus a chart on the screen first: this pane has no axis of values".to_owned());
    }
    scale
}

/// Shows the values between two places of `scale`, 0 its low end and 1 its high end.
fn show_values(state: &mut State, pane: PaneId, scale: &Scale, low: f64, high: f64) {
    let (low, high) = (scale.value(low), scale.value(high));
    if !(low.is_finite() && high.is_finite() && low < high) {
        return;
    }
    state.values.retain(|values| values.pane != pane);
    state.values.push(Values { pane, low, high });
}

/// The narrowest and the widest window of values, in heights of the one before: a guard against ranges without numbers in them.
fn zoom_values(state: &mut State, pane: PaneId, closer: bool, part: u16) {
    let Some(scale) = scale_of(state, pane) else { return };
    state.trail.leave(&state.view());
    let place = f64::from(part.min(HEIGHT)) / f64::from(HEIGHT);
    let half = if closer { 0.5 } else { 2.0 };
    let size = (scale.high() - scale.low()).abs() / scale.high().abs().max(scale.low().abs());
    if (closer && size < 1e-9) || (!closer && size > 1e12) {
        return;
    }
    show_values(state, pane, &scale, place * (1.0 - half), place + (1.0 - place) * half);
}

fn pan_values(state: &mut State, tenths: i8) {
    let pane = chart(state);
    let Some(scale) = scale_of(state, pane) else { return };
    state.trail.leave(&state.view());
    let by = f64::from(tenths) / 10.0;
    show_values(state, pane, &scale, by, 1.0 + by);
}

/// Shows what was marked.
fn take_band(state: &mut State, band: Band, snapshot: &Snapshot) {
    state.band = None;
    let end = state.end(snapshot);
    let across = band.across.map(|(from, to)| (from.min(to).min(end), from.max(to).min(end)));
    let across = across.filter(|(from, to)| to - from >= 2);
    let along = band.along.map(|(from, to)| (from.min(to), from.max(to))).filter(|(from, to)| from < to);
    if across.is_none() && along.is_none() {
        return;
    }
    state.trail.leave(&state.view());
    if let Some((from, to)) = across {
        (state.window, state.crosshair) = (Window::Fixed(from, to), None);
    }
    let scale = state.scales.iter().find(|(other, _)| *other == band.pane).map(|(_, scale)| *scale);
    if let (Some((from, to)), Some(scale)) = (along, scale) {
        let (low, high) = (value_at(&scale, from), value_at(&scale, to));
        let (low, high) = (scale.place(low), scale.place(high));
        show_values(state, band.pane, &scale, low, high);
    }
}

/// Goes to the view before or after.
fn go(state: &mut State, forward: bool) {
    let now = state.view();
    let found = if forward { state.trail.forward(&now) } else { state.trail.back(&now) };
    match found {
        Some(View { window, unit, values }) => {
            if unit != state.unit {
                state.crosshair = None;
            }
            (state.window, state.unit, state.values) = (window, unit, values);
        }
        None => {
            let text = if forward { "there is no later view" } else { "there is no earlier view" };
            state.notice = Some(text.to_owned());
        }
    }
}

/// Another unit of x: window and crosshair stay at the same steps of the selected lane, where it gets on in both units.
fn change_unit(state: &mut State, snapshot: &Snapshot, unit: Unit) {
    state.trail.leave(&state.view());
    let (old, lanes) = (state.unit, shown(state, snapshot));
    let before = state.end(snapshot).max(1);
    let rulers =
        selected(state, &lanes).map(|group| group.first()).map(|lane| (Ruler::new(old, lane), Ruler::new(unit, lane)));
    let rulers = rulers.filter(|(from, to)| from.moves() && to.moves());
    let convert = |at: u64| rulers.and_then(|(from, to)| Some(to.at(from.step(at)?)));
    state.unit = unit;
    state.crosshair = state.crosshair.and_then(convert);
    let end = state.end(snapshot);
    state.window = match state.window {
        Window::All => Window::All,
        Window::Tail(span) => Window::Tail((span as f64 / before as f64 * end as f64).max(8.0) as u64),
        Window::Fixed(first, last) => match (convert(first), convert(last)) {
            (Some(first), Some(last)) if first < last && first < end => Window::Fixed(first, last),
            _ => Window::All,
        },
    };
    let idle: Vec<&str> = lanes
        .iter()
        .filter(|group| !Ruler::new(unit, group.first()).moves())
        .map(|group| group.name.as_str())
        .collect();
    let without =
        if idle.is_empty() { String::new() } else { format!("; {} takes none and is not drawn", idle.join(", ")) };
    state.notice = Some(format!("x axis: {}{without}", unit.name()));
}
