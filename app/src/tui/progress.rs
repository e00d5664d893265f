//! What lanes are compared by: equal steps are not equal budgets. A position along x is a whole number of units from the start
//! of a lane, and a ruler converts it to and from the lane's own steps.
#![forbid(unsafe_code)]

use super::format;
use crate::session::history::Series;
use crate::session::protocol::LaneView;
use serde::{Deserialize, Serialize};

/// The unit of the x axis of every chart over the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Unit {
    /// Steps.
    #[default]
    Steps,
    /// Training examples seen.
    Examples,
    /// Directional derivatives: scalars that multiply guesses. Backpropagation takes none.
    Derivatives,
    /// Floating-point operations, counted from shapes.
    Flop,
    /// Microseconds of training, measuring excluded.
    Seconds,
}

impl Unit {
    /// All, in the order they are gone through.
    pub const ALL: [Self; 5] = [Self::Steps, Self::Examples, Self::Derivatives, Self::Flop, Self::Seconds];

    /// What they are called on the command line, in the same order.
    pub const WORDS: [&'static str; 5] = ["steps", "examples", "derivatives", "flop", "seconds"];

    /// The unit called `word`.
    pub fn named(word: &str) -> Option<Self> {
        Self::WORDS.iter().position(|other| word.eq_ignore_ascii_case(other)).map(|place| Self::ALL[place])
    }

    /// The unit after this one.
    pub fn next(self) -> Self {
        let place = Self::ALL.iter().position(|unit| *unit == self).unwrap_or(0);
        Self::ALL[(place + 1) % Self::ALL.len()]
    }

    /// Its name: `steps`, `FLOP`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Examples => "examples",
            Self::Derivatives => "directional derivatives",
            Self::Flop => "FLOP",
            Self::Seconds => "seconds",
        }
    }

    /// What chart titles say; nothing for steps.
    pub fn note(self) -> Option<&'static str> {
        match self {
            Self::Steps => None,
            Self::Examples => Some("by examples"),
            Self::Derivatives => Some("by derivatives"),
            Self::Flop => Some("by FLOP"),
            Self::Seconds => Some("by seconds"),
        }
    }

    /// A tick: `1 240`, `3.2T`, `12.5 s`.
    pub fn tick(self, at: u64) -> String {
        match self {
            Self::Steps => format::grouped(at),
            Self::Seconds => {
                let text = format!("{:.3}", at as f64 / 1e6);
                format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
            }
            _ if at < 10_000 => format::grouped(at),
            _ => {
                let text = format::si(at as f64);
                let (number, suffix) = text.split_at(text.len() - 1);
                let number =
                    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
                format!("{number}{suffix}")
            }
        }
    }

    /// A position in words: `step 1 240`, `82.4 GFLOP`, `3.125 s`.
    pub fn place(self, at: u64) -> String {
        match self {
            Self::Steps => format!("step {}", format::grouped(at)),
            Self::Examples => format!("{} examples", format::grouped(at)),
            Self::Derivatives => format!("{} derivatives", format::grouped(at)),
            Self::Flop => format::with_unit(at as f64, "FLOP"),
            Self::Seconds => format!("{:.3} s", at as f64 / 1e6),
        }
    }
}

/// Positions of one lane's steps.
#[derive(Clone, Copy, Debug)]
pub struct Ruler<'a> {
    unit: Unit,
    lane: &'a LaneView,
}

impl<'a> Ruler<'a> {
    /// The ruler of `lane` in `unit`.
    pub fn new(unit: Unit, lane: &'a LaneView) -> Self {
        Self { unit, lane }
    }

