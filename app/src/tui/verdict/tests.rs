//! Every rule on both sides of its threshold, on curves made for it.

use super::rules::*;
use super::{Check, Evidence, Subject, Verdict, Weight, judge};
use crate::record::{EndReason, Key, Quantity, StageSeconds, StepReport};
use crate::session::history::LaneHistory;
use crate::session::protocol::{LaneView, Snapshot, Status};
use crate::tui::Source;
use crate::tui::lanes::{groups, random_floor};
use crate::tui::panes::PaneId;
use crate::tui::smooth::Derived;
use crate::tui::synthetic::Synthetic;
use crate::workspace::GuessScaling;
use std::sync::Arc;

/// A lane that guesses, without any curve.
fn blank() -> LaneView {
    let session = Synthetic::new(1, 0, 5000, false).snapshot();
    let lane = session.lanes.iter().find(|lane| lane.info.spec.strategy == "activity-perturbation").unwrap().clone();
    LaneView { history: Arc::new(LaneHistory::new()), step: 1000, ..lane }
}

fn plot(lane: &LaneView, key: Key, values: impl IntoIterator<Item = (u64, f64)>) {
    for (step, value) in values {
        let (lane_id, seconds) = (lane.info.lane, StageSeconds::default());
        let report = StepReport {
            lane: lane_id,
            step,
            values: vec![(key, value)],
            metrics: Vec::new(),
            spectra: Vec::new(),
            seconds,
        };
        lane.history.push(&report);
    }
}

fn whole(lane: &LaneView, quantity: Quantity, values: impl IntoIterator<Item = f64>) {
    plot(lane, Key::whole(quantity), values.into_iter().enumerate().map(|(step, value)| (step as u64, value)));
}

fn verdicts(lanes: Vec<LaneView>) -> Vec<Verdict> {
    let snapshot = Snapshot { lanes, status: Status::Running, ..Snapshot::default() };
    let groups = groups(&snapshot);
    judge(&Subject { snapshot: &snapshot, derived: &Derived::default(), groups: groups.iter().collect() })
}

/// What is said of a lane that holds `word`.
fn said(lane: LaneView, word: &str) -> Option<Verdict> {
    verdicts(vec![lane]).into_iter().find(|verdict| verdict.text.contains(word))
}

#[test]
fn ended() {
    let lane = LaneView { ended: Some(EndReason::Diverged("loss is NaN".to_owned())), step: 701, ..blank() };
    let found = said(lane.clone(), "diverged: loss is NaN").unwrap();
    assert_eq!((found.weight, found.evidence.pane, found.evidence.step), (Weight::Bad, PaneId::Loss, Some(700)));
    assert!(said(LaneView { ended: Some(EndReason::Done), ..lane }, "done").is_none());
}

#[test]
fn diverging() {
    // A jump so long ago that the average has followed it: last/least is its height.
    let curve = |height: f64| {
        let lane = blank();
        whole(&lane, Quantity::Loss, [0.9].into_iter().chain([1.0; 400]).chain([height; 400]));
        lane
    };
    let least = 0.9;
    assert!(said(curve(least * DIVERGING * 1.01), "diverging").is_some());
    assert!(said(curve(least * DIVERGING * 0.99), "diverging").is_none());
    let early = |steps: usize| {
        let lane = blank();
        whole(&lane, Quantity::Loss, std::iter::once(1.0).chain(std::iter::repeat_n(9.0, steps)));
        lane
    };
    assert!(said(early(EARLY), "diverging").is_some());
    assert!(said(early(EARLY - 1), "diverging").is_none());
}

#[test]
fn at_the_floor() {
    let lane = |over: f64, count: usize| {
        let lane = blank();
        let value = over * random_floor(lane.info.parameters);
        whole(&lane, Quantity::Cosine, (0..count).map(|index| if index % 2 == 0 { value } else { -value }));
        lane
    };
    let found = said(lane(FLOOR * 0.99, RECENT), "random floor: |cos|").unwrap();
    assert_eq!((found.weight, found.evidence.pane), (Weight::Warn, PaneId::Cosine));
    assert!(said(lane(FLOOR * 1.01, RECENT), "random floor: |cos|").is_none());
    assert!(said(lane(FLOOR * 0.99, RECENT - 1), "random floor: |cos|").is_none());
}

#[test]
fn cosine_fell() {
    let lane = |share: f64| {
        let lane = blank();
        whole(&lane, Quantity::Cosine, [0.4; 50].into_iter().chain([0.4 * share; 50]));
        lane
    };
    let found = said(lane(HALVED * 0.99), "cosine fell").unwrap();
    assert_eq!(found.evidence.pane, PaneId::Cosine);
    assert!(found.evidence.step.is_some_and(|step| step < 50));
    assert!(said(lane(HALVED * 1.01), "cosine fell").is_none());
}

