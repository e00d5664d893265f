//! Panes of two curves for each layer of the selected lane, solid and dashed, with a third quantity's newest values in the notes.
#![forbid(unsafe_code)]

use super::super::context::Context;
use super::super::format;
use super::PaneId;
use super::plot::{self, Plot};
use super::spectrum::layer_curve;
use crate::record::{Key, Quantity};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// What such a pane shows.
struct Pair {
    pane: PaneId,
    /// Solid, and dashed.
    curves: [Quantity; 2],
    /// In the notes: what it is called there, and with how many decimals it is written.
    noted: (Quantity, &'static str, usize),
    /// The title, and what stands for it where there is no more than ASCII.
    title: [&'static str; 2],
    most: f64,
    nothing: &'static str,
}

/// How much of each layer's true signal lies in the span of the activations, against a random span of the same rank; the notes say the
/// same of the rows of the next weight, which hold all of it by construction in a plain network.
const CONTAINMENT: Pair = Pair {
    pane: PaneId::Containment,
    curves: [Quantity::ActivationContainment, Quantity::ActivationContainmentRandom],
    noted: (Quantity::WeightContainment, "rows of W", 2),
    title: ["Containment of δ activations ─ random ┄", "Containment of d activations -- random - -"],
    most: 1.0,
    nothing: "not measured: add containment to the workspace's measurements",
};

/// How many directions the batch's true signals δ_l and activations X_l take up: effective ranks exp(H(σ/Σσ)). The notes give the stable
/// ranks ‖δ_l‖²/σ₁².
const RANKS: Pair = Pair {
    pane: PaneId::SignalRank,
    curves: [Quantity::SignalEffectiveRank, Quantity::ActivationEffectiveRank],
    noted: (Quantity::SignalStableRank, "stable", 1),
    title: ["Rank of δ signals ─ activations ┄", "Rank of d signals -- activations - -"],
    most: f64::INFINITY,
    nothing: "not measured: add signal_spectrum to the workspace's measurements",
};

pub fn containment(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    render(&CONTAINMENT, context, area, buffer);
}

pub fn ranks(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    render(&RANKS, context, area, buffer);
}

fn render(pair: &Pair, context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let (mut curves, mut notes) = (Vec::new(), Vec::new());
    if let Some(group) = context.selected() {
        let layers = group.first().info.sites.len();
        let [solid, dashed] = pair.curves;
        for layer in 0..layers {
            curves.extend(layer_curve(context, group, solid, layer, false));
            curves.extend(layer_curve(context, group, dashed, layer, true));
        }
        let (quantity, name, decimals) = pair.noted;
        let newest = (0..layers).filter_map(|layer| {
            let (value, _) = context.value(group, Key::site(quantity, layer))?;
            Some(format!("{value:.decimals$}"))
        });
        let newest: Vec<String> = newest.collect();
        if !newest.is_empty() {
            notes.push(format!("{name} {}", newest.join(" ")));
        }
    }
    let chart = Plot {
        pane: pair.pane,
        title: context.theme.glyph(pair.title[0], pair.title[1]).to_owned(),
        notes,
        curves,
        levels: Vec::new(),
        bounds: (0.0, pair.most),
        write: format::value,
        exact: format::exact,
        nothing: pair.nothing,
    };
    plot::render(context, &chart, area, buffer);
}
