//! One-step effectiveness over steps: the loss that a step along ĝ (of g's length) wins, as a share of what a step along g wins.
#![forbid(unsafe_code)]

use super::super::context::Context;
use super::super::format;
use super::PaneId;
use super::curves;
use super::plot::{self, Level, Plot};
use crate::record::Quantity;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let chart = Plot {
        pane: PaneId::OneStep,
        title: "One-step effectiveness".to_owned(),
        notes: vec![curves::smoothing_note(context)],
        curves: curves::lane_curves(context, Quantity::OneStep, false),
        levels: vec![Level { value: 0.0, label: String::new() }],
        bounds: (f64::NEG_INFINITY, f64::INFINITY),
        write: format::value,
        exact: format::exact,
        nothing: "not measured: add one_step to the workspace's measurements",
    };
    plot::render_compared(context, chart, area, buffer);
}
