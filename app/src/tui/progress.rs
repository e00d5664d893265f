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

    /// Units a step in the lane's settings of now; `None` for seconds, which differ from step to step.
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

    /// Whether the pace has been the same from the start.
    fn steady(&self) -> bool {
        self.unit == Unit::Steps || self.lane.history.paces().is_empty()
    }

    /// The stretches of equal pace: first step, where it begins, units a step. One, unless settings were changed on the way.
    fn stretches(&self, now: u64) -> Vec<(u64, u64, u64)> {
        let (mut step, mut at) = (0, 0);
        let mut stretches = Vec::with_capacity(1);
        for past in self.lane.history.paces().iter() {
            let pace = match self.unit {
                Unit::Examples => past.examples,
                Unit::Derivatives => past.derivatives,
                Unit::Flop => past.flop,
                Unit::Steps | Unit::Seconds => now,
            };
            stretches.push((step, at, pace));
            at += past.until.saturating_sub(step).saturating_mul(pace);
            step = past.until;
        }
        stretches.push((step, at, now));
        stretches
    }

    /// Whether the lane gets on at all in this unit.
    pub fn moves(&self) -> bool {
        self.pace().is_none_or(|now| now > 0 || self.stretches(now).iter().any(|(.., pace)| *pace > 0))
    }

    /// Where `step` begins: what had been spent before it.
    pub fn at(&self, step: u64) -> u64 {
        let Some(now) = self.pace() else {
            return (self.lane.history.seconds_before(step) * 1e6).round() as u64;
        };
        if self.steady() {
            return step.saturating_mul(now);
        }
        let stretches = self.stretches(now);
        let (from, at, pace) = stretches.iter().rfind(|(from, ..)| *from <= step).copied().unwrap_or((0, 0, now));
        at.saturating_add((step - from).saturating_mul(pace))
    }

    /// The first step that begins at or after `at`; past the last where none does.
    pub fn first_from(&self, at: u64) -> u64 {
        let Some(now) = self.pace() else {
            let step = self.lane.history.step_after(at as f64 / 1e6);
            // Positions are rounded to whole units; the step must not slip over by that.
            return if step > 0 && self.at(step - 1) >= at { step - 1 } else { step };
        };
        if self.steady() {
            return if now > 0 { at.div_ceil(now) } else { u64::MAX };
        }
        let stretches = self.stretches(now);
        for (index, (from, begin, pace)) in stretches.iter().enumerate() {
            let inside = stretches.get(index + 1).is_none_or(|(_, next, _)| at <= *next);
            match (inside, at.saturating_sub(*begin)) {
                (true, 0) => return *from,
                (true, rest) if *pace > 0 => return from + rest.div_ceil(*pace),
                _ => {}
            }
        }
        u64::MAX
    }

    /// The newest step that begins at or before `at`; `None` where the lane has not come so far.
    pub fn step(&self, at: u64) -> Option<u64> {
        if !self.moves() || at > self.reach() {
            return None;
        }
        Some(self.first_from(at.saturating_add(1)).saturating_sub(1).min(self.lane.step))
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
    use crate::record::LaneInfo;
    use crate::session::protocol::Snapshot;
    use proptest::prelude::*;
    use std::sync::Arc;

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

    #[test]
    fn a_lane_whose_settings_changed_has_spent_what_each_step_cost_then() {
        let mut snapshot = Snapshot::clone(&Synthetic::new(1, 300, 5000, false).snapshot());
        let lane = &mut snapshot.lanes[4];
        // Weight perturbation with one derivative a step; from step 100 on with eight.
        lane.history.changed(100, &lane.info);
        let mut info = LaneInfo::clone(&lane.info);
        info.spec.guesses = Some(8);
        lane.info = Arc::new(info);
        let ruler = Ruler::new(Unit::Derivatives, lane);
        assert_eq!([0, 40, 100, 101, 300].map(|step| ruler.at(step)), [0, 40, 100, 108, 100 + 200 * 8]);
        for step in [0, 1, 99, 100, 101, 250] {
            assert_eq!((ruler.step(ruler.at(step)), ruler.first_from(ruler.at(step))), (Some(step), step));
        }
        assert_eq!((ruler.step(107), ruler.first_from(107)), (Some(100), 101));
        assert_eq!(Ruler::new(Unit::Steps, lane).at(250), 250);
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
