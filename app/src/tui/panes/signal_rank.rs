//! How many directions the batch's true signals δ_l and activations X_l take up, by layer, of the selected lane: effective ranks
//! exp(H(σ/Σσ)). The notes give the stable ranks ‖δ_l‖²/σ₁², newest values.
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
            curves.extend(layer_curve(context, group, Quantity::SignalEffectiveRank, layer, false));
            curves.extend(layer_curve(context, group, Quantity::ActivationEffectiveRank, layer, true));
        }
        let stable = (0..layers).filter_map(|layer| {
            let (value, _) = context.value(group, Key::site(Quantity::SignalStableRank, layer))?;
            Some(format!("{value:.1}"))
        });
        let stable: Vec<String> = stable.collect();
        if !stable.is_empty() {
            notes.push(format!("stable {}", stable.join(" ")));
        }
    }
    let title = context.theme.glyph("Rank of δ signals ─ activations ┄", "Rank of d signals -- activations - -");
    let chart = Plot {
        pane: PaneId::SignalRank,
        title: title.to_owned(),
        notes,
        curves,
        levels: Vec::new(),
        bounds: (0.0, f64::INFINITY),
        write: format::value,
        exact: format::exact,
        nothing: "not measured: add signal_spectrum to the workspace's measurements",
    };
    plot::render(context, &chart, area, buffer);
}
