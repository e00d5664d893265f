//! How the screen looks, as a file: what of the [`State`] is kept when it is left, so that a run opens as it was left.
#![forbid(unsafe_code)]

use super::panes::PaneId;
use super::progress::Unit;
use super::state::{SMOOTHING, State};
use super::view::{Values, Window};
use crate::record::LaneId;
use serde::{Deserialize, Serialize};

/// What is kept of the [`State`]. Fields that a file leaves out are at their default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Saved {
    layout: u8,
    focus: PaneId,
    zoomed: bool,
    selected: Option<LaneId>,
    layer: Option<u16>,
    crosshair: Option<u64>,
    window: Window,
    unit: Unit,
    values: Vec<Values>,
    log_x: bool,
    log_y: Vec<PaneId>,
    smoothing: usize,
    robust: bool,
    signed: bool,
}

impl Default for Saved {
    fn default() -> Self {
        Self::of(&State::default())
    }
}

impl Saved {
    /// How `state` looks.
    pub fn of(state: &State) -> Self {
        Self {
            layout: state.layout,
            focus: state.focus,
            zoomed: state.zoomed,
            selected: state.selected,
            layer: state.layer,
            crosshair: state.crosshair,
            window: state.window,
            unit: state.unit,
            values: state.values.clone(),
            log_x: state.log_x,
            log_y: state.log_y.clone(),
            smoothing: state.smoothing,
            robust: state.robust,
            signed: state.signed,
        }
    }

    /// The same in another layout, with all of its panes.
    pub fn in_layout(self, layout: u8) -> Self {
        Self { layout, zoomed: false, ..self }
    }

    /// Makes `state` look like this. What a file cannot mean (a layout that is not there) is left as it is.
    pub fn restore(self, state: &mut State) {
        if (1..=state.layouts.count()).contains(&self.layout) {
            state.layout = self.layout;
        }
        if self.smoothing < SMOOTHING.len() {
            state.smoothing = self.smoothing;
        }
        (state.focus, state.zoomed) = (self.focus, self.zoomed);
        (state.selected, state.layer, state.crosshair) = (self.selected, self.layer, self.crosshair);
        (state.unit, state.values) = (self.unit, self.values);
        (state.window, state.log_x, state.log_y) = (self.window, self.log_x, self.log_y);
        (state.robust, state.signed) = (self.robust, self.signed);
    }

    /// As RON.
    ///
    /// # Errors
    /// When RON cannot hold it.
    pub fn to_ron(&self) -> Result<String, ron::Error> {
        ron::ser::to_string_pretty(self, ron::ser::PrettyConfig::default())
    }

    /// Reads [`Saved::to_ron`] back.
    ///
    /// # Errors
    /// With line and column, when the text is something else.
    pub fn from_ron(text: &str) -> Result<Self, ron::error::SpannedError> {
        ron::from_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_comes_back_from_its_text() {
        let left = State {
            layout: 3,
            focus: PaneId::Alignment,
            zoomed: true,
            selected: Some(4),
            layer: Some(2),
            crosshair: Some(812),
            window: Window::Fixed(100, 900),
            unit: Unit::Flop,
            values: vec![Values { pane: PaneId::Loss, low: -1.0, high: 2.5 }],
            log_x: true,
            log_y: vec![PaneId::Loss],
            smoothing: 4,
            robust: false,
            signed: true,
            ..State::default()
        };
        let text = Saved::of(&left).to_ron().expect("plain data");
        let mut state = State::default();
        Saved::from_ron(&text).expect("just written").restore(&mut state);
        assert_eq!(state, left);
    }

    #[test]
    fn what_is_left_out_is_at_its_default_and_nonsense_changes_nothing() {
        let mut state = State::default();
        Saved::from_ron("(layout: 99, smoothing: 99)").expect("fields left out").restore(&mut state);
        assert_eq!(state, State::default());
        assert!(Saved::from_ron("(layout: Loss)").is_err());
    }
}
