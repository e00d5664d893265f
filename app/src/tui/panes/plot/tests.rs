//! What is drawn of a million points, and what the mouse and the crosshair make of a chart.

use super::super::super::format;
use super::super::super::navigate;
use super::super::super::state::{SMOOTHING, State, Window};
use super::super::super::synthetic::Synthetic;
use super::super::super::theme::Theme;
use super::super::super::update::update;
use super::super::super::view::Band;
use super::super::super::{Source, action::Action};
use super::super::PaneId;
use super::super::testing::{canvas, pane, scale, text};
use super::spread;
use crate::record::{Key, Quantity, StageSeconds, StepReport};
use crate::session::history::LaneHistory;
use crate::session::protocol::Snapshot;
use proptest::prelude::*;
use std::sync::{Arc, OnceLock};

const MILLION: u64 = 1_000_000;
const SPIKE: u64 = 654_321;
const HOLE: u64 = 123_456;

/// One lane of a million steps of a loss near 1, with a spike of one step and a NaN of one step.
fn million() -> &'static Snapshot {
    static SESSION: OnceLock<Snapshot> = OnceLock::new();
    SESSION.get_or_init(|| {
        let mut snapshot = Snapshot::clone(&Synthetic::new(1, 1, MILLION, false).snapshot());
        let history = LaneHistory::new();
        for step in 0..MILLION {
            let loss = match step {
                SPIKE => 100.0,
                HOLE => f64::NAN,
                _ => 1.0 + 0.1 * (step as f64 * 0.1).sin(),
            };
            let values = vec![(Key::whole(Quantity::Loss), loss)];
            history.push(&StepReport {
                lane: 1,
                step,
                values,
                spectra: Vec::new(),
                metrics: Vec::new(),
                seconds: StageSeconds::default(),
            });
        }
        snapshot.lanes.truncate(2);
        snapshot.lanes.remove(0);
        snapshot.lanes[0].step = MILLION;
        snapshot.lanes[0].history = Arc::new(history);
        snapshot
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A spike of one step and a NaN of one step are on the screen wherever their step is, at any zoom, size, smoothing and range.
    #[test]
    fn a_spike_and_a_hole_among_a_million_are_drawn(
        target in prop_oneof![Just(SPIKE), Just(HOLE)], before in 0u64..MILLION, span in 3u64..MILLION,
        width in 24u16..220, height in 6u16..50, smoothing in 0..SMOOTHING.len(), robust in any::<bool>(), log_x in any::<bool>(),
        log_y in any::<bool>(),
    ) {
        let first = target.saturating_sub(before % span);
        let last = (first + span).min(MILLION - 1);
        let mut state = State { window: Window::Fixed(first, last), smoothing, robust, log_x, ..State::default() };
        if log_y {
            state.log_y.push(PaneId::Loss);
        }
        let (buffer, hits) = pane(PaneId::Loss, &state, million(), (width, height));
        let (area, steps) = canvas(&hits);
        let x = area.x + steps.column(target, area.width.into()).unwrap() as u16;
        // A column of dots is half a cell: the boundary between cells may go either way. Where the range holds the spike it has a
        // twentieth of the height above it.
        let top = area.height / 10 + 2;
        let marks: Vec<(&str, _)> = (x.saturating_sub(1)..=x + 1)
            .flat_map(|x| (area.y..area.y + top).map(move |y| (x, y)))
            .filter_map(|at| buffer.cell(at))
            .map(|cell| (cell.symbol(), cell.fg))
            .collect();
        let ours = [Theme::default().lane(1), Theme::default().lane_faint(1, 0.42)];
        let dots = |symbol: &str| symbol.chars().next().is_some_and(|c| ('\u{2801}'..='\u{28ff}').contains(&c));
        let seen = marks.iter().any(|(symbol, colour)| {
            ours.contains(colour) && (*symbol == "✕" || target == SPIKE && (*symbol == "▴" || dots(symbol)))
        });
        prop_assert!(seen, "step {target} in {first}..={last} at {width}×{height}: {marks:?}");
    }
}

/// The marker at a curve's newest value stands in a cell of its own: in a small chart the step before the last is as near.
#[test]
fn a_hole_just_before_the_newest_value_is_not_hidden_by_its_marker() {
    for (last, width, height) in [(123_602, 24, 6), (123_457, 24, 6), (123_500, 40, 8)] {
        let state = State { window: Window::Fixed(97_788, last), smoothing: 0, robust: false, ..State::default() };
        let (buffer, hits) = pane(PaneId::Loss, &state, million(), (width, height));
        let (area, _) = canvas(&hits);
        let row = (area.x..area.right()).filter_map(|x| buffer.cell((x, area.y))).map(|cell| cell.symbol());
        assert!(row.clone().any(|symbol| symbol == "✕"), "{last}: {:?}", row.collect::<Vec<_>>());
    }
}

#[test]
fn a_rubber_band_shows_what_it_was_drawn_around_and_the_view_goes_back() {
    let snapshot = Synthetic::new(1, 1240, 5000, false).snapshot();
    let mut state = State::default();
    let (_, hits) = pane(PaneId::Loss, &state, &snapshot, (120, 30));
    navigate::saw(&mut state, &hits);
    let before = scale(&hits);
    let band = Band { pane: PaneId::Loss, across: Some((200, 700)), along: Some((2500, 7500)) };
    let whole = state.view();
    update(&mut state, Action::Stretch(band), &snapshot);
    let (marked, _) = pane(PaneId::Loss, &state, &snapshot, (120, 30));
    let ground = Theme::default().chosen().bg;
    assert!(marked.content().iter().filter(|cell| Some(cell.bg) == ground).count() > 300, "the band is drawn");
    update(&mut state, Action::Window(band), &snapshot);
    let (_, hits) = pane(PaneId::Loss, &state, &snapshot, (120, 30));
    let after = scale(&hits);
    assert!((after.low() - before.value(0.25)).abs() < 1e-9 && (after.high() - before.value(0.75)).abs() < 1e-9);
    assert_eq!((canvas(&hits).1.first, canvas(&hits).1.last), (200, 700));
    update(&mut state, Action::ViewBack, &snapshot);
    assert_eq!(state.view(), whole);
    update(&mut state, Action::ViewForward, &snapshot);
    assert_eq!((state.window, state.values.len()), (Window::Fixed(200, 700), 1));
}

#[test]
fn keys_zoom_and_pan_the_values_of_the_focused_chart() {
    let snapshot = Synthetic::new(1, 1240, 5000, false).snapshot();
    let mut state = State { focus: PaneId::Accuracy, ..State::default() };
    let act = |state: &mut State, action| {
        let (_, hits) = pane(PaneId::Accuracy, state, &snapshot, (120, 30));
        navigate::saw(state, &hits);
        update(state, action, &snapshot);
        scale(&pane(PaneId::Accuracy, state, &snapshot, (120, 30)).1)
    };
    let whole = act(&mut state, Action::Redraw);
    let closer = act(&mut state, Action::ZoomInValues);
    assert!((closer.high() - closer.low() - (whole.high() - whole.low()) / 2.0).abs() < 1e-9);
    let up = act(&mut state, Action::PanValues(3));
    assert!((up.low() - closer.low() - 0.3 * (closer.high() - closer.low())).abs() < 1e-9);
    let out = act(&mut state, Action::ZoomOutValues);
    assert!(out.low() < up.low() && out.high() > up.high());
    assert_eq!(act(&mut state, Action::Whole), whole);
}

#[test]
fn curves_that_leave_a_window_of_values_do_not_run_along_its_edge() {
    let snapshot = Synthetic::new(1, 1240, 5000, false).snapshot();
    let mut state = State { robust: false, smoothing: 0, selected: Some(0), ..State::default() };
    state.values.push(super::super::super::view::Values { pane: PaneId::Loss, low: 0.0, high: 0.5 });
    let (buffer, hits) = pane(PaneId::Loss, &state, &snapshot, (120, 30));
    let (area, _) = canvas(&hits);
    // Weight perturbation stays above 2: nothing of it is in this window, not even a mark.
    let theme = Theme::default();
    let theirs = [theme.lane_faint(4, 0.8), theme.lane_faint(4, 0.26)];
    let cells = area.positions().filter_map(|at| buffer.cell(at));
    assert_eq!(cells.filter(|cell| theirs.contains(&cell.fg) && cell.symbol() != " ").count(), 0);
}

#[test]
fn the_read_out_says_smoothed_raw_and_test_values_and_the_step_measured() {
    let snapshot = Synthetic::new(1, 1240, 5000, false).snapshot();
    let state = State { crosshair: Some(617), selected: Some(1), ..State::default() };
    let (buffer, _) = pane(PaneId::Loss, &state, &snapshot, (160, 40));
    let said = text(&buffer);
    let history = &snapshot.lanes[1].history;
    for quantity in [Quantity::Loss, Quantity::TestLoss] {
        let (_, value) = history.series(Key::whole(quantity)).unwrap().at(617).unwrap();
        assert!(said.contains(&format::exact(value)), "{quantity:?} {value}:\n{said}");
    }
    assert!(said.contains("step 617") && said.contains("EMA 0.9") && said.contains("raw"));
    // The cosine was measured every ten steps: the step it is of is said.
    let state = State { focus: PaneId::Cosine, signed: true, smoothing: 0, ..state };
    let said = text(&pane(PaneId::Cosine, &state, &snapshot, (160, 40)).0);
    let (step, value) = history.series(Key::whole(Quantity::Cosine)).unwrap().at(617).unwrap();
    assert_eq!(step, 610);
    assert!(said.contains(&format::exact(value)) && said.contains("610"), "{said}");
}

#[test]
fn by_flop_every_lane_is_read_at_its_own_step() {
    let snapshot = Synthetic::new(1, 1240, 5000, false).snapshot();
    let mut state = State { selected: Some(4), smoothing: 0, ..State::default() };
    for _ in 0..3 {
        update(&mut state, Action::NextUnit, &snapshot);
    }
    // 100 steps of backpropagation; weight perturbation takes fewer operations a step, so more steps.
    state.crosshair = Some(100 * snapshot.lanes[0].info.flop);
    let said = text(&pane(PaneId::Loss, &state, &snapshot, (160, 40)).0);
    let step = 100 * snapshot.lanes[0].info.flop / snapshot.lanes[4].info.flop;
    let (_, value) = snapshot.lanes[4].history.series(Key::whole(Quantity::Loss)).unwrap().at(step).unwrap();
    assert!(step > 100 && said.contains(&format::exact(value)) && said.contains("by FLOP"), "{said}");
}

#[test]
fn a_lane_without_derivatives_is_left_out_of_their_axis_and_named() {
    let snapshot = Synthetic::new(1, 1240, 5000, false).snapshot();
    let mut state = State::default();
    for _ in 0..2 {
        update(&mut state, Action::NextUnit, &snapshot);
    }
    assert!(state.notice.as_deref().is_some_and(|notice| notice.contains("backprop takes none")), "{:?}", state.notice);
    let (buffer, hits) = pane(PaneId::Loss, &state, &snapshot, (160, 40));
    let (area, _) = canvas(&hits);
    let theme = Theme::default();
    let cells = area.positions().filter_map(|at| buffer.cell(at));
    assert_eq!(cells.filter(|cell| cell.fg == theme.lane_faint(0, 0.8) && cell.symbol() != " ").count(), 0);
}

#[test]
fn values_beside_a_chart_keep_their_order_and_do_not_overlap() {
    assert_eq!(spread(&[0, 3, 9], 10), [0, 3, 9]);
    assert_eq!(spread(&[2, 2, 2, 4], 10), [2, 3, 4, 5]);
    assert_eq!(spread(&[8, 9, 9, 9], 10), [6, 7, 8, 9]);
    assert_eq!(spread(&[5, 5], 2), [0, 1]);
}