#[test]
fn dead_masks() {
    let lane = |density: f64| {
        let lane = blank();
        plot(&lane, Key::site(Quantity::MaskDensity, 0), [(10, 0.5)]);
        plot(&lane, Key::site(Quantity::MaskDensity, 2), [(10, density)]);
        lane
    };
    let found = said(lane(DEAD), "let a signal through").unwrap();
    assert_eq!((found.evidence.layer, found.evidence.step), (Some(2), Some(10)));
    assert!(found.text.contains("fc3"), "{}", found.text);
    assert!(said(lane(DEAD * 1.01), "let a signal through").is_none());
}

#[test]
fn plateau() {
    // Constant for long, then better by a little in the newest quarter.
    let lane = |progress: f64, first: f64| {
        let lane = blank();
        let values =
            std::iter::once(first).chain(std::iter::repeat_n(1.0, 899)).chain(std::iter::repeat_n(1.0 - progress, 300));
        whole(&lane, Quantity::Loss, values);
        lane
    };
    let found = said(lane(PROGRESS * 0.9, 1.0), "no progress").unwrap();
    assert_eq!((found.evidence.pane, found.evidence.step), (PaneId::Loss, Some(900)));
    assert!(said(lane(PROGRESS * 1.1, 1.0), "no progress").is_none());
    // A loss that is as good as gone rests.
    assert!(said(lane(0.0, 0.9 / SOLVED), "no progress").is_some());
    assert!(said(lane(0.0, 1.1 / SOLVED), "no progress").is_none());
    let short = |steps: u64| {
        let lane = blank();
        whole(&lane, Quantity::Loss, std::iter::repeat_n(1.0, steps as usize));
        lane
    };
    assert!(said(short(PLATEAU_STEPS + 2), "no progress").is_some());
    assert!(said(short(PLATEAU_STEPS), "no progress").is_none());
    assert!(said(LaneView { ended: Some(EndReason::Done), ..lane(0.0, 1.0) }, "no progress").is_none());
}

#[test]
fn sharpening() {
    let lane = |rise: f64, fall: f64| {
        let lane = blank();
        whole(&lane, Quantity::Cosine, [0.2; RECENT].into_iter().chain([0.2 * rise; RECENT]));
        plot(&lane, Key::site(Quantity::EffectiveRank, 0), [(0, 100.0), (16, 99.0)]);
        plot(&lane, Key::site(Quantity::EffectiveRank, 1), [(0, 100.0), (16, 100.0 * fall)]);
        lane
    };
    let found = said(lane(SHARPER * 1.01, NARROWER * 0.99), "sharpens itself").unwrap();
    assert_eq!((found.weight, found.evidence.pane, found.evidence.layer), (Weight::Note, PaneId::Spectrum, Some(1)));
    assert!(said(lane(SHARPER * 0.99, NARROWER * 0.99), "sharpens itself").is_none());
    assert!(said(lane(SHARPER * 1.01, NARROWER * 1.01), "sharpens itself").is_none());
    // The stable rank, which a few large singular values bring down, counts as well.
    let stable = lane(SHARPER * 1.01, NARROWER * 1.01);
    plot(&stable, Key::site(Quantity::StableRank, 2), [(0, 60.0), (16, 60.0 * NARROWER * 0.99)]);
    let found = said(stable, "sharpens itself").unwrap();
    assert!(found.text.contains("stable rank") && found.evidence.layer == Some(2), "{}", found.text);
}

#[test]
fn biased() {
    // Parts along g of mean `mean` that stray by `spread` to both sides.
    let lane = |mean: f64, spread: f64, count: usize| {
        let lane = blank();
        let part = |index: usize| mean + if index.is_multiple_of(2) { spread } else { -spread };
        whole(&lane, Quantity::Cosine, std::iter::repeat_n(0.5, count));
        whole(&lane, Quantity::NormRatio, (0..count).map(|index| part(index) / 0.5));
        lane
    };
    let found = said(lane(1.0 - BIAS_SHARE * 1.01, 0.01, BIAS_RECENT), "is biased").unwrap();
    assert_eq!(found.evidence.pane, PaneId::NormRatio);
    assert!(said(lane(1.0 - BIAS_SHARE * 0.99, 0.01, BIAS_RECENT), "is biased").is_none());
    assert!(said(lane(0.5, 0.01, BIAS_RECENT - 1), "is biased").is_none());
    // The deviation of n values ±s is s·√(n/(n−1)); three standard errors are 0.5 at this spread.
    let n = BIAS_RECENT as f64;
    let spread = 0.5 / BIAS_ERRORS * n.sqrt() / (n / (n - 1.0)).sqrt();
    assert!(said(lane(0.5, spread * 0.99, BIAS_RECENT), "is biased").is_some());
    assert!(said(lane(0.5, spread * 1.01, BIAS_RECENT), "is biased").is_none());
    let mut scaled = lane(0.5, 0.01, BIAS_RECENT);
    let mut info = crate::record::LaneInfo::clone(&scaled.info);
    info.spec.scaling = Some(GuessScaling::Unit);
    scaled.info = Arc::new(info);
    assert!(said(scaled, "is biased").is_none());
}

