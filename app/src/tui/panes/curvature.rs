//! How much of each lane's estimate ĝ, and dashed of its true gradient g, lies in the span of the Hessian's k largest eigenvalues'
//! eigenvectors, over steps, against k/n of a random direction; the notes give the selected lane's eigenvalues λ₁ and λ_k.
#![forbid(unsafe_code)]

use super::super::context::Context;
use super::super::format;
use super::PaneId;
use super::curves;
use super::plot::{self, Level, Plot};
use crate::record::{Key, Quantity};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let mut curves = Vec::new();
    for group in context.groups {
        // Of the reference both are one.
        if group.first().info.card.kind != "reference" {
            curves.extend(curves::dashed_of(context, group, Key::whole(Quantity::HessianGradient)));
        }
        curves.extend(curves::plain_of(context, group, Key::whole(Quantity::HessianEstimate)));
    }
    let value = |quantity| context.value(context.selected()?, Key::whole(quantity)).map(|(value, _)| value);
    let random = value(Quantity::HessianRandom);
    let level = |value: f64| Level { value, label: format!("random k/n = {}", format::value(value)) };
    let eigenvalues = value(Quantity::HessianLargest).zip(value(Quantity::HessianLast));
    let note = |(first, last)| match context.theme.ascii {
        false => format!("λ₁ {} λₖ {}", format::value(first), format::value(last)),
        true => format!("l1 {} lk {}", format::value(first), format::value(last)),
    };
    let title =
        context.theme.glyph("In the Hessian's top guess ─ gradient ┄", "In the Hessian's top guess -- gradient - -");
    let chart = Plot {
        pane: PaneId::Curvature,
        title: title.to_owned(),
        notes: eigenvalues.map(note).into_iter().collect(),
        curves,
        levels: random.map(level).into_iter().collect(),
        bounds: (0.0, 1.0),
        write: format::value,
        exact: format::exact,
        nothing: "not measured: add hessian to the workspace's measurements",
    };
    plot::render(context, &chart, area, buffer);
}
