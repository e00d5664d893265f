//! Baseline, differences and ranks: what is compared with what. Part of the reducer.
#![forbid(unsafe_code)]

use super::action::Action;
use super::lanes::Group;
use super::rank::METRICS;
use super::state::State;
use super::update::selected;
use crate::record::{Key, LaneId};
use crate::session::protocol::Snapshot;

/// Makes the selected group the baseline, or gives it up when it is.
pub fn pin(state: &mut State, lanes: &[Group<'_>]) {
    let Some(group) = selected(state, lanes) else { return };
    if state.pinned == Some(group.id()) {
        (state.pinned, state.difference) = (None, false);
        state.notice = Some(format!("{} is no longer the baseline", group.name));
    } else {
        state.pinned = Some(group.id());
        let key = state.keymap.shown(&Action::Difference, true);
        state.notice = Some(format!("{} is the baseline: {key} shows differences to it", group.name));
    }
}

/// Differences to the baseline, or none. Without a baseline the selected group becomes it.
pub fn difference(state: &mut State, lanes: &[Group<'_>]) {
    if !state.difference && state.pinned.is_none() {
        pin(state, lanes);
    }
    state.trail.leave(&state.view());
    // A window of values meant the other kind of value.
    state.values.clear();
    state.difference = !state.difference && state.pinned.is_some();
    let name = baseline(state, lanes).map_or("", |group| group.name.as_str());
    let text =
        if state.difference { format!("charts show each lane minus {name}") } else { "charts show values".to_owned() };
    state.notice = Some(text);
}

/// The pinned group.
pub fn baseline<'a, 'b>(state: &State, lanes: &'b [Group<'a>]) -> Option<&'b Group<'a>> {
    let holds = |id: LaneId| lanes.iter().find(|group| group.lanes.iter().any(|lane| lane.info.lane == id));
    state.pinned.and_then(holds)
}

/// Goes to the next metric that any lane has.
pub fn next_metric(state: &mut State, snapshot: &Snapshot) {
    let measured = |metric: usize| {
        let key = Key::whole(METRICS[metric].quantity);
        snapshot.lanes.iter().any(|lane| lane.history.series(key).is_some())
    };
    let mut order = (1..=METRICS.len()).map(|step| (state.metric + step) % METRICS.len());
    state.metric = order.find(|&metric| measured(metric)).unwrap_or((state.metric + 1) % METRICS.len());
    state.notice = Some(format!("ranked by {}", METRICS[state.metric].name));
}
