//! cos(ĝ, g) of the whole model over steps, against √(2/(πn)), the mean |cos| of directions drawn at random.
#![forbid(unsafe_code)]

use super::super::context::Context;
use super::super::lanes::random_floor;
use super::super::{format, ink};
use super::PaneId;
use super::curves;
use super::plot::{self, Level, Plot};
use crate::record::Quantity;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let signed = context.state.signed;
    let shown = curves::lane_curves(context, Quantity::Cosine, !signed);
    let parameters = context.selected().map_or(0, |group| group.first().info.parameters);
    let floor = random_floor(parameters);
    let levels = if signed || parameters == 0 {
        Vec::new()
    } else {
        let full = format!("random floor √(2/(πn)) = {}", format::value(floor));
        let label = if ink::width(&full) + 30 < area.width { full } else { format!("floor {}", format::value(floor)) };
        vec![Level { value: floor, label }]
    };
    let chart = Plot {
        pane: PaneId::Cosine,
        title: if signed { "Cosine cos(ĝ,g)".to_owned() } else { "Cosine |cos(ĝ,g)|".to_owned() },
        notes: vec![curves::smoothing_note(context)],
        curves: shown,
        levels,
        bounds: if signed { (-1.0, 1.0) } else { (0.0, 1.0) },
        write: format::value,
        exact: format::exact,
        nothing: "no alignment measured yet",
    };
    plot::render_compared(context, chart, area, buffer);
}
