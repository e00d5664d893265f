//! What the crosshair says: its line through a chart, and the panel with every curve's values at it.
#![forbid(unsafe_code)]

use super::super::chart::Steps;
use super::super::context::Context;
use super::super::format;
use super::super::ink::{clear, put, put_right, width};
use super::super::view::HEIGHT;
use super::PaneId;
use super::curves::{Said, smoothing_note};
use super::plot::Plot;
use crate::record::{Key, Quantity};
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

/// What heatmaps say of the cell pointed at, in full: place, layer, cosine of the selected lane. None while no layer is pointed at.
pub fn reading(context: &Context<'_>) -> Option<String> {
    let (layer, group) = (context.state.layer?, context.selected()?);
    let site = group.first().info.sites.get(usize::from(layer))?;
    let value = context.value(group, Key::site(Quantity::Cosine, layer.into()));
    let value = value.map_or("–".to_owned(), |(value, _)| format::exact(value));
    Some(format!("{} · {site} {value}", context.place()))
}

/// The rubber band under way, over `canvas` of `pane`.
pub fn band(context: &Context<'_>, pane: PaneId, steps: &Steps, canvas: Rect, buffer: &mut Buffer) {
    let Some(band) = context.state.band.filter(|band| band.pane == pane) else { return };
    let column = |at: u64| steps.column(at, canvas.width.into()).map(|x| x as u16);
    let (left, right) = match band.across {
        Some((from, to)) => match (column(from.min(to)), column(from.max(to))) {
            (Some(left), Some(right)) => (left, right + 1),
            _ => return,
        },
        None => (0, canvas.width),
    };
    let row = |part: u16| (u32::from(HEIGHT - part.min(HEIGHT)) * u32::from(canvas.height) / u32::from(HEIGHT)) as u16;
    let (top, bottom) = band.along.map_or((0, canvas.height), |(low, high)| (row(low.max(high)), row(low.min(high))));
    let ground = context.theme.chosen();
    for y in top..bottom.min(canvas.height) {
        for x in left..right.min(canvas.width) {
            if let Some(cell) = buffer.cell_mut((canvas.x + x, canvas.y + y)) {
                cell.set_style(ground);
            }
        }
    }
}

/// A line of the panel: a name, then a text for each column.
struct Reading {
    name: String,
    cells: [String; 4],
    style: Style,
}

/// The values at the crosshair in full, in the focused chart: what is shown, the raw value where that is smoothed, the test split's,
/// and the step measured where it is not the crosshair's. Elsewhere a legend with the newest values where lanes are not listed.
pub fn panel(context: &Context<'_>, plot: &Plot<'_>, cross: Option<(u64, u16)>, canvas: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let focused = context.state.focus == plot.pane && !context.state.on_verdict && cross.is_some();
    if !focused && (context.listed || plot.curves.iter().any(|curve| curve.tag.is_some())) {
        return;
    }
    let at = cross.map(|(at, _)| at);
    let number = |value: f64| if focused { (plot.exact)(value) } else { (plot.write)(value) };
    let write = |said: Said, seeds: usize| match seeds {
        1 => number(said.mean),
        _ => format!("{} ± {}", number(said.mean), (plot.write)(said.deviation)),
    };
    // Curves of layers are shown as they were measured.
    let smoothed = context.state.beta() > 0.0 && plot.curves.iter().all(|curve| curve.tag.is_none());
    let readings: Vec<Reading> = plot
        .curves
        .iter()
        .filter(|curve| !curve.dashed)
        .map(|curve| {
            let (found, seeds) = (curve.value(at), curve.strands.len());
            let test = plot.curves.iter().find(|other| other.dashed && other.label == curve.label);
            let test = test.map(|test| test.value(at).map_or("–".to_owned(), |said| write(said, test.strands.len())));
            let raw = curve.raw(at).filter(|_| focused && smoothed).map(|said| write(said, seeds));
            let step = found.filter(|said| focused && Some(said.step) != at);
            let bold = if curve.front { Modifier::BOLD } else { Modifier::empty() };
            Reading {
                name: format!("{} {}", curve.marker, curve.label),
                cells: [
                    found.map_or("–".to_owned(), |said| write(said, seeds)),
                    raw.unwrap_or_default(),
                    test.unwrap_or_default(),
                    step.map_or(String::new(), |said| format::grouped(said.step)),
                ],
                style: Style::new().fg(curve.colour).add_modifier(bold),
            }
        })
        .collect();
    let first = if smoothed && focused { smoothing_note(context) } else { String::new() };
    let tested = readings.iter().any(|reading| !reading.cells[2].is_empty());
    let heads = [
        if first.is_empty() && tested { plot.lines().0.to_owned() } else { first },
        "raw".into(),
        plot.lines().1.into(),
        "of step".into(),
    ];
    let names = readings.iter().map(|reading| width(&reading.name)).max().unwrap_or(0);
    let head = context.place();
    let mut columns: [u16; 4] = std::array::from_fn(|column| {
        let widest = readings.iter().map(|reading| width(&reading.cells[column])).max().unwrap_or(0);
        if widest > 0 { widest.max(width(&heads[column])) + 2 } else { 0 }
    });
    let height = readings.len() as u16 + 1;
    // Where there is no room for all the columns the least needed go first.
    let length = loop {
        let length = (names + 2 + columns.iter().sum::<u16>()).max(width(&head) + 2);
        let drop = [3, 1, 2].into_iter().find(|&column| columns[column] > 0);
        match drop.filter(|_| length > canvas.width) {
            Some(column) => columns[column] = 0,
            None => break length,
        }
    };
    if readings.is_empty() || height > canvas.height || length > canvas.width {
        return;
    }
    let panel = emptiest(canvas, (length, height), cross.map(|(_, x)| x), buffer);
    let ground = theme.bar();
    clear(buffer, panel, ground);
    put(buffer, panel, 1, 0, &head, ground.patch(theme.title()));
    let mut end = length - 1;
    for column in (0..columns.len()).rev().filter(|&column| columns[column] > 0) {
        if end >= width(&heads[column]) + width(&head) + 2 {
            put_right(buffer, panel, end, 0, &heads[column], ground.patch(theme.dim()));
        }
        for (index, reading) in readings.iter().enumerate() {
            put_right(buffer, panel, end, index as u16 + 1, &reading.cells[column], ground.patch(reading.style));
        }
        end -= columns[column];
    }
    for (index, reading) in readings.iter().enumerate() {
        put(buffer, panel, 1, index as u16 + 1, &reading.name, ground.patch(reading.style));
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
