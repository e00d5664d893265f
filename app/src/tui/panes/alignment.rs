//! Alignment of the selected lane, layer × step: each layer cos(ĝ_l, g_l) as colour over steps.
//!
//! Half-block cells show two values a row. With a row or more for each layer, the upper half is the greatest and the lower half
//! the least value of the column's steps, so that nothing is averaged away; with less, two layers share a row. Without colours
//! a cell is a shade of |cos|, of another texture for negative values. The number under the crosshair (or the newest) stands at
//! the right.
#![forbid(unsafe_code)]

use super::super::chart::curve;
use super::super::context::{Context, Framing, MARGIN, Target};
use super::super::export::{self, Heat, Offered, Table, Value};
use super::super::format;
use super::super::ink::{put, put_right, width};
use super::super::lanes::Group;
use super::super::progress::Unit;
use super::PaneId;
use super::crosshair;
use super::plot::{step_ticks, view_notes};
use crate::picture::{Axis, Columns};
use crate::record::{Key, Quantity};
use crate::session::history::Column;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let name = context.selected().map_or("", |group| &group.name);
    let title = if name.is_empty() { "Alignment".to_owned() } else { format!("Alignment {name} · layer × step") };
    let mut notes = view_notes(context, PaneId::Alignment);
    let said = crosshair::reading(context);
    notes.extend(said.as_deref());
    let inner = context.frame(PaneId::Alignment, &title, &notes.join(" · "), area, buffer);
    legend(context, area, width(&title) + 10, buffer);
    let Some(group) = context.selected() else {
        return context.empty(context.nothing("no lanes"), inner, buffer);
    };
    let steps = context.steps();
    let gutter = context.gutter();
    let axis = u16::from(inner.height >= 3);
    let plot = Rect {
        x: inner.x + gutter.min(inner.width),
        width: inner.width.saturating_sub(gutter + MARGIN),
        height: inner.height.saturating_sub(axis),
        ..inner
    };
    let layers = group.first().info.sites.len();
    if plot.width < 4 || plot.height < 1 || layers == 0 {
        return;
    }
    let columns: Vec<Vec<Column>> =
        (0..layers).map(|layer| extents(context, group, layer, &steps.begins(plot.width.into()))).collect();
    if columns.iter().flatten().all(|extent| extent.count == 0) {
        return context.empty(context.nothing("no alignment measured yet"), inner, buffer);
    }
    context.offer(|| offered(context, group, &title));
    let rows = layer_rows(layers, plot.height, context.theme.has_maps());
    let plot = Rect { height: rows.used, ..plot };
    for y in 0..rows.used {
        for x in 0..plot.width {
            let (upper, lower) = rows.halves(y);
            let (top, bottom) = (&columns[upper][usize::from(x)], &columns[lower][usize::from(x)]);
            let values = if upper == lower { (top.max, bottom.min) } else { (extreme(top), extreme(bottom)) };
            cell(context, plot, x, y, values, (top, bottom), buffer);
        }
    }
    names(context, group, inner, plot, &rows, buffer);
    step_ticks(context, &steps, inner, plot, buffer);
    context.hit(plot, Target::Steps(PaneId::Alignment, steps));
    crosshair::band(context, PaneId::Alignment, &steps, plot, buffer);
    if let Some(column) = context.state.crosshair.and_then(|step| steps.column(step, plot.width.into())) {
        let x = column as u16;
        crosshair::line(context, plot, x, buffer);
        for y in 0..plot.height {
            if let Some(cell) = buffer.cell_mut((plot.x + x, plot.y + y)) {
                let style = Style::new().fg(context.theme.text().fg.unwrap_or_default()).add_modifier(Modifier::BOLD);
                cell.set_symbol(context.theme.glyph("┃", "|")).set_style(style);
            }
        }
    }
}

