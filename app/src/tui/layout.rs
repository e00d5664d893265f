//! Which panes stand where, for every size of terminal: full dashboards, stacked panes, numbers only.
//!
//! The layouts themselves are data ([`super::config::layouts`]); here stands what each pane needs to be read, and which of the
//! trees a terminal is large enough for. Nothing is drawn here.
#![forbid(unsafe_code)]

use super::lanes::shown;
use super::panes::{PANES, PaneId};
use super::state::State;
use super::tree::{ALL, Axis};
use super::update::selected;
use crate::record::{Key, Quantity};
use crate::session::protocol::Snapshot;
use ratatui::layout::Rect;

/// The measurement without which `pane` has nothing to show, for those that the workspace must ask for.
fn measurement(pane: PaneId) -> Option<Key> {
    match pane {
        PaneId::Spectrum => Some(Key::site(Quantity::EffectiveRank, 0)),
        PaneId::SignalRank => Some(Key::site(Quantity::SignalEffectiveRank, 0)),
        PaneId::OneStep => Some(Key::whole(Quantity::OneStep)),
        PaneId::Bias | PaneId::Variance => Some(Key::whole(Quantity::Variance)),
        PaneId::Curvature => Some(Key::whole(Quantity::HessianEstimate)),
        PaneId::Containment => Some(Key::site(Quantity::ActivationContainment, 0)),
        _ => None,
    }
}

/// What the arrangement depends on besides the size.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Groups of lanes.
    pub lanes: u16,
    /// Layers of the selected lane.
    pub layers: u16,
    /// Characters of the longest lane name.
    pub name: u16,
    /// Panes of which nothing was measured.
    pub unmeasured: Vec<PaneId>,
    /// Whether panes stand below a line that names the lanes, without boxes.
    pub ruled: bool,
}

impl Needs {
    /// The needs of `snapshot`.
    pub fn of(state: &State, snapshot: &Snapshot) -> Self {
        let lanes = shown(state, snapshot);
        let layers = selected(state, &lanes).map_or(0, |group| group.first().info.sites.len());
        let has = |key| snapshot.lanes.iter().any(|lane| lane.history.series(key).is_some());
        Self {
            lanes: lanes.len().min(100) as u16,
            layers: layers.min(200) as u16,
            name: lanes.iter().map(|group| group.name.chars().count()).max().unwrap_or(0).min(60) as u16,
            unmeasured: PANES
                .iter()
                .map(|pane| pane.id)
                .filter(|pane| measurement(*pane).is_some_and(|key| !has(key)))
                .collect(),
            ruled: class(state.size.0, state.size.1) != Class::Dashboard,
        }
    }

    /// Whether `pane` has something to show, or needs no measurement.
    pub fn has(&self, pane: PaneId) -> bool {
        !self.unmeasured.contains(&pane)
    }

    /// Columns or rows that `pane` needs to be read, and those that it can use.
    pub fn bounds(&self, pane: PaneId, axis: Axis) -> (u16, u16) {
        match (axis, self.ruled) {
            (Axis::X, _) if pane == PaneId::Lanes => (self.name.saturating_add(21).clamp(36, 44), ALL),
            (Axis::X, _) => (24, ALL),
            (Axis::Y, false) => self.rows(pane),
            (Axis::Y, true) => self.ruled_rows(pane),
        }
    }

    /// Rows in a box.
    fn rows(&self, pane: PaneId) -> (u16, u16) {
        let lanes = self.lanes.max(1);
        match pane {
            PaneId::Lanes => (lanes.min(16) + 3, lanes.min(30) + 8),
            PaneId::Formula => (8, 13),
            PaneId::Cost => (lanes.min(12) + 4, lanes.min(16) + 4),
            PaneId::Log => (4, ALL),
            PaneId::Rank => (lanes.min(10) + 4, lanes.min(30) + 5),
            PaneId::Loss => (8, ALL),
            PaneId::Alignment => {
                let layers = self.layers.max(1);
                let least = if layers <= 6 { layers.max(3) } else { layers.div_ceil(2).min(12) };
                (least + 3, layers.saturating_mul(3).clamp(9, 24) + 3)
            }
            PaneId::Matrix => (lanes.min(10) + 3, lanes.min(20) + 3),
            _ => (7, ALL),
        }
    }