    /// The lane.
    pub fn lane(&self) -> &'a LaneView {
        self.lane
    }

    /// Units a step; `None` for seconds, which differ from step to step.
    fn pace(&self) -> Option<u64> {
        let info = &self.lane.info;
        match self.unit {
            Unit::Steps => Some(1),
            Unit::Examples => Some(info.batch as u64),
            Unit::Derivatives => Some(info.derivatives()),
            Unit::Flop => Some(info.flop),
            Unit::Seconds => None,
        }
    }

    /// Whether the lane gets on at all in this unit.
    pub fn moves(&self) -> bool {
        self.pace() != Some(0)
    }

    /// Where `step` begins: what had been spent before it.
    pub fn at(&self, step: u64) -> u64 {
        match self.pace() {
            Some(pace) => step.saturating_mul(pace),
            None => (self.lane.history.seconds_before(step) * 1e6).round() as u64,
        }
    }

    /// The first step that begins at or after `at`; past the last where none does.
    pub fn first_from(&self, at: u64) -> u64 {
        match self.pace() {
            Some(0) => u64::MAX,
            Some(pace) => at.div_ceil(pace),
            None => {
                let step = self.lane.history.step_after(at as f64 / 1e6);
                // Positions are rounded to whole units; the step must not slip over by that.
                if step > 0 && self.at(step - 1) >= at { step - 1 } else { step }
            }
        }
    }

    /// The newest step that begins at or before `at`; `None` where the lane has not come so far.
    pub fn step(&self, at: u64) -> Option<u64> {
        if !self.moves() || at > self.reach() {
            return None;
        }
        match self.pace() {
            Some(pace) => Some(at / pace),
            None => Some(self.first_from(at.saturating_add(1)).saturating_sub(1)),
        }
    }

    /// The same, where that step is over, so that what was measured at it is known.
    pub fn step_done(&self, at: u64) -> Option<u64> {
        self.step(at).filter(|step| *step < self.lane.step || self.lane.ended.is_some())
    }

    /// How far the lane has come: the position after its last step.
    pub fn reach(&self) -> u64 {
        self.at(self.lane.step)
    }

    /// Entry of `series` at or before `at` (the newest when `None`); `None` where the lane has not come so far.
    pub fn read(&self, series: &Series, at: Option<u64>) -> Option<(u64, f64)> {
        match at {
            Some(at) => series.at(self.step(at)?),
            None => series.last(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::super::synthetic::Synthetic;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn derivatives_follow_scope_and_guesses() {
        let snapshot = Synthetic::new(1, 10, 100, false).snapshot();
        let per_step = |lane: usize| Ruler::new(Unit::Derivatives, &snapshot.lanes[lane]).at(1);
        // Backprop; example-layer: four sites, 128 examples; batch.
        assert_eq!([per_step(0), per_step(1), per_step(4)], [0, 4 * 128, 1]);
        assert!(!Ruler::new(Unit::Derivatives, &snapshot.lanes[0]).moves());
        assert_eq!(Ruler::new(Unit::Derivatives, &snapshot.lanes[0]).step(0), None);
    }

    #[test]
    fn positions_read_well() {
        assert_eq!(Unit::Steps.place(1240), "step 1 240");
        assert_eq!(Unit::Flop.place(82_400_000_000), "82.4 GFLOP");
        assert_eq!(Unit::Seconds.place(3_125_000), "3.125 s");
        assert_eq!([Unit::Flop.tick(2_000_000_000_000), Unit::Seconds.tick(2_500_000)], ["2T", "2.5 s"]);
        let mut unit = Unit::Steps;
        for _ in Unit::ALL {
            unit = unit.next();
        }
        assert_eq!(unit, Unit::Steps);
    }

    proptest! {
        #[test]
        fn a_step_is_found_where_it_begins(lane in 0usize..5, step in 0u64..300, which in 0usize..5) {
            let snapshot = Synthetic::new(1, 300, 5000, false).snapshot();
            let ruler = Ruler::new(Unit::ALL[which], &snapshot.lanes[lane]);
            if ruler.moves() {
                let at = ruler.at(step);
                prop_assert_eq!(ruler.step(at), Some(step));
                prop_assert_eq!(ruler.first_from(at), step);
                prop_assert!(ruler.first_from(at + 1) == step + 1);
                prop_assert_eq!(ruler.step(ruler.reach() + 1), None);
            }
        }
    }
}