/// The heatmap as picture and table: of each column of a picture the value furthest from zero.
fn offered(context: &Context<'_>, group: &Group<'_>, title: &str) -> Offered {
    const COLUMNS: u64 = 700;
    let (steps, unit) = (context.steps(), context.state.unit);
    let places = steps.begins((steps.last - steps.first + 1).min(COLUMNS) as usize);
    let sites = &group.first().info.sites;
    let row = |layer| {
        let extents = extents(context, group, layer, &places).into_iter();
        extents.map(|extent| (extent.count > 0).then(|| extreme(&extent))).collect()
    };
    let mut rows = Vec::new();
    for lane in &group.lanes {
        let ruler = context.ruler(lane);
        let range = ruler.first_from(steps.first)..ruler.first_from(steps.last.saturating_add(1));
        for (layer, site) in sites.iter().enumerate() {
            let Some(series) = lane.history.series(Key::site(Quantity::Cosine, layer)) else { continue };
            for (step, value) in series.range(range.clone()).filter_map(|index| series.get(index)) {
                let (seed, step) = (Value::Whole(lane.info.seed), Value::Whole(step));
                rows.push(vec![group.name.as_str().into(), seed, site.as_str().into(), step, Value::Number(value)]);
            }
        }
    }
    let newest = |(layer, site): (usize, &String)| {
        Some((site.clone(), context.value(group, Key::site(Quantity::Cosine, layer))?.0))
    };
    let at = |place: u64| export::at_of(unit, &steps, place as f64);
    let axis =
        Axis::new(if unit == Unit::Steps { "step" } else { unit.name() }, at(steps.first), at(steps.last), steps.log);
    export::heat(
        context.theme,
        Heat {
            title: title.to_owned(),
            notes: view_notes(context, PaneId::Alignment).into_iter().map(str::to_owned).collect(),
            rows: sites.clone(),
            columns: Columns::Along(axis),
            cells: (0..sites.len()).map(row).collect(),
            label: "cos(ĝ, g)",
            table: Table { columns: vec!["lane", "seed", "layer", "step", "cosine"], rows },
            values: sites.iter().enumerate().filter_map(newest).collect(),
        },
    )
}

/// The extents of a layer between each two of `places`, averaged over seeds; a value lasts until the next is measured.
fn extents(context: &Context<'_>, group: &Group<'_>, layer: usize, places: &[u64]) -> Vec<Column> {
    let key = Key::site(Quantity::Cosine, layer);
    let columns = places.len().saturating_sub(1);
    let mut sum: Vec<Column> = vec![Column::EMPTY; columns];
    let mut seeds = vec![0usize; columns];
    for lane in &group.lanes {
        let ruler = context.ruler(lane);
        let Some(series) = lane.history.series(key).filter(|_| ruler.moves()) else { continue };
        let begins: Vec<u64> = places.iter().map(|at| ruler.first_from(*at)).collect();
        let mut found = curve::columns(&series, &begins);
        let before = begins[0].checked_sub(1).and_then(|step| series.at(step)).map(|(_, value)| Column::of(value));
        let end = found.iter().rposition(|extent| extent.count > 0).map_or(0, |last| last + 1);
        let reach = lane.step.saturating_sub(1);
        let mut held = before;
        for (x, extent) in found.iter_mut().enumerate() {
            if extent.count > 0 {
                held = Some(Column::of(extent.last));
            } else if let Some(value) = held.filter(|_| x < end || begins[x] <= reach) {
                *extent = value;
            }
        }
        for (x, extent) in found.into_iter().enumerate().filter(|(_, extent)| extent.count > 0) {
            let total = &mut sum[x];
            if seeds[x] == 0 {
                *total = extent;
            } else {
                total.min += extent.min;
                total.max += extent.max;
                total.non_finite |= extent.non_finite;
            }
            seeds[x] += 1;
        }
    }
    for (extent, seeds) in sum.iter_mut().zip(seeds) {
        extent.min /= seeds.max(1) as f64;
        extent.max /= seeds.max(1) as f64;
    }
    sum
}

/// The value furthest from zero.
fn extreme(extent: &Column) -> f64 {
    if extent.max.abs() >= extent.min.abs() { extent.max } else { extent.min }
}

/// How layers share the rows of the heatmap.
struct Rows {
    layers: usize,
    used: u16,
}

impl Rows {
    /// The row in the middle of a layer.
    fn middle(&self, layer: usize) -> u16 {
        let halves = usize::from(self.used) * 2;
        (((2 * layer + 1) * halves / (2 * self.layers) / 2) as u16).min(self.used.saturating_sub(1))
    }

    /// The layers of the upper and the lower half of row `y`.
    fn halves(&self, y: u16) -> (usize, usize) {
        let halves = usize::from(self.used) * 2;
        let layer = |half: usize| (half * self.layers / halves.max(1)).min(self.layers - 1);
        (layer(usize::from(y) * 2), layer(usize::from(y) * 2 + 1))
    }
}