    /// Rows below a rule.
    fn ruled_rows(&self, pane: PaneId) -> (u16, u16) {
        let (least, most) = self.rows(pane);
        match pane {
            PaneId::Alignment => (least.min(7), most),
            PaneId::Matrix => (self.lanes.min(16) + 2, self.lanes.min(20) + 2),
            PaneId::Cost => (self.lanes.min(8) + 3, self.lanes.min(20) + 3),
            PaneId::Formula => (6, 12),
            PaneId::Rank => (self.lanes.min(8) + 2, self.lanes.min(30) + 4),
            PaneId::Log => (5, ALL),
            _ => (least - 1, most),
        }
    }
}

/// How much a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Columns of framed panes.
    Dashboard,
    /// Panes below each other under a line of lanes.
    Stack,
    /// A table of numbers.
    Numbers,
    /// A sentence.
    Sentence,
}

/// The class of a terminal of so many columns and rows.
pub fn class(width: u16, height: u16) -> Class {
    match () {
        () if width >= 116 && height >= 26 => Class::Dashboard,
        () if width >= 64 && height >= 16 => Class::Stack,
        () if width >= 30 && height >= 6 => Class::Numbers,
        () => Class::Sentence,
    }
}

/// The panes on the screen now, in order.
pub fn visible(state: &State, snapshot: &Snapshot) -> Vec<PaneId> {
    let (width, height) = state.size;
    let needs = Needs::of(state, snapshot);
    let layout = state.layouts.get(state.layout);
    let placed = match class(width, height) {
        Class::Dashboard => layout.dashboard.place(Rect::new(0, 0, width, height - 3), &needs),
        Class::Stack => layout.stack.place(Rect::new(0, 0, width, height - 4), &needs),
        Class::Numbers | Class::Sentence => Vec::new(),
    };
    placed.into_iter().map(|(pane, _)| pane).collect()
}

#[cfg(test)]
mod tests {
    use super::super::config::layouts::Layouts;
    use super::*;

    #[test]
    fn panes_tile_the_dashboard() {
        let layouts = Layouts::default();
        for (width, height) in [(116, 26), (120, 40), (200, 47), (300, 90)] {
            for number in 1..=layouts.count() {
                let needs = Needs { lanes: 5, layers: 4, name: 21, ..Needs::default() };
                let area = Rect::new(0, 1, width, height);
                let placed = layouts.get(number).dashboard.place(area, &needs);
                let cells: u32 = placed.iter().map(|(_, rect)| rect.area()).sum();
                assert_eq!(cells, area.area(), "layout {number} at {width}×{height}");
                for (index, (pane, rect)) in placed.iter().enumerate() {
                    assert_eq!(rect.intersection(area), *rect, "{pane:?}");
                    assert!(placed[index + 1..].iter().all(|(_, other)| !rect.intersects(*other)), "{pane:?}");
                }
            }
        }
    }

    #[test]
    fn the_small_screen_has_loss_and_a_heatmap() {
        let needs = Needs { lanes: 5, layers: 4, name: 21, ruled: true, ..Needs::default() };
        let stack = Layouts::default().get(1).stack.place(Rect::new(0, 2, 80, 20), &needs);
        let placed: Vec<PaneId> = stack.into_iter().map(|(pane, _)| pane).collect();
        assert_eq!(placed, [PaneId::Loss, PaneId::Alignment]);
        assert_eq!(class(80, 24), Class::Stack);
        assert_eq!(class(40, 12), Class::Numbers);
        assert_eq!(class(20, 5), Class::Sentence);
    }
}
