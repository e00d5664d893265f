//! Share of examples classified rightly: training batches solid, the test split dashed.
#![forbid(unsafe_code)]

use super::super::context::Context;
use super::PaneId;
use super::curves;
use super::plot::{self, Plot};
use crate::record::{Key, Quantity};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let mut shown = curves::lane_curves(context, Quantity::Accuracy, false);
    for curve in &mut shown {
        // A batch's accuracy is so coarse that raw values of all lanes would cover everything.
        curve.draw_raw &= curve.front;
    }
    let test = Key::whole(Quantity::TestAccuracy);
    shown.extend(context.groups.iter().filter_map(|group| curves::dashed_of(context, group, test)));
    let chart = Plot {
        pane: PaneId::Accuracy,
        title: format!("Accuracy {}", context.theme.glyph("train ─ test ┄", "train -- test - -")),
        notes: vec![curves::smoothing_note(context)],
        curves: shown,
        levels: Vec::new(),
        bounds: (0.0, 1.0),
        write: |share| format!("{:.1}%", share * 100.0),
        exact: |share| format!("{:.2}%", share * 100.0),
        nothing: "no accuracy yet: this problem may not have classes",
    };
    plot::render_compared(context, chart, area, buffer);
}