#[test]
fn a_measured_bias_goes_before_what_the_steps_suggest() {
    // Squares of bias of mean `mean` that stray by `spread` to both sides, beside steps that suggest a bias.
    let lane = |mean: f64, spread: f64, points: usize| {
        let lane = blank();
        whole(&lane, Quantity::Cosine, std::iter::repeat_n(0.5, BIAS_RECENT));
        whole(&lane, Quantity::NormRatio, std::iter::repeat_n(0.5, BIAS_RECENT));
        let square = |index: usize| mean + if index.is_multiple_of(2) { spread } else { -spread };
        whole(&lane, Quantity::BiasSquared, (0..points).map(square));
        lane
    };
    let least = BIAS_SHARE * BIAS_SHARE;
    let found = said(lane(0.36, 0.01, 4), "is biased").unwrap();
    assert_eq!(found.evidence.pane, PaneId::Bias);
    // The deviation of ±0.01 four times is 0.01·√(4/3); its error half of that, and that of the root 1/(2·0.6) of that.
    let error = 0.01 * (4.0f64 / 3.0).sqrt() / 2.0 / 1.2;
    assert!(found.text.contains(&format!("0.600 ± {} of ‖g‖", crate::tui::format::value(error))), "{}", found.text);
    assert!(said(lane(least * 1.01, 0.0, 4), "is biased").is_some());
    assert!(said(lane(least * 0.99, 0.0, 4), "is biased").is_none());
    assert!(said(lane(0.36, 0.01, BIAS_POINTS - 1), "is biased").is_none());
    let spread = 0.36 / BIAS_ERRORS * 2.0 / (4.0f64 / 3.0).sqrt();
    assert!(said(lane(0.36, spread * 0.99, 4), "is biased").is_some());
    assert!(said(lane(0.36, spread * 1.01, 4), "is biased").is_none());
    // Measured to be unbiased: whatever the steps suggest, nothing is said.
    assert!(said(lane(0.0, 0.01, 8), "is biased").is_none());
}

#[test]
fn measuring() {
    let lane = |share: f64, total: f64| {
        let seconds =
            StageSeconds { measure: share * total, forward: (1.0 - share) * total, ..StageSeconds::default() };
        LaneView { seconds, ..blank() }
    };
    let found = said(lane(MEASURING + 0.01, 2.0), "measuring takes").unwrap();
    assert_eq!(found.evidence, Evidence::pane(PaneId::Cost));
    assert!(said(lane(MEASURING - 0.01, 2.0), "measuring takes").is_none());
    assert!(said(lane(0.9, 0.5), "measuring takes").is_none());
}

#[test]
fn only_the_selected_lane_is_noted_to_be_above_its_floor_and_only_when_nothing_graver_is() {
    let lane = |id: usize| {
        let lane = blank();
        whole(&lane, Quantity::Cosine, [0.2; 20]);
        let mut info = crate::record::LaneInfo::clone(&lane.info);
        (info.lane, info.name) = (id, format!("lane {id}"));
        LaneView { info: Arc::new(info), ..lane }
    };
    let found = verdicts(vec![lane(0), lane(1)]);
    assert_eq!(found.iter().filter(|verdict| verdict.text.contains("above its random floor")).count(), 1);
    let grave = lane(0);
    plot(&grave, Key::site(Quantity::MaskDensity, 0), [(10, 0.0)]);
    assert!(said(grave, "above its random floor").is_none());
}

#[test]
fn the_reference_is_not_judged_by_its_cosine() {
    let session = Synthetic::new(1, 0, 5000, false).snapshot();
    let lane = LaneView { history: Arc::new(LaneHistory::new()), ..session.lanes[0].clone() };
    whole(&lane, Quantity::Cosine, [0.0; 50]);
    assert_eq!(verdicts(vec![lane]), []);
}

#[test]
fn the_table_says_when_with_its_thresholds() {
    let mut names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
    for rule in RULES {
        let when = (rule.when)();
        assert!(when.ends_with('.') && when.len() > 20, "{when}");
        assert!(matches!(rule.check, Check::Lane(_) | Check::Session(_)));
    }
    let text: String = RULES.iter().map(|rule| (rule.when)()).collect();
    for threshold in [DIVERGING, FLOOR, HALVED, SHARPER, NARROWER, BIAS_ERRORS] {
        assert!(text.contains(&format!("{threshold}")), "{threshold}");
    }
    names.dedup();
    assert_eq!(names.len(), RULES.len());
}
