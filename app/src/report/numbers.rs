//! The numbers of a report for programs: JSON with groups and curves, CSV with a row for each lane.

use super::figures::Drawn;
use super::groups::Report;
use crate::picture::{Body, Columns};
use crate::record::csv::write_text;
use crate::record::number::{Number, write_plain};
use crate::record::summary::{Figure, GroupSummary, LaneSummary};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Version of the format.
const SCHEMA: &str = "guesswork-report/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    command: &'a str,
    filter: Option<String>,
    runs: Vec<RunPart<'a>>,
    groups: Vec<GroupPart<'a>>,
    lanes: Vec<LanePart>,
    figures: Vec<FigurePart<'a>>,
}

#[derive(Serialize)]
struct RunPart<'a> {
    path: String,
    interrupted: Option<bool>,
    #[serde(flatten)]
    header: &'a crate::record::jsonl::RunHeader,
}

#[derive(Serialize)]
struct GroupPart<'a> {
    #[serde(flatten)]
    summary: &'a GroupSummary,
    lr: String,
    axes: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct LanePart {
    run: usize,
    #[serde(flatten)]
    summary: LaneSummary,
}

#[derive(Serialize)]
struct FigurePart<'a> {
    name: &'a str,
    title: &'a str,
    caption: &'a str,
    #[serde(flatten)]
    body: Shape<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Shape<'a> {
    Curves { x: &'a str, y: &'a str, curves: Vec<CurvePart<'a>> },
    Heat { rows: &'a [String], columns: Vec<String>, cells: Vec<Vec<Option<Number>>> },
}

#[derive(Serialize)]
struct CurvePart<'a> {
    name: &'a str,
    points: Vec<[Number; 2]>,
    band: Vec<[Number; 3]>,
}

/// The whole report.
///
/// # Errors
/// None for any report; JSON's writer for values that it cannot express.
pub(super) fn json(report: &Report, figures: &[Drawn]) -> serde_json::Result<String> {
    let summary = report.summary();
    let runs = report.runs.iter().zip(&report.interrupted).map(|(run, interrupted)| RunPart {
        path: run.path.display().to_string(),
        interrupted: *interrupted,
        header: &run.header,
    });
    let groups = summary.groups.iter().zip(&report.groups).map(|(summary, group)| GroupPart {
        summary,
        lr: group.rates(),
        axes: &group.first().info.axes,
    });
    let origins = report.groups.iter().flat_map(|group| &group.lanes).map(|lane| lane.run);
    let document = Document {
        schema: SCHEMA,
        command: &report.command,
        filter: report.filter.as_ref().map(ToString::to_string),
        runs: runs.collect(),
        groups: groups.collect(),
        lanes: origins.zip(summary.lanes.iter().cloned()).map(|(run, summary)| LanePart { run, summary }).collect(),
        figures: figures.iter().map(figure).collect(),
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn figure(drawn: &Drawn) -> FigurePart<'_> {
    let body = match &drawn.figure.body {
        Body::Curves { x, y, curves, .. } => Shape::Curves {
            x: &x.label,
            y: &y.label,
            curves: curves
                .iter()
                .map(|curve| CurvePart {
                    name: &curve.name,
                    points: curve.points.iter().map(|(x, y)| [Number(*x), Number(*y)]).collect(),
                    band: curve.band.iter().map(|(x, low, high)| [Number(*x), Number(*low), Number(*high)]).collect(),
                })
                .collect(),
        },
        Body::Heat { rows, columns, cells, .. } => {
            let count = cells.first().map_or(0, Vec::len);
            let columns = match columns {
                Columns::Named(names) => names.clone(),
                // The middle of each column.
                Columns::Along(axis) => (0..count)
                    .map(|column| axis.low + (axis.high - axis.low) * (column as f64 + 0.5) / count as f64)
                    .map(|step| format!("{step}"))
                    .collect(),
            };
            let number = |cell: &Option<f64>| cell.map(Number);
            Shape::Heat { rows, columns, cells: cells.iter().map(|row| row.iter().map(number).collect()).collect() }
        }
    };
    FigurePart { name: &drawn.name, title: &drawn.figure.title, caption: &drawn.caption, body }
}

/// A row for each lane: what it is, its figures, its time.
pub(super) fn csv(report: &Report) -> String {
    let lanes = || report.groups.iter().flat_map(|group| group.lanes.iter().map(move |lane| (&group.name, lane)));
    let axes: BTreeSet<&String> = lanes().flat_map(|(_, lane)| lane.info.axes.keys()).collect();
    let mut bytes = Vec::new();
    let mut head: Vec<String> = ["run", "lane", "name", "strategy", "scope", "seed", "lr"].map(str::to_owned).into();
    head.extend(axes.iter().map(|path| (*path).clone()));
    head.extend(["steps", "end", "why"].map(str::to_owned));
    head.extend(Figure::ALL.iter().map(word));
    head.extend(["seconds_training", "seconds_measuring", "steps_per_second", "seconds_per_guess"].map(str::to_owned));
    push(&mut bytes, &head);
    for (name, lane) in lanes() {
        let summary = &lane.summary;
        let end = summary.reason.as_ref();
        let mut row = vec![
            report.runs[lane.run].path.display().to_string(),
            summary.lane.to_string(),
            name.clone(),
            summary.strategy.clone(),
            summary.scope.as_ref().map(word).unwrap_or_default(),
            summary.seed.to_string(),
            number(lane.info.spec.optimizer.map(|optimizer| optimizer.lr())),
        ];
        row.extend(axes.iter().map(|path| lane.info.axes.get(*path).cloned().unwrap_or_default()));
        row.push(summary.steps.to_string());
        row.push(end.map_or("running", |end| end.word()).to_owned());
        row.push(end.and_then(|end| end.detail()).unwrap_or_default().to_owned());
        row.extend(Figure::ALL.iter().map(|figure| number(summary.figures.get(figure).map(|number| number.0))));
        let time = &summary.time;
        let times = [Some(time.training), Some(time.measuring), Some(time.steps_per_second), time.per_guess];
        row.extend(times.into_iter().map(number));
        push(&mut bytes, &row);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The name that records have for a value of an enumeration.
fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

fn number(value: Option<f64>) -> String {
    let mut cell = Vec::new();
    if let Some(value) = value {
        write_plain(&mut cell, value);
    }
    String::from_utf8_lossy(&cell).into_owned()
}

fn push(bytes: &mut Vec<u8>, cells: &[String]) {
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            bytes.push(b',');
        }
        write_text(bytes, cell);
    }
    bytes.extend_from_slice(b"\r\n");
}
