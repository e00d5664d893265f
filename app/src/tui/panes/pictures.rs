//! Pictures of the panes that the overview does not show, large and small, and what their colours say.

use super::super::action::Action;
use super::super::rank::By;
use super::super::state::State;
use super::super::synthetic::Synthetic;
use super::super::tests::picture;
use super::super::theme::{Theme, Tier};
use super::super::update::update;
use super::super::{Source, format};
use super::PaneId;
use super::testing::{canvas, pane, scale, text, themed};
use crate::record::{Key, Quantity};
use crate::session::protocol::{Command, Snapshot};
use std::sync::{Arc, OnceLock};

/// Five lanes of three seeds, with the batch of the second lane.
fn session() -> Arc<Snapshot> {
    static SESSION: OnceLock<Arc<Snapshot>> = OnceLock::new();
    let made = || {
        let session = Synthetic::new(3, 840, 5000, true);
        session.send(Command::Peek(3));
        session.snapshot()
    };
    Arc::clone(SESSION.get_or_init(made))
}

const NEW: [PaneId; 10] = [
    PaneId::Rank,
    PaneId::Runs,
    PaneId::Parameters,
    PaneId::Data,
    PaneId::Spectrum,
    PaneId::Bias,
    PaneId::Variance,
    PaneId::Containment,
    PaneId::Curvature,
    PaneId::SignalRank,
];

#[test]
fn pictures_of_the_panes() {
    for id in NEW {
        let layer = (id == PaneId::Spectrum).then_some(1);
        let state = State { focus: PaneId::Loss, layer, ..State::default() };
        for (width, height) in [(150, 24), (78, 12)] {
            let (buffer, _) = pane(id, &state, &session(), (width, height));
            insta::assert_snapshot!(format!("{id:?}_{width}x{height}").to_lowercase(), picture(&buffer));
        }
    }
}

#[test]
fn every_pane_has_a_plain_picture() {
    let theme = Theme { tier: Tier::Mono, dark: true, ascii: true, ..Theme::default() };
    let state = State { layer: Some(1), crosshair: Some(400), ..State::default() };
    for id in NEW {
        for (width, height) in [(150, 24), (78, 12), (30, 6), (5, 3), (1, 1)] {
            let (buffer, _) = themed(id, &state, &session(), (width, height), &theme);
            let area = buffer.area;
            assert_eq!((area.width, area.height), (width, height));
            let coloured = buffer.content().iter().filter(|cell| cell.fg != ratatui::style::Color::Reset);
            assert_eq!(coloured.count(), 0, "{id:?}");
        }
    }
}

#[test]
fn ranks_are_in_order_with_mean_and_standard_error_over_the_seeds() {
    let state = State { ranked_by: By::Last, ..State::default() };
    let said = text(&pane(PaneId::Rank, &state, &session(), (150, 24)).0);
    let row =
        |name: &str| said.lines().position(|line| line.contains(name)).unwrap_or_else(|| panic!("{name}:\n{said}"));
    assert!(
        row("1. backprop") < row("2. weight-transpose") && row("2. weight-transpose") < row("3. activation-mixing")
    );
    let key = Key::whole(Quantity::TestAccuracy);
    let values: Vec<f64> =
        (3..6).map(|lane| session().lanes[lane].history.series(key).unwrap().last().unwrap().1).collect();
    let mean = values.iter().sum::<f64>() / 3.0;
    let error = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 2.0 / 3.0).sqrt();
    let line = said.lines().nth(row("2. weight-transpose")).unwrap();
    assert!(
        line.contains(&format!("{:.2}%", mean * 100.0)) && line.contains(&format!("±{:.2}%", error * 100.0)),
        "{line}"
    );
    // Before the first step the lanes differ no more than their seeds do: the intervals are wide.
    let state = State { crosshair: Some(0), ..state };
    let said = text(&pane(PaneId::Rank, &state, &session(), (150, 24)).0);
    assert_eq!(said.lines().filter(|line| line.contains('├') && line.contains('┤')).count(), 5, "{said}");
}

#[test]
fn the_best_of_a_falling_metric_is_its_least_value() {
    let mut state = State { ranked_by: By::Best, ..State::default() };
    while super::super::rank::METRICS[state.metric].quantity != Quantity::TestLoss {
        update(&mut state, Action::NextMetric, &session());
    }
    let said = text(&pane(PaneId::Rank, &state, &session(), (150, 24)).0);
    let series = |lane: usize| session().lanes[lane].history.series(Key::whole(Quantity::TestLoss)).unwrap();
    let least = |lane: usize| series(lane).column(0..series(lane).len()).min;
    let mean = (0..3).map(least).sum::<f64>() / 3.0;
    assert!(said.lines().any(|line| line.contains("1. backprop") && line.contains(&format::value(mean))), "{said}");
}

#[test]
fn the_run_table_has_a_row_for_every_seed_and_says_how_a_lane_ended() {
    let (buffer, _) = pane(PaneId::Runs, &State::default(), &session(), (200, 24));
    let said = text(&buffer);
    assert_eq!(said.lines().filter(|line| line.contains("weight-transpose")).count(), 3);
    assert_eq!(said.lines().filter(|line| line.contains("diverged") && line.contains('✕')).count(), 3);
    let (_, value) = session().lanes[4].history.series(Key::whole(Quantity::TestLoss)).unwrap().last().unwrap();
    assert!(said.contains(&format::value(value)), "{said}");
}

