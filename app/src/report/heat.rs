//! Alignment by layer: over the steps for each lane, and all lanes at once.

use super::figures::{Drawn, OF_A_KIND, file_name};
use super::groups::{Group, Report};
use super::palette;
use super::series::over_seeds;
use crate::picture::{Axis, Body, Columns, Figure};
use crate::record::{Key, Quantity};

/// Columns of a heatmap over steps at most.
const COLUMNS: usize = 120;
/// Lanes of the matrix at most.
const ROWS: usize = 30;

/// The heatmaps of cos(ĝ, g).
pub(super) fn figures(report: &Report) -> Vec<Drawn> {
    let guessed: Vec<&Group> = report.groups.iter().filter(|group| !group.is_reference()).collect();
    let mut found: Vec<Drawn> = matrix(&guessed).into_iter().collect();
    found.extend(guessed.iter().filter_map(|group| over_steps(group)).take(OF_A_KIND));
    found
}

/// Layers × steps of one group.
fn over_steps(group: &Group) -> Option<Drawn> {
    let info = &group.first().info;
    let mut rows = Vec::new();
    let mut last = 0.0f64;
    for (site, name) in info.sites.iter().enumerate() {
        let key = Key::site(Quantity::Cosine, site);
        let series: Vec<_> = group.lanes.iter().filter_map(|lane| lane.series.get(&key)).collect();
        let points: Vec<(f64, f64)> =
            over_seeds(&series).into_iter().map(|(point, ..)| (point.step, point.value)).collect();
        if points.len() > 1 {
            last = points.iter().map(|(step, _)| *step).fold(last, f64::max);
            rows.push((name.clone(), points));
        }
    }
    let most = rows.iter().map(|(_, points)| points.len()).max()?;
    let columns = most.min(COLUMNS);
    let cells: Vec<Vec<Option<f64>>> = rows
        .iter()
        .map(|(_, points)| {
            let mut sums = vec![(0.0, 0.0); columns];
            for (step, value) in points {
                let column = ((step / last.max(1.0)) * columns as f64).min(columns as f64 - 1.0) as usize;
                sums[column] = (sums[column].0 + value, sums[column].1 + 1.0);
            }
            filled(sums.into_iter().map(|(sum, count)| (count > 0.0).then_some(sum / count)).collect())
        })
        .collect();
    let figure = Figure {
        title: format!("Alignment by layer · {}", group.name),
        notes: String::new(),
        identity: Vec::new(),
        body: Body::Heat {
            rows: rows.into_iter().map(|(name, _)| name).collect(),
            columns: Columns::Along(Axis::new("step", 0.0, last, false)),
            map: palette::signed(reach(&cells)),
            cells,
            label: "cos(ĝ, g)".to_owned(),
        },
    };
    let seeds = if group.lanes.len() > 1 { ", as means over seeds" } else { "" };
    let caption = format!(
        "cos(ĝ, g) of each layer's parameters over the steps{seeds}: orange along the gradient, purple against it."
    );
    Some(Drawn { name: format!("alignment-{}", file_name(&group.name)), caption, figure })
}

/// Lanes × layers, as means over the run; only where all have the same layers.
fn matrix(groups: &[&Group]) -> Option<Drawn> {
    let sites = groups.first()?.first().info.sites.clone();
    let alike: Vec<&Group> =
        groups.iter().copied().filter(|group| group.first().info.sites == sites).take(ROWS).collect();
    let mean = |group: &Group, key: Key| {
        let all = group.lanes.iter().filter_map(|lane| lane.series.get(&key));
        let values: Vec<f64> =
            all.flat_map(|series| series.points()).map(|point| point.value).filter(|value| value.is_finite()).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let cells: Vec<Vec<Option<f64>>> = alike
        .iter()
        .map(|group| (0..sites.len()).map(|site| mean(group, Key::site(Quantity::Cosine, site))).collect())
        .collect();
    if alike.len() < 2 || !cells.iter().flatten().any(Option::is_some) {
        return None;
    }
    let figure = Figure {
        title: "Alignment by lane and layer".to_owned(),
        notes: String::new(),
        identity: Vec::new(),
        body: Body::Heat {
            rows: alike.iter().map(|group| group.name.clone()).collect(),
            columns: Columns::Named(sites),
            map: palette::signed(reach(&cells)),
            cells,
            label: "cos(ĝ, g)".to_owned(),
        },
    };
    let left_out = match groups.len() - alike.len() {
        0 => String::new(),
        more => format!(" {more} lanes are left out."),
    };
    let caption = format!("Mean over the run of cos(ĝ, g) of each layer's parameters.{left_out}");
    Some(Drawn { name: "alignment".to_owned(), caption, figure })
}

/// Cells between two that were measured show the one before.
fn filled(mut cells: Vec<Option<f64>>) -> Vec<Option<f64>> {
    let last = cells.iter().rposition(Option::is_some).unwrap_or(0);
    for column in 1..=last {
        if cells[column].is_none() {
            cells[column] = cells[column - 1];
        }
    }
    cells
}

/// A round number that no value passes.
fn reach(cells: &[Vec<Option<f64>>]) -> f64 {
    let most =
        cells.iter().flatten().flatten().map(|value| value.abs()).filter(|value| value.is_finite()).fold(0.0, f64::max);
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8].into_iter().find(|round| most <= *round).unwrap_or(1.0)
}
