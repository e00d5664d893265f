//! Loss over steps: training batches solid with the raw values faint behind, the test split dashed, all lanes.
#![forbid(unsafe_code)]

use super::super::context::Context;
use super::super::format;
use super::PaneId;
use super::curves;
use super::plot::{self, Plot};
use crate::record::{Key, Quantity};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let mut shown = curves::lane_curves(context, Quantity::Loss, false);
    let test = Key::whole(Quantity::TestLoss);
    shown.extend(context.groups.iter().filter_map(|group| curves::dashed_of(context, group, test)));
    let chart = Plot {
        pane: PaneId::Loss,
        title: format!("Loss {}", context.theme.glyph("train ─ test ┄", "train -- test - -")),
        notes: vec![curves::smoothing_note(context)],
        curves: shown,
        levels: Vec::new(),
        bounds: (f64::NEG_INFINITY, f64::INFINITY),
        write: format::value,
        exact: format::exact,
        nothing: "no step has been taken yet",
    };
    plot::render_compared(context, chart, area, buffer);
}