#[test]
fn bias_and_variance_of_the_selected_lane_have_standard_errors() {
    let state = State { selected: Some(3), ..State::default() };
    let said = |id| text(&pane(id, &state, &session(), (150, 24)).0);
    // Of a mean over three seeds, each with the same error.
    let error = |of: f64| format::value(of / 3f64.sqrt());
    let bias = said(PaneId::Bias);
    assert!(bias.contains(&format!(" ± {} ", error(0.05))), "{bias}");
    assert!(bias.contains(&format!(" ± {})·g ", error(0.02))), "{bias}");
    let variance = said(PaneId::Variance);
    assert!(variance.contains(&format!(" ± {} ", error(2.0))), "{variance}");
    let table = text(&pane(PaneId::Runs, &state, &session(), (200, 24)).0);
    assert_eq!(table.matches('±').count(), 3, "{table}");
}

#[test]
fn the_data_pane_shows_bright_rings_with_their_labels() {
    let snapshot = session();
    let (buffer, _) = pane(PaneId::Data, &State::default(), &snapshot, (150, 24));
    let batch = snapshot.batch.as_ref().unwrap();
    let said = text(&buffer);
    let right = batch.labels.iter().zip(&batch.predictions).filter(|(label, said)| label == said).count();
    assert!(said.contains(&format!("{right} right")) && said.contains("✕"), "{said}");
    // The first image starts inside the frame; its pixels have the colours of the batch.
    for (row, column) in [(0, 0), (4, 6), (9, 13)] {
        let cell = buffer.cell((1 + column, 1 + row)).unwrap();
        let grey = |y: u16| {
            let [r, g, b] = batch.pixel(0, y.into(), column.into());
            ratatui::style::Color::Rgb(r, g, b)
        };
        assert_eq!((cell.symbol(), cell.fg, cell.bg), ("▀", grey(2 * row), grey(2 * row + 1)), "{row} {column}");
    }
}

#[test]
fn parameters_are_those_of_the_selected_lane() {
    let state = State { selected: Some(12), ..State::default() };
    let said = text(&pane(PaneId::Parameters, &state, &session(), (150, 24)).0);
    for word in ["weight-perturbation", "batch", "sgd", "134 794", "0 1 2"] {
        assert!(said.contains(word), "{word}:\n{said}");
    }
}

#[test]
fn the_spectrum_of_the_pointed_layer_follows_the_crosshair() {
    let state = State { selected: Some(3), layer: Some(2), crosshair: Some(450), ..State::default() };
    let said = text(&pane(PaneId::Spectrum, &state, &session(), (150, 24)).0);
    assert!(said.contains("σ of fc3") && said.contains("step 400 ─ 0 ┄"), "{said}");
    let narrow = text(&pane(PaneId::Spectrum, &state, &session(), (60, 12)).0);
    assert!(!narrow.contains("σ of") && narrow.contains("Rank effective ─ stable ┄"), "{narrow}");
}

#[test]
fn a_difference_to_the_baseline_is_zero_for_itself_and_paired_by_seed() {
    let snapshot = session();
    let mut state = State { selected: Some(0), smoothing: 0, crosshair: Some(700), ..State::default() };
    update(&mut state, Action::PinBaseline, &snapshot);
    update(&mut state, Action::Difference, &snapshot);
    assert_eq!((state.pinned, state.difference), (Some(0), true));
    let (buffer, hits) = pane(PaneId::Loss, &state, &snapshot, (160, 40));
    let said = text(&buffer);
    assert!(said.contains("Δ Loss") && said.contains("backprop"), "{said}");
    let at = |lane: usize| snapshot.lanes[lane].history.series(Key::whole(Quantity::Loss)).unwrap().at(700).unwrap().1;
    let mean = (0..3).map(|seed| at(3 + seed) - at(seed)).sum::<f64>() / 3.0;
    assert!(said.contains(&format::exact(mean)), "{mean}:\n{said}");
    assert!(scale(&hits).low() <= 0.0 && canvas(&hits).1.last > 700);
    let theme = Theme::default();
    let area = canvas(&hits).0;
    let own = area.positions().filter_map(|at| buffer.cell(at)).filter(|cell| cell.fg == theme.lane(0));
    assert_eq!(own.filter(|cell| cell.symbol() != " ").count(), 0, "the baseline is the line at 0, no curve");
    update(&mut state, Action::PinBaseline, &snapshot);
    assert_eq!((state.pinned, state.difference), (None, false));
}

#[test]
fn a_quantity_that_never_varies_keeps_to_its_bounds() {
    let history = crate::session::history::LaneHistory::new();
    let mut snapshot = Snapshot::clone(&Synthetic::new(1, 4, 5000, false).snapshot());
    for step in 0..4 {
        let values = vec![(Key::site(Quantity::ActivationContainment, 0), 1.0)];
        let (spectra, metrics, seconds) = (Vec::new(), Vec::new(), crate::record::StageSeconds::default());
        history.push(&crate::record::StepReport { lane: 1, step, values, spectra, metrics, seconds });
    }
    snapshot.lanes[1].history = Arc::new(history);
    let (_, hits) = pane(PaneId::Containment, &State { selected: Some(1), ..State::default() }, &snapshot, (100, 20));
    assert_eq!((scale(&hits).low(), scale(&hits).high()), (0.0, 1.0));
}
