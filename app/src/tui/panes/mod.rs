//! The panes: each a file with one `render`, and a line in this registry. Layouts name them.
#![forbid(unsafe_code)]

use super::context::{Context, Hit, Target};
use super::lanes::groups;
use super::state::State;
use super::update;
use crate::record::LaneId;
use crate::session::protocol::Snapshot;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde::{Deserialize, Serialize};

mod accuracy;
mod alignment;
mod bias;
mod cosine;
mod cost;
mod crosshair;
mod curvature;
pub mod curves;
mod data;
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
mod pairs;
mod parameters;
pub mod plot;
mod rank;
mod runs;
mod spectrum;
mod table;
pub mod verdict;

/// Name of a pane, for layouts and the focus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Relative bias² of the estimates over steps.
    Bias,
    /// Relative variance of the estimates over steps.
    Variance,
    /// Share of the true signals in the span of the activations, of the selected lane.
    Containment,
    /// Share of the estimates and of the gradients in the top of the Hessian's spectrum.
    Curvature,
    /// Effective rank of each layer over steps, of the selected lane, and its singular values.
    Spectrum,
    /// Effective rank of each layer's true signals and activations over steps, of the selected lane.
    SignalRank,
    /// Where the time goes.
    Cost,
    /// The lanes in order of a metric.
    Rank,
    /// Every lane with every last figure.
    Runs,
    /// The settings of the selected lane.
    Parameters,
    /// The images of the batch.
    Data,
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
    pane(PaneId::Bias, "bias", true, bias::bias),
    pane(PaneId::Variance, "variance", true, bias::variance),
    pane(PaneId::Containment, "subspace containment", true, pairs::containment),
    pane(PaneId::Curvature, "top of the Hessian", true, curvature::render),
    pane(PaneId::Spectrum, "spectrum and effective rank", true, spectrum::render),
    pane(PaneId::SignalRank, "rank of signals and activations", true, pairs::ranks),
    pane(PaneId::Cost, "cost", false, cost::render),
    pane(PaneId::Rank, "rank table", false, rank::render),
    pane(PaneId::Runs, "run table", false, runs::render),
    pane(PaneId::Parameters, "parameters", false, parameters::render),
    pane(PaneId::Data, "data", false, data::render),
    pane(PaneId::Formula, "formula", false, formula::render),
    pane(PaneId::Log, "log", false, log::render),
];

/// Whether `id` has an axis of values.
pub fn is_chart(id: PaneId) -> bool {
    PANES.iter().any(|pane| pane.id == id && pane.chart)
}

/// The lane whose batch the screen shows and does not have: the selected one, while the data pane is on the screen.
pub fn wants_batch(state: &State, snapshot: &Snapshot, hits: &[Hit]) -> Option<LaneId> {
    let shown = hits.iter().any(|hit| hit.target == Target::Pane(PaneId::Data));
    let groups = groups(snapshot);
    let lane = update::selected(state, &groups).filter(|_| shown)?.first();
    let wanted = (lane.info.lane, lane.step.saturating_sub(1));
    let held = snapshot.batch.as_deref().map(|batch| (batch.lane, batch.step));
    (lane.ended.is_none() && held != Some(wanted)).then_some(lane.info.lane)
}

/// Whether `id` compares lanes over the run, so that it can show differences to the baseline.
pub fn compares(id: PaneId) -> bool {
    matches!(id, PaneId::Loss | PaneId::Accuracy | PaneId::Cosine | PaneId::NormRatio | PaneId::OneStep)
        || matches!(id, PaneId::Bias | PaneId::Variance)
}

/// Draws pane `id` in `area`.
pub fn render(id: PaneId, context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    if let Some(pane) = PANES.iter().find(|pane| pane.id == id) {
        (pane.render)(context, area, buffer);
    }
}

#[cfg(test)]
mod pictures;
#[cfg(test)]
mod testing;

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
