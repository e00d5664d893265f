//! A chart of the screen as picture and table.

use super::super::chart::{Scale, Steps};
use super::super::context::Context;
use super::super::panes::curves::{Curve, trace};
use super::super::panes::plot::{Plot, view_notes};
use super::super::progress::Unit;
use super::{Offered, Table, Value};
use crate::picture::{self, Axis, Body, Colour, Figure, Level, Marker};
use crate::session::history::Column;
use ratatui::style::Color;

/// Columns that a curve is reduced to, two for each unit of a picture's width: no spike is lost.
const COLUMNS: u64 = 1400;

/// What `plot`, drawn on `scale`, shows.
pub fn chart(context: &Context<'_>, plot: &Plot<'_>, scale: &Scale) -> Offered {
    let steps = context.steps();
    let unit = context.state.unit;
    let title = title(&plot.title);
    let mut notes: Vec<String> = plot.notes.clone();
    notes.extend(view_notes(context, plot.pane).into_iter().map(str::to_owned));
    let seeds = plot.curves.iter().map(|curve| curve.strands.len()).max().unwrap_or(0);
    if seeds > 1 {
        notes.push(format!("mean and range of {seeds} seeds"));
    }
    let twins = |curve: &Curve<'_>| plot.curves.iter().any(|other| !other.dashed && other.label == curve.label);
    if plot.curves.iter().any(|curve| curve.dashed && twins(curve)) {
        notes.push(match plot.lines() {
            (_, "test") => "dashed: test split".to_owned(),
            (solid, dashed) => format!("solid: {solid}, dashed: {dashed}"),
        });
    }
    let place = |at: u64| at_of(unit, &steps, at as f64);
    let columns = (steps.last - steps.first + 1).min(COLUMNS) as usize;
    let places: Vec<f64> = (0..columns).map(|column| place(steps.begin(column, columns))).collect();
    let curves = plot.curves.iter().map(|curve| {
        let traced = trace(curve, &steps, columns);
        let name = match curve.dashed && twins(curve) {
            true if curve.tag.is_some() => format!("{}, {}", curve.label, plot.lines().1),
            true => String::new(),
            false => curve.label.clone(),
        };
        let band = traced.band.iter().zip(&places).filter_map(|(ends, x)| ends.map(|(low, high)| (*x, low, high)));
        let raw = traced.raw.iter().filter(|_| curve.draw_raw).map(|raw| points(raw, &places));
        picture::Curve {
            name,
            colour: colour(curve.colour),
            faint: colour(curve.faint),
            dashed: curve.dashed,
            marker: marker(&curve.marker),
            points: points(&traced.line, &places),
            raw: raw.collect(),
            band: band.collect(),
            dots: false,
        }
    });
    let log = context.state.is_log(plot.pane);
    let x = match unit {
        Unit::Steps if steps.log => "step + 1",
        Unit::Steps => "step",
        unit => unit.name(),
    };
    let body = Body::Curves {
        x: Axis::new(x, place(steps.first), place(steps.last), steps.log),
        y: Axis::new(title.as_str(), scale.low(), scale.high(), log),
        curves: curves.collect(),
        levels: plot.levels.iter().map(|level| Level { value: level.value, label: level.label.clone() }).collect(),
    };
    let at = context.state.crosshair;
    let said = plot.curves.iter().filter(|curve| !curve.dashed);
    // As it was measured, whatever smoothing is shown.
    let measured = |curve: &Curve<'_>| curve.raw(at).or_else(|| curve.value(at));
    let values = said.filter_map(|curve| Some((curve.label.clone(), measured(curve)?.mean))).collect();
    let figure = Figure { title, notes: notes.join(" · "), identity: Vec::new(), body };
    Offered { figure, table: table(plot, &steps, unit), values }
}

/// A pane's title without the samples of lines that it has on the screen.
fn title(text: &str) -> String {
    let samples = ["train -", "effective -", "activations -", "guess -"]
        .map(|sample| [sample.replace('-', "─"), sample.to_owned()]);
    let samples = samples.iter().flatten().filter_map(|sample| text.find(sample.as_str())).min();
    text[..samples.unwrap_or(text.len())].trim_end().to_owned()
}

/// A place along x as the picture's axis has it.
pub fn at_of(unit: Unit, steps: &Steps, at: f64) -> f64 {
    let at = if unit == Unit::Seconds { at / 1e6 } else { at };
    if steps.log { at + 1.0 } else { at }
}

/// What the columns of a curve hold, from left to right.
fn points(extents: &[Column], places: &[f64]) -> Vec<(f64, f64)> {
    let mut points = Vec::with_capacity(extents.len());
    for (index, (extent, &x)) in extents.iter().zip(places).enumerate().filter(|(_, (extent, _))| extent.count > 0) {
        let width = places.get(index + 1).map_or(0.0, |next| next - x);
        if extent.is_finite() && extent.min < extent.max {
            let order = if extent.first <= extent.last { [extent.min, extent.max] } else { [extent.max, extent.min] };
            points.push((x, order[0]));
            points.push((x + width / 2.0, order[1]));
        } else if extent.is_finite() {
            points.push((x, extent.max));
        }
        if extent.non_finite {
            points.push((x, f64::NAN));
        }
    }
    points
}

fn colour(colour: Color) -> Colour {
    match colour {
        Color::Rgb(r, g, b) => Colour(r, g, b),
        _ => Colour(40, 42, 48),
    }
}

fn marker(glyph: &str) -> Marker {
    match glyph.chars().next() {
        Some('■' | '□') => Marker::Square,
        Some('▲' | '△') => Marker::Up,
        Some('◆' | '◇') => Marker::Diamond,
        Some('▼' | '▽') => Marker::Down,
        Some(digit) if digit.is_ascii_digit() => Marker::of(digit as usize - '1' as usize),
        _ => Marker::Disc,
    }
}

/// Every value of every seed that the chart shows, as it was recorded, with what it was smoothed to.
fn table(plot: &Plot<'_>, steps: &Steps, unit: Unit) -> Table {
    let mut columns = vec!["curve", "line", "seed", "step"];
    let by_unit = unit != Unit::Steps;
    if by_unit {
        columns.push(Unit::WORDS[Unit::ALL.iter().position(|other| *other == unit).unwrap_or(0)]);
    }
    columns.extend(["value", "smoothed"]);
    let mut rows = Vec::new();
    for curve in &plot.curves {
        for strand in &curve.strands {
            let (first, end) =
                (strand.ruler.first_from(steps.first), strand.ruler.first_from(steps.last.saturating_add(1)));
            let exact = strand.raw.as_ref().unwrap_or(&strand.shown);
            for (step, value) in exact.range(first..end).filter_map(|index| exact.get(index)) {
                let line = if curve.dashed { "dashed" } else { "solid" };
                let mut row: Vec<Value> = vec![curve.label.as_str().into(), line.into()];
                row.extend([Value::Whole(strand.ruler.lane().info.seed), Value::Whole(step)]);
                if by_unit {
                    row.push(Value::Number(at_of(unit, &Steps { log: false, ..*steps }, strand.ruler.at(step) as f64)));
                }
                row.push(Value::Number(value));
                let smoothed = strand.raw.as_ref().and_then(|_| strand.shown.at(step)).filter(|(at, _)| *at == step);
                row.push(smoothed.map_or(Value::None, |(_, value)| Value::Number(value)));
                rows.push(row);
            }
        }
    }
    Table { columns, rows }
}
