//! The panes: each a file with one `render`, and a line in this registry. Layouts name them.
#![forbid(unsafe_code)]

use super::context::Context;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde::Deserialize;

mod accuracy;
mod alignment;
mod cosine;
mod cost;
mod crosshair;
mod curves;
mod formula;
pub mod header;
pub mod keyline;
pub mod lane_line;
mod lanes;
mod log;
mod loss;
mod marks;
mod matrix;
mod norm_ratio;
pub mod numbers;
mod one_step;
mod plot;
mod spectrum;
pub mod verdict;

/// Name of a pane, for layouts and the focus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaneId {
    /// The lanes with their newest values, and the settings of the selected one.
    Lanes,
    /// The lanes in one or two lines.
    LaneLine,
    /// Loss over steps.
    Loss,
    /// Accuracy over steps.
    Accuracy,
    /// Alignment, layer × step, of the selected lane.
    Alignment,
    /// Alignment, lane × layer, newest values.
    Matrix,
    /// Whole-model cosine over steps, with the random floor.
    Cosine,
    /// ‖ĝ‖/‖g‖ over steps.
    NormRatio,
    /// One-step effectiveness over steps.
    OneStep,
    /// Effective rank of each layer over steps, of the selected lane.
    Spectrum,
    /// Where the time goes.
    Cost,
    /// The selected strategy's own description.
    Formula,
    /// Messages.
    Log,
}

impl PaneId {
    /// Its name where people type it: `one-step`.
    pub fn slug(self) -> String {
        let mut slug = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !slug.is_empty() {
                slug.push('-');
            }
            slug.extend(letter.to_lowercase());
        }
        slug
    }

    /// The pane that people call `name`.
    pub fn named(name: &str) -> Option<Self> {
        PANES.iter().map(|pane| pane.id).find(|id| id.slug() == name.to_lowercase().replace('_', "-"))
    }
}

/// A line of the registry.
pub struct Pane {
    /// Its id.
    pub id: PaneId,
    /// Its name for people.
    pub name: &'static str,
    /// Whether it has an axis of values, which can be logarithmic.
    pub chart: bool,
    /// Draws it, frame included.
    pub render: fn(&Context<'_>, Rect, &mut Buffer),
}

const fn pane(id: PaneId, name: &'static str, chart: bool, render: fn(&Context<'_>, Rect, &mut Buffer)) -> Pane {
    Pane { id, name, chart, render }
}

/// All panes, in the order of the focus.
pub static PANES: &[Pane] = &[
    pane(PaneId::Lanes, "lanes", false, lanes::render),
    pane(PaneId::LaneLine, "lane line", false, lane_line::render),
    pane(PaneId::Loss, "loss", true, loss::render),
    pane(PaneId::Accuracy, "accuracy", true, accuracy::render),
    pane(PaneId::Alignment, "alignment by layer and step", false, alignment::render),
    pane(PaneId::Matrix, "alignment by lane and layer", false, matrix::render),
    pane(PaneId::Cosine, "cosine and random floor", true, cosine::render),
    pane(PaneId::NormRatio, "norm ratio", true, norm_ratio::render),
    pane(PaneId::OneStep, "one-step effectiveness", true, one_step::render),
    pane(PaneId::Spectrum, "effective rank", true, spectrum::render),
    pane(PaneId::Cost, "cost", false, cost::render),
    pane(PaneId::Formula, "formula", false, formula::render),
    pane(PaneId::Log, "log", false, log::render),
];

/// Whether `id` has an axis of values.
pub fn is_chart(id: PaneId) -> bool {
    PANES.iter().any(|pane| pane.id == id && pane.chart)
}

/// Draws pane `id` in `area`.
pub fn render(id: PaneId, context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    if let Some(pane) = PANES.iter().find(|pane| pane.id == id) {
        (pane.render)(context, area, buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_names_each_pane_once() {
        for (index, pane) in PANES.iter().enumerate() {
            assert!(PANES[index + 1..].iter().all(|other| other.id != pane.id && other.name != pane.name));
        }
    }
}
