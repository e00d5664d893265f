//! What a lane has used, against what it may: it never goes beyond, and what its schedule takes for the end is where the budget
//! ends it.
#![forbid(unsafe_code)]

use crate::record::LaneInfo;
use crate::workspace::Budget;

/// What the steps of a lane have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) examples: u64,
    pub(super) derivatives: u64,
    pub(super) flop: u64,
}

impl Spent {
    /// Of `steps` steps of a lane that was never changed.
    pub(super) fn of(info: &LaneInfo, steps: u64) -> Self {
        let Self { examples, derivatives, flop } = Self::step(info);
        Self {
            examples: examples.saturating_mul(steps),
            derivatives: derivatives.saturating_mul(steps),
            flop: flop.saturating_mul(steps),
        }
    }

    /// Of one step.
    fn step(info: &LaneInfo) -> Self {
        Self { examples: info.batch as u64, derivatives: info.derivatives(), flop: info.flop }
    }

    /// One more step was taken.
    pub(super) fn add(&mut self, info: &LaneInfo) {
        let step = Self::step(info);
        self.examples = self.examples.saturating_add(step.examples);
        self.derivatives = self.derivatives.saturating_add(step.derivatives);
        self.flop = self.flop.saturating_add(step.flop);
    }

    /// Steps that `budget` still allows, and what it is that ends them; `None` where nothing counted does.
    pub(super) fn left(&self, budget: &Budget, info: &LaneInfo) -> Option<(u64, &'static str)> {
        let step = Self::step(info);
        let whole = |limit: Option<u64>, spent: u64, cost: u64| limit?.saturating_sub(spent).checked_div(cost);
        let flop = budget.flop.filter(|_| step.flop > 0);
        let counted = [
            (whole(budget.examples, self.examples, step.examples), "examples"),
            (whole(budget.derivatives, self.derivatives, step.derivatives), "derivatives"),
            // A float converts to a whole number within its bounds.
            (flop.map(|limit| ((limit - self.flop as f64) / step.flop as f64).max(0.0) as u64), "FLOP"),
        ];
        counted.into_iter().filter_map(|(left, what)| Some((left?, what))).min_by_key(|(left, _)| *left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::jsonl::tests::lane;
    use crate::workspace::{LaneSpec, ScalarSource};

    /// 2 sites, example-layer scope: 2·8 derivatives a step.
    fn info() -> LaneInfo {
        LaneInfo { batch: 8, flop: 1000, ..lane(0, "a", 0) }
    }

    #[test]
    fn the_tightest_limit_ends_a_lane_before_it_goes_beyond() {
        let budget = Budget { examples: Some(79), derivatives: Some(160), flop: Some(9999.0), seconds: None };
        assert_eq!(Spent::default().left(&budget, &info()), Some((9, "examples")));
        let spent = Spent::of(&info(), 9);
        assert_eq!(spent, Spent { examples: 72, derivatives: 144, flop: 9000 });
        assert_eq!(spent.left(&budget, &info()), Some((0, "examples")));
        let wide = Budget { examples: None, ..budget };
        assert_eq!(spent.left(&wide, &info()), Some((0, "FLOP")));
        assert_eq!(spent.left(&Budget { flop: Some(1e300), ..wide }, &info()), Some((1, "derivatives")));
        assert_eq!(spent.left(&Budget { seconds: Some(1.0), ..Budget::default() }, &info()), None);
    }

    #[test]
    fn what_was_spent_is_added_step_by_step() {
        let mut spent = Spent::default();
        (0..5).for_each(|_| spent.add(&info()));
        assert_eq!(spent, Spent::of(&info(), 5));
        // Nothing is guessed: no derivative is used, and none ends it.
        let bare = info();
        let bare = LaneInfo { spec: LaneSpec { source: Some(ScalarSource::None), ..bare.spec.clone() }, ..bare };
        assert_eq!(Spent::step(&bare).derivatives, 0);
        let copies = LaneInfo { scalars: 96, ..info() };
        assert_eq!(Spent::step(&copies).derivatives, 96);
        let exact = LaneInfo { scope: None, ..info() };
        assert_eq!(Spent::default().left(&Budget { derivatives: Some(1), ..Budget::default() }, &exact), None);
    }
}