/// Half blocks can use every row; whole cells only as many as give each layer the same.
fn layer_rows(layers: usize, height: u16, halves: bool) -> Rows {
    let each = usize::from(height) / layers;
    let used = match halves {
        true if usize::from(height) * 2 > layers => height,
        true => height.min(layers.div_ceil(2) as u16),
        false if each > 0 => (layers * each) as u16,
        false => height,
    };
    Rows { layers, used }
}

fn cell(
    context: &Context<'_>,
    plot: Rect,
    x: u16,
    y: u16,
    values: (f64, f64),
    extents: (&Column, &Column),
    buffer: &mut Buffer,
) {
    let theme = context.theme;
    let (top, bottom) = extents;
    if top.count == 0 && bottom.count == 0 {
        return;
    }
    if top.non_finite || bottom.non_finite {
        put(buffer, plot, x, y, theme.glyph("✕", "X"), theme.bad());
        return;
    }
    if theme.has_maps() {
        let colour = |value: f64| theme.map(theme.signed(value));
        put(buffer, plot, x, y, "▀", Style::new().fg(colour(values.0)).bg(colour(values.1)));
    } else {
        let value = if values.0.abs() >= values.1.abs() { values.0 } else { values.1 };
        put(buffer, plot, x, y, shade(value, theme.ascii), theme.text());
    }
}

/// A glyph for a signed value where there are no colours: four shades, of another texture below zero.
pub fn shade(value: f64, ascii: bool) -> &'static str {
    let level = match value.abs() {
        size if size < 0.02 => return if ascii { "." } else { "·" },
        size if size < 0.15 => 0,
        size if size < 0.4 => 1,
        size if size < 0.75 => 2,
        _ => 3,
    };
    match (ascii, value < 0.0) {
        (false, false) => ["░", "▒", "▓", "█"][level],
        (false, true) => ["⠂", "⠒", "⠶", "⠿"][level],
        (true, false) => [":", "+", "*", "#"][level],
        (true, true) => ["-", "~", "=", "%"][level],
    }
}

/// Layer names at the left, the values under the crosshair (or the newest) at the right.
fn names(context: &Context<'_>, group: &Group<'_>, inner: Rect, plot: Rect, rows: &Rows, buffer: &mut Buffer) {
    let theme = context.theme;
    let gutter = plot.x - inner.x;
    for (layer, site) in group.first().info.sites.iter().enumerate() {
        let y = rows.middle(layer);
        if (0..layer).any(|before| rows.middle(before) == y) {
            continue;
        }
        let chosen = context.state.layer == Some(layer as u16);
        let style = if chosen { theme.accent() } else { theme.dim() };
        put_right(
            buffer,
            inner,
            gutter.saturating_sub(1),
            y,
            &format::layer(site, usize::from(gutter.saturating_sub(1))),
            style,
        );
        if let Some((value, _)) = context.value(group, Key::site(Quantity::Cosine, layer)) {
            let style = if chosen { theme.accent() } else { theme.text() };
            put(buffer, inner, plot.right() - inner.x + 1, y, &format::value(value), style);
        }
        for y in (0..rows.used).filter(|&y| rows.halves(y).0 == layer) {
            let row = Rect { x: inner.x, y: inner.y + y, width: inner.width, height: 1 };
            context.hit(row, Target::Layer(layer as u16));
        }
    }
}

/// The colour scale: in the lower border of a box, in the title's rule otherwise.
fn legend(context: &Context<'_>, area: Rect, title: u16, buffer: &mut Buffer) {
    let boxed = context.framing == Framing::Boxed && area.height >= 3;
    let bar = area.width.saturating_sub(14).min(32);
    if bar < 8 || (!boxed && title + bar + 10 > area.width) {
        return;
    }
    let theme = context.theme;
    let y = if boxed { area.height - 1 } else { 0 };
    let mut x = area.width - bar - 8;
    x = put(buffer, area, x, y, " −1 ", theme.dim());
    for index in 0..bar {
        let value = f64::from(index) / f64::from(bar - 1) * 2.0 - 1.0;
        if theme.has_maps() {
            let colour = theme.map(theme.signed(value));
            put(buffer, area, x + index, y, if index == bar / 2 { "0" } else { " " }, theme.dim().bg(colour));
        } else {
            put(buffer, area, x + index, y, shade(value, theme.ascii), theme.text());
        }
    }
    put(buffer, area, x + bar, y, " 1 ", theme.dim());
}
