//! Every lane with every last figure, a seed a row.
#![forbid(unsafe_code)]

use super::super::context::Context;
use super::super::format;
use super::PaneId;
use super::table::{self, Column, Line};
use crate::record::{Key, Quantity};
use crate::session::protocol::LaneView;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let count = context.snapshot.lanes.len();
    let inner = context.frame(PaneId::Runs, &format!("Runs {count}"), &context.place(), area, buffer);
    if count == 0 {
        return context.empty(context.nothing("no lanes"), inner, buffer);
    }
    let lanes: Vec<(&LaneView, Line<'_, '_>)> = context
        .groups
        .iter()
        .flat_map(|group| group.lanes.iter().map(move |&lane| (group, lane)))
        .map(|(group, lane)| (lane, Line { group, name: group.name.clone(), ended: lane.ended.as_ref() }))
        .collect();
    let column = |head: &str, rank, of: &dyn Fn(&LaneView) -> Option<String>| {
        let cells = lanes.iter().map(|(lane, _)| of(lane).unwrap_or_else(|| "–".to_owned())).collect();
        Column { head: head.to_owned(), cells, rank }
    };
    let at = |lane: &LaneView, quantity, beta: f64| {
        let series = context.derived.series(lane, Key::whole(quantity), false, beta)?;
        context.ruler(lane).read(&series, context.state.crosshair).map(|(_, value)| value)
    };
    let number =
        |head, rank, quantity, write: fn(f64) -> String| column(head, rank, &|lane| at(lane, quantity, 0.0).map(write));
    let smooth = |head, rank, quantity, write: fn(f64) -> String| {
        column(head, rank, &|lane| at(lane, quantity, context.state.beta()).map(write))
    };
    let per_step = |lane: &LaneView| lane.seconds.training() / lane.step.max(1) as f64;
    let timed = |lane: &LaneView| (lane.step > 0 && lane.seconds.training() > 0.0).then(|| per_step(lane));
    // The standard error of the column before it.
    let plus_minus = context.theme.glyph("±", "+-");
    let columns = [
        column("seed", 2, &|lane| Some(lane.info.seed.to_string())),
        column("step", 3, &|lane| Some(format::grouped(lane.step))),
        smooth("loss", 0, Quantity::Loss, format::value),
        smooth("accuracy", 5, Quantity::Accuracy, percent),
        number("test loss", 4, Quantity::TestLoss, format::value),
        number("test acc.", 1, Quantity::TestAccuracy, percent),
        number("val. loss", 12, Quantity::ValidationLoss, format::value),
        number("val. acc.", 11, Quantity::ValidationAccuracy, percent),
        number("train loss", 14, Quantity::TrainLoss, format::value),
        number("train acc.", 13, Quantity::TrainAccuracy, percent),
        number("cosine", 6, Quantity::Cosine, format::value),
        number("‖ĝ‖/‖g‖", 10, Quantity::NormRatio, format::value),
        number("signs", 16, Quantity::SignAgreement, percent),
        number("one-step", 8, Quantity::OneStep, format::value),
        number("bias²", 15, Quantity::BiasSquared, format::value),
        number(plus_minus, 18, Quantity::BiasSquaredError, format::value),
        number("fit c", 15, Quantity::ScalarFit, format::value),
        number(plus_minus, 18, Quantity::ScalarFitError, format::value),
        number("variance", 15, Quantity::Variance, format::value),
        number(plus_minus, 18, Quantity::VarianceError, format::value),
        number("η", 9, Quantity::LearningRate, format::value),
        column("ms/step", 7, &|lane| timed(lane).map(|seconds| format::value(seconds * 1e3))),
        column("FLOP/s", 17, &|lane| timed(lane).map(|seconds| format::si(lane.info.flop as f64 / seconds))),
    ];
    // What no lane has takes no room.
    let columns = columns.into_iter().filter(|column| column.cells.iter().any(|cell| cell != "–")).collect();
    let lines: Vec<Line<'_, '_>> = lanes.into_iter().map(|(_, line)| line).collect();
    table::render(context, &lines, columns, inner, buffer);
}
