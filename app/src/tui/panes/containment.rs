//! How much of each layer's true signal lies in the span of the activations, against a random span of the same rank, of the selected
//! lane; the notes say the same of the rows of the next weight, which hold all of it by construction in a plain network.
#![forbid(unsafe_code)]

use super::super::context::Context;
use super::super::format;
use super::PaneId;
use super::plot::{self, Plot};
use super::spectrum::layer_curve;
use crate::record::{Key, Quantity};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let (mut curves, mut notes) = (Vec::new(), Vec::new());
    if let Some(group) = context.selected() {
        let layers = group.first().info.sites.len();
        for layer in 0..layers {
            curves.extend(layer_curve(context, group, Quantity::ActivationContainment, layer, false));
            curves.extend(layer_curve(context, group, Quantity::ActivationContainmentRandom, layer, true));
        }
        let weights = (0..layers).filter_map(|layer| {
            let (value, _) = context.value(group, Key::site(Quantity::WeightContainment, layer))?;
            Some(format!("{value:.2}"))
        });
        let weights: Vec<String> = weights.collect();
        if !weights.is_empty() {
            notes.push(format!("rows of W {}", weights.join(" ")));
        }
    }
    let title =
        context.theme.glyph("Containment of δ activations ─ random ┄", "Containment of d activations -- random - -");
    let chart = Plot {
        pane: PaneId::Containment,
        title: title.to_owned(),
        notes,
        curves,
        levels: Vec::new(),
        bounds: (0.0, 1.0),
        write: format::value,
        exact: format::exact,
        nothing: "not measured: add containment to the workspace's measurements",
    };
    plot::render(context, &chart, area, buffer);
}
