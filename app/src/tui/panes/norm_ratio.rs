//! ‖ĝ‖/‖g‖ over steps: how much longer the estimate is than the gradient it stands for.
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
        pane: PaneId::NormRatio,
        title: "Norm ratio ‖ĝ‖/‖g‖".to_owned(),
        notes: vec![curves::smoothing_note(context)],
        curves: curves::lane_curves(context, Quantity::NormRatio, false),
        levels: vec![Level { value: 1.0, label: String::new() }],
        bounds: (f64::NEG_INFINITY, f64::INFINITY),
        write: format::value,
        exact: format::exact,
        nothing: "not measured: add norm_ratio to the workspace's measurements",
    };
    plot::render_compared(context, chart, area, buffer);
}
