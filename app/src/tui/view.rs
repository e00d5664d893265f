//! What part of the run the charts show, and the way back to what they showed before.
#![forbid(unsafe_code)]

use super::chart::Scale;
use super::panes::PaneId;
use super::progress::Unit;
use serde::{Deserialize, Serialize};

/// Which part of the run is shown, in units of the x axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Window {
    /// All there is.
    #[default]
    All,
    /// The newest so many.
    Tail(u64),
    /// From the first to the last, both included.
    Fixed(u64, u64),
}

/// Least and greatest value that a chart shows, where a person chose them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Values {
    /// The chart.
    pub pane: PaneId,
    /// Least.
    pub low: f64,
    /// Greatest.
    pub high: f64,
}

/// A view: the window along x, that of each chart along y.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// Part of the run.
    pub window: Window,
    /// Unit of the x axis.
    pub unit: Unit,
    /// Charts whose values do not follow the data.
    pub values: Vec<Values>,
}

/// Views kept.
const KEPT: usize = 100;

/// The views before and after the present one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trail {
    past: Vec<View>,
    future: Vec<View>,
}

impl Trail {
    /// Takes note of `view`, which is about to change.
    pub fn leave(&mut self, view: &View) {
        if self.past.last() == Some(view) {
            return;
        }
        if self.past.len() == KEPT {
            self.past.remove(0);
        }
        self.past.push(view.clone());
        self.future.clear();
    }

    /// The view before `view`.
    pub fn back(&mut self, view: &View) -> Option<View> {
        let before = loop {
            let before = self.past.pop()?;
            if before != *view {
                break before;
            }
        };
        self.future.push(view.clone());
        Some(before)
    }

    /// The view that `view` was gone back from.
    pub fn forward(&mut self, view: &View) -> Option<View> {
        let after = self.future.pop()?;
        self.past.push(view.clone());
        Some(after)
    }
}

/// A part of a chart marked with the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// The chart.
    pub pane: PaneId,
    /// From and to along x; `None` when all of it.
    pub across: Option<(u64, u64)>,
    /// From and to along y, in [`HEIGHT`]ths of the axis from below; `None` when all of it.
    pub along: Option<(u16, u16)>,
}

/// Parts that the height of a chart is divided into, to point at a value without a number that is not whole.
pub const HEIGHT: u16 = 10_000;

/// The value at `part` [`HEIGHT`]ths of `scale`.
pub fn value_at(scale: &Scale, part: u16) -> f64 {
    scale.value(f64::from(part.min(HEIGHT)) / f64::from(HEIGHT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(last: u64) -> View {
        View { window: Window::Fixed(0, last), ..View::default() }
    }

    #[test]
    fn back_and_forward_go_through_the_same_views() {
        let mut trail = Trail::default();
        for last in 1..4 {
            trail.leave(&view(last));
        }
        let now = view(4);
        let third = trail.back(&now).unwrap();
        let second = trail.back(&third).unwrap();
        assert_eq!((&third, &second), (&view(3), &view(2)));
        assert_eq!(trail.forward(&second), Some(view(3)));
        assert_eq!(trail.forward(&third), Some(view(4)));
        assert_eq!(trail.forward(&now), None);
        // A new way from the middle forgets the old one.
        let third = trail.back(&now).unwrap();
        trail.leave(&third);
        assert_eq!(trail.forward(&view(9)), None);
    }

    #[test]
    fn what_did_not_change_takes_no_step_back() {
        let mut trail = Trail::default();
        trail.leave(&view(1));
        trail.leave(&view(1));
        assert_eq!(trail.back(&view(1)), None);
    }
}
