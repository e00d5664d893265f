//! What the crosshair says: its line through a chart, and the panel with every curve's values at it.
#![forbid(unsafe_code)]

use super::super::context::Context;
use super::super::format;
use super::super::ink::{clear, put, put_right, width};
use super::plot::{Curve, Plot};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

/// A vertical line through what is free in column `x` of `canvas`.
pub fn line(context: &Context<'_>, canvas: Rect, x: u16, buffer: &mut Buffer) {
    for y in 0..canvas.height {
        let at = (canvas.x + x, canvas.y + y);
        let free = buffer.cell(at).is_some_and(|cell| matches!(cell.symbol(), " " | "┈"));
        if free {
            put(buffer, canvas, x, y, context.theme.glyph("┆", ":"), context.theme.dim());
        }
    }
}

/// A line of the panel: name, value, value of the test split.
struct Reading {
    name: String,
    value: String,
    test: String,
    style: Style,
}

/// The values at the crosshair in full, in the focused chart; a legend with the newest values where lanes are not listed.
pub fn panel(context: &Context<'_>, plot: &Plot, cross: Option<(u64, u16)>, canvas: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let focused = context.state.focus == plot.pane && cross.is_some();
    if !focused && (context.listed || plot.curves.iter().any(|curve| curve.tag.is_some())) {
        return;
    }
    let step = cross.map(|(step, _)| step);
    let write = |curve: &Curve| match curve.value(step) {
        Some((mean, deviation)) if curve.shown.len() > 1 => {
            format!("{} ± {}", (plot.write)(mean), (plot.write)(deviation))
        }
        Some((mean, _)) => (plot.write)(mean),
        None => "–".to_owned(),
    };
    let readings: Vec<Reading> = plot
        .curves
        .iter()
        .filter(|curve| !curve.dashed)
        .map(|curve| {
            let test = plot.curves.iter().find(|other| other.dashed && other.label == curve.label);
            let bold = if curve.front { Modifier::BOLD } else { Modifier::empty() };
            Reading {
                name: format!("{} {}", curve.marker, curve.label),
                value: write(curve),
                test: test.map(write).unwrap_or_default(),
                style: Style::new().fg(curve.colour).add_modifier(bold),
            }
        })
        .collect();
    let widest = |of: fn(&Reading) -> &str| readings.iter().map(|reading| width(of(reading))).max().unwrap_or(0);
    let (names, values, mut tests) = (widest(|r| &r.name), widest(|r| &r.value).max(5), widest(|r| &r.test));
    tests = if tests > 0 { tests.max(4) + 2 } else { 0 };
    let (height, length) = (readings.len() as u16 + 1, names + 2 + values + tests + 2);
    if readings.is_empty() || height > canvas.height || length > canvas.width {
        return;
    }
    let panel = emptiest(canvas, (length, height), cross.map(|(_, x)| x), buffer);
    let ground = theme.bar();
    clear(buffer, panel, ground);
    let head = step.map_or("newest".to_owned(), |step| format!("step {}", format::grouped(step)));
    put(buffer, panel, 1, 0, &head, ground.patch(theme.title()));
    if tests > 0 {
        put_right(buffer, panel, length - 1, 0, "test", ground.patch(theme.dim()));
        put_right(buffer, panel, length - 1 - tests, 0, "train", ground.patch(theme.dim()));
    }
    for (index, reading) in readings.iter().enumerate() {
        let (y, style) = (index as u16 + 1, ground.patch(reading.style));
        put(buffer, panel, 1, y, &reading.name, style);
        put_right(buffer, panel, length - 1, y, &reading.test, style);
        put_right(buffer, panel, length - 1 - tests, y, &reading.value, style);
    }
}

/// The place for a panel that hides least: a corner, or beside the crosshair.
fn emptiest(canvas: Rect, size: (u16, u16), cross: Option<u16>, buffer: &Buffer) -> Rect {
    let (right, bottom) = (canvas.width - size.0, canvas.height - size.1);
    let beside =
        cross.into_iter().flat_map(|x| [Some(x + 2), x.checked_sub(size.0 + 1)]).flatten().filter(|x| *x <= right);
    let columns: Vec<u16> = [right, 0].into_iter().chain(beside).collect();
    let places = columns.iter().flat_map(|&x| [0, bottom, bottom / 2].map(|y| (x, y)));
    let hidden = |&(x, y): &(u16, u16)| {
        let cells =
            (0..size.1).flat_map(|row| (0..size.0).map(move |column| (canvas.x + x + column, canvas.y + y + row)));
        cells.filter(|at| buffer.cell(*at).is_some_and(|cell| !matches!(cell.symbol(), " " | "┈"))).count()
    };
    let (x, y) = places.min_by_key(hidden).unwrap_or((right, 0));
    Rect { x: canvas.x + x, y: canvas.y + y, width: size.0, height: size.1 }
}
