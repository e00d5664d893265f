//! Curves over steps with both axes, the one way in which all charts of the screen are drawn.
//!
//! From back to front: grid, raw values and bands of seeds (faint), test curves (dashed), curves, marks of spikes beyond the
//! range (▴ ▾) and of values that are not finite (✕), markers at the newest values, crosshair, read-out.
#![forbid(unsafe_code)]

use super::super::chart::curve::{self, Pen};
use super::super::chart::{Canvas, Scale, Steps};
use super::super::context::{Context, MARGIN, Target};
use super::super::ink::{put, put_right, width};
use super::super::lanes::{Group, mean_deviation};
use super::super::{format, state::SMOOTHING};
use super::{PaneId, crosshair};
use crate::record::{Key, Quantity};
use crate::session::history::{Column, Series};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use std::sync::Arc;

/// A curve: one quantity of one group, with a series for each seed.
pub struct Curve {
    /// What the read-out calls it.
    pub label: String,
    /// One glyph.
    pub marker: String,
    /// Said in the margin in place of the newest value: for curves that no list names.
    pub tag: Option<String>,
    /// Its colour.
    pub colour: Color,
    /// Colour of its raw values and its band.
    pub faint: Color,
    /// Drawn dashed, without marker and margin value: the test split.
    pub dashed: bool,
    /// Drawn in front.
    pub front: bool,
    /// What is shown, a series a seed.
    pub shown: Vec<Arc<Series>>,
    /// Raw values, where they differ: what is marked beyond the range or not finite.
    pub raw: Vec<Arc<Series>>,
    /// Whether the raw values are drawn behind it.
    pub draw_raw: bool,
    /// Its last step, once its lanes have ended.
    pub ends: Option<u64>,
}

impl Curve {
    /// Its value at `step` (the newest when `None`): mean and deviation over the seeds. None after its end.
    pub fn value(&self, step: Option<u64>) -> Option<(f64, f64)> {
        if step.zip(self.ends).is_some_and(|(step, end)| step > end) {
            return None;
        }
        let at = |series: &Arc<Series>| step.map_or_else(|| series.last(), |step| series.at(step));
        let values: Vec<f64> = self.shown.iter().filter_map(at).map(|(_, value)| value).collect();
        (!values.is_empty()).then(|| mean_deviation(&values))
    }
}

/// A line at a constant value.
pub struct Level {
    /// The value.
    pub value: f64,
    /// Said beside it.
    pub label: String,
}

/// A chart.
pub struct Plot {
    /// Its pane.
    pub pane: PaneId,
    /// Title.
    pub title: String,
    /// What is special about the view.
    pub notes: Vec<String>,
    /// Curves.
    pub curves: Vec<Curve>,
    /// Levels.
    pub levels: Vec<Level>,
    /// Bounds that the range never leaves.
    pub bounds: (f64, f64),
    /// How values are written.
    pub write: fn(f64) -> String,
    /// Said when there is nothing to draw.
    pub nothing: &'static str,
}

/// The curve of `key` for `group`, smoothed as the state says; of its magnitude when asked.
pub fn curve_of(context: &Context<'_>, group: &Group<'_>, key: Key, magnitude: bool) -> Option<Curve> {
    let beta = context.state.beta();
    let shown: Vec<_> =
        group.lanes.iter().filter_map(|lane| context.derived.series(lane, key, magnitude, beta)).collect();
    let raw = if beta > 0.0 && !magnitude {
        group.lanes.iter().filter_map(|lane| lane.history.series(key)).collect()
    } else {
        Vec::new()
    };
    let front = context.is_selected(group);
    (!shown.is_empty()).then(|| Curve {
        label: group.name.clone(),
        marker: context.theme.marker(group.colour).to_owned(),
        tag: None,
        colour: if front { context.theme.lane(group.colour) } else { context.theme.lane_faint(group.colour, 0.8) },
        faint: context.theme.lane_faint(group.colour, if front { 0.42 } else { 0.26 }),
        dashed: false,
        front,
        shown,
        raw,
        draw_raw: group.lanes.len() == 1,
        ends: ends(group),
    })
}

/// A dashed curve of `key` for `group`, not smoothed: what is measured on the test split.
pub fn dashed_of(context: &Context<'_>, group: &Group<'_>, key: Key) -> Option<Curve> {
    let shown: Vec<_> = group.lanes.iter().filter_map(|lane| lane.history.series(key)).collect();
    let front = context.is_selected(group);
    (!shown.is_empty()).then(|| Curve {
        label: group.name.clone(),
        marker: context.theme.marker(group.colour).to_owned(),
        tag: None,
        colour: context.theme.lane_faint(group.colour, if front { 0.9 } else { 0.7 }),
        faint: context.theme.lane_faint(group.colour, 0.26),
        dashed: true,
        front,
        shown,
        raw: Vec::new(),
        draw_raw: false,
        ends: ends(group),
    })
}

/// The last step of a group whose lanes have all ended.
fn ends(group: &Group<'_>) -> Option<u64> {
    group.lanes.iter().all(|lane| lane.ended.is_some()).then(|| group.step())
}

/// The note on smoothing.
pub fn smoothing_note(context: &Context<'_>) -> String {
    match context.state.beta() {
        0.0 => "raw".to_owned(),
        beta if context.state.smoothing < SMOOTHING.len() => format!("EMA {beta}"),
        _ => String::new(),
    }
}

/// What one curve looks like, a column at a time.
struct Traced<'a> {
    curve: &'a Curve,
    /// The curve itself: its extents, or the mean over seeds.
    line: Vec<Column>,
    /// Faint behind it: extents of the raw values.
    raw: Vec<Vec<Column>>,
    /// Faint behind it: least and greatest of the seeds.
    band: Vec<Option<(f64, f64)>>,
}

fn trace<'a>(curve: &'a Curve, steps: &Steps, columns: usize) -> Traced<'a> {
    let mut all: Vec<Vec<Column>> = curve.shown.iter().map(|series| curve::columns(series, steps, columns)).collect();
    let raw = curve.raw.iter().map(|series| curve::columns(series, steps, columns)).collect();
    if all.len() == 1 {
        return Traced { curve, line: all.pop().unwrap_or_default(), raw, band: Vec::new() };
    }
    let mut line = Vec::with_capacity(columns);
    let mut band = Vec::with_capacity(columns);
    for x in 0..columns {
        let here: Vec<&Column> = all.iter().map(|extents| &extents[x]).filter(|extent| extent.is_finite()).collect();
        let ends: Vec<f64> = here.iter().map(|extent| (extent.min + extent.max) / 2.0).collect();
        let mut mean = if ends.is_empty() { Column::EMPTY } else { Column::of(mean_deviation(&ends).0) };
        mean.non_finite = all.iter().any(|extents| extents[x].non_finite);
        line.push(mean);
        let low = here.iter().map(|extent| extent.min).fold(f64::INFINITY, f64::min);
        let high = here.iter().map(|extent| extent.max).fold(f64::NEG_INFINITY, f64::max);
        band.push((low <= high).then_some((low, high)));
    }
    Traced { curve, line, raw, band }
}

/// The range of values shown.
fn scale(plot: &Plot, traced: &[Traced<'_>], log: bool, robust: bool) -> Option<Scale> {
    let positive = |value: &f64| !log || *value > 0.0;
    let mut values: Vec<f64> = Vec::new();
    for trace in traced {
        let extents = trace.line.iter().chain(trace.raw.iter().flatten().filter(|_| !robust));
        values.extend(
            extents.filter(|extent| extent.is_finite()).flat_map(|extent| [extent.min, extent.max]).filter(positive),
        );
        values.extend(trace.band.iter().flatten().flat_map(|(low, high)| [*low, *high]).filter(positive));
    }
    let (mut low, mut high) = if robust {
        curve::robust_range(&mut values)?
    } else {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (low <= high).then_some((low, high))?
    };
    for level in plot.levels.iter().filter(|level| positive(&level.value)) {
        (low, high) = (low.min(level.value), high.max(level.value));
    }
    if log {
        let room = (high / low).max(1.0001).powf(0.04);
        return Some(Scale::log((low / room).max(plot.bounds.0), (high * room).min(plot.bounds.1)));
    }
    let room = (high - low) * 0.05;
    Some(Scale::linear((low - room).max(plot.bounds.0), (high + room).min(plot.bounds.1)))
}

/// Draws `plot`, frame included.
pub fn render(context: &Context<'_>, plot: &Plot, area: Rect, buffer: &mut Buffer) {
    let log = context.state.is_log(plot.pane);
    let steps = context.steps();
    let mut notes = plot.notes.clone();
    if log {
        notes.push("log y".to_owned());
    }
    if steps.log {
        notes.push("log x".to_owned());
    }
    match context.state.window {
        super::super::state::Window::Tail(_) => notes.push("tail".to_owned()),
        super::super::state::Window::Fixed(..) => notes.push("zoomed".to_owned()),
        super::super::state::Window::All => {}
    }
    let inner = context.frame(plot.pane, &plot.title, &notes.join(" · "), area, buffer);
    let gutter = context.gutter();
    let axis = u16::from(inner.height >= 4);
    let canvas_area = Rect {
        x: inner.x + gutter.min(inner.width),
        width: inner.width.saturating_sub(gutter + MARGIN),
        height: inner.height.saturating_sub(axis),
        ..inner
    };
    if canvas_area.width < 4 || canvas_area.height < 1 {
        return;
    }
    let mut canvas = Canvas::new(canvas_area.width, canvas_area.height);
    let traced: Vec<Traced<'_>> = plot.curves.iter().map(|curve| trace(curve, &steps, canvas.columns())).collect();
    let Some(scale) = scale(plot, &traced, log, context.state.robust) else {
        context.empty(context.nothing(plot.nothing), inner, buffer);
        return;
    };
    draw_axes(context, &scale, &steps, inner, canvas_area, buffer);
    draw_curves(&mut canvas, &traced, &scale);
    draw_levels(context, plot, &scale, canvas_area, buffer);
    canvas.draw(canvas_area, buffer, context.theme.ascii);
    name_levels(context, plot, &scale, canvas_area, buffer);
    draw_marks(context, &traced, &scale, canvas_area, buffer);
    let cross =
        context.state.crosshair.and_then(|step| Some((step, steps.column(step, canvas_area.width.into())? as u16)));
    if let Some((_, x)) = cross {
        crosshair::line(context, canvas_area, x, buffer);
    }
    draw_values(plot, &traced, &scale, cross, inner, canvas_area, buffer);
    context.hit(canvas_area, Target::Steps(steps));
    crosshair::panel(context, plot, cross, canvas_area, buffer);
}

/// Ticks and grid of values, ticks of steps.
fn draw_axes(context: &Context<'_>, scale: &Scale, steps: &Steps, inner: Rect, canvas: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let grid = Style::new().fg(theme.grid());
    for (tick, label) in scale.labels(usize::from(canvas.height / 3).max(1)) {
        let y = (curve::row(scale, tick, usize::from(canvas.height) * 4) / 4) as u16;
        put_right(buffer, inner, canvas.x - inner.x - 1, y, &label, theme.dim());
        if theme.has_maps() {
            for x in 0..canvas.width {
                put(buffer, canvas, x, y, "┈", grid);
            }
        }
    }
    step_ticks(context, steps, inner, canvas, buffer);
}

/// Ticks of steps in the row below `canvas`.
pub fn step_ticks(context: &Context<'_>, steps: &Steps, inner: Rect, canvas: Rect, buffer: &mut Buffer) {
    let row = canvas.bottom().saturating_sub(inner.y);
    if row >= inner.height {
        return;
    }
    let width_of = |label: &str| width(label).min(inner.width);
    let left = |column: u16, label: &str| {
        (canvas.x - inner.x + column).saturating_sub(width_of(label) / 2).min(inner.width - width_of(label))
    };
    let cross = context.state.crosshair.and_then(|step| Some((step, steps.column(step, canvas.width.into())? as u16)));
    let cross = cross.map(|(step, column)| {
        let label = format!(" {} ", format::grouped(step));
        (left(column, &label), label)
    });
    let mut free = 0;
    for (column, step) in steps.ticks(canvas.width.into()) {
        let label = format::grouped(step);
        let x = left(column as u16, &label);
        let hidden = cross.as_ref().is_some_and(|(at, other)| x <= at + width_of(other) && *at <= x + width_of(&label));
        if x >= free && !hidden {
            free = put(buffer, inner, x, row, &label, context.theme.faint()) + 2;
        }
    }
    if let Some((x, label)) = cross {
        put(buffer, inner, x, row, &label, context.theme.chosen().patch(context.theme.title()));
    }
}

fn draw_curves(canvas: &mut Canvas, traced: &[Traced<'_>], scale: &Scale) {
    for trace in traced {
        let pen = Pen { colour: trace.curve.faint, rank: 1 + u8::from(trace.curve.front), dash: None };
        if !trace.curve.dashed {
            curve::band(canvas, &trace.band, scale, pen);
        }
        for raw in trace.raw.iter().filter(|_| trace.curve.draw_raw) {
            curve::draw(canvas, raw, scale, pen);
        }
    }
    for (dashed, front) in [(true, false), (false, false), (true, true), (false, true)] {
        for trace in traced.iter().filter(|trace| trace.curve.dashed == dashed && trace.curve.front == front) {
            let rank = 3 + 2 * u8::from(front) + u8::from(!dashed);
            let pen = Pen { colour: trace.curve.colour, rank, dash: dashed.then_some(2) };
            curve::draw(canvas, &trace.line, scale, pen);
        }
    }
}

fn draw_levels(context: &Context<'_>, plot: &Plot, scale: &Scale, canvas: Rect, buffer: &mut Buffer) {
    for level in &plot.levels {
        let y = (curve::row(scale, level.value, usize::from(canvas.height) * 4) / 4) as u16;
        for x in 0..canvas.width {
            put(buffer, canvas, x, y, context.theme.glyph("╌", "-"), context.theme.warn());
        }
    }
}

/// Names the levels, over the curves.
fn name_levels(context: &Context<'_>, plot: &Plot, scale: &Scale, canvas: Rect, buffer: &mut Buffer) {
    for level in plot.levels.iter().filter(|level| width(&level.label) + 2 < canvas.width) {
        let y = (curve::row(scale, level.value, usize::from(canvas.height) * 4) / 4) as u16;
        let beside = if y > 0 { y - 1 } else { y + 1 };
        put(buffer, canvas, 1, beside, &level.label, context.theme.warn());
    }
}

/// Marks what the range or the reals cannot hold.
fn draw_marks(context: &Context<'_>, traced: &[Traced<'_>], scale: &Scale, canvas: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    for trace in traced {
        let style = Style::new().fg(trace.curve.colour);
        for (x, extent) in trace.raw.iter().chain([&trace.line]).flat_map(|extents| extents.iter().enumerate()) {
            if extent.count == 0 && !extent.non_finite {
                continue;
            }
            let x = (x / 2) as u16;
            if extent.is_finite() && scale.place(extent.max) > 1.02 {
                put(buffer, canvas, x, 0, theme.glyph("▴", "^"), style);
            }
            if extent.is_finite() && scale.place(extent.min) < -0.02 {
                put(buffer, canvas, x, canvas.height - 1, theme.glyph("▾", "v"), style);
            }
            if extent.non_finite {
                put(buffer, canvas, x, 0, theme.glyph("✕", "X"), style.add_modifier(Modifier::BOLD));
            }
        }
    }
}

/// Markers on the curves at the crosshair (or at their newest values), and those values in the margin, none above another.
fn draw_values(
    plot: &Plot,
    traced: &[Traced<'_>],
    scale: &Scale,
    cross: Option<(u64, u16)>,
    inner: Rect,
    canvas: Rect,
    buffer: &mut Buffer,
) {
    let mut said: Vec<Said<'_>> = Vec::new();
    for trace in traced.iter().filter(|trace| !trace.curve.dashed) {
        let newest = trace.line.iter().rposition(|extent| extent.is_finite());
        let value =
            trace.curve.value(cross.map(|(step, _)| step)).map(|(value, _)| value).filter(|value| value.is_finite());
        let Some((value, x)) = value.zip(cross.map(|(_, x)| x).or(newest.map(|x| (x / 2) as u16))) else { continue };
        let bold = if trace.curve.front { Modifier::BOLD } else { Modifier::empty() };
        let style = Style::new().fg(trace.curve.colour).add_modifier(bold);
        let y = (curve::row(scale, value, usize::from(canvas.height) * 4) / 4) as u16;
        said.push(Said { curve: trace.curve, value, x, y, style });
    }
    // The selected curve's marker is drawn last, in front.
    said.sort_by_key(|said| said.curve.front);
    for said in &said {
        put(buffer, canvas, said.x, said.y, &said.curve.marker, said.style);
    }
    // Where not all fit, the selected curve's value stays.
    said.reverse();
    said.truncate(canvas.height.into());
    said.sort_by(|a, b| b.value.total_cmp(&a.value));
    let wanted: Vec<u16> = said.iter().map(|said| said.y).collect();
    for (said, row) in said.iter().zip(spread(&wanted, canvas.height)) {
        let text = match (&said.curve.tag, cross) {
            (Some(tag), None) => tag.clone(),
            _ => (plot.write)(said.value),
        };
        put(buffer, inner, canvas.right() - inner.x + 1, row, &text, said.style);
    }
}

/// A value beside a chart.
struct Said<'a> {
    curve: &'a Curve,
    value: f64,
    x: u16,
    y: u16,
    style: Style,
}

/// A row of its own for each of some rows, in the same order and as near as that allows. As many as `height` at most.
fn spread(wanted: &[u16], height: u16) -> Vec<u16> {
    let mut rows: Vec<u16> = Vec::with_capacity(wanted.len());
    for &row in wanted {
        rows.push(rows.last().map_or(row, |last| row.max(last + 1)));
    }
    let mut limit = height;
    for row in rows.iter_mut().rev() {
        *row = (*row).min(limit.saturating_sub(1));
        limit = *row;
    }
    rows
}

/// Curves of a whole-model quantity of every lane, the selected one in front.
pub fn lane_curves(context: &Context<'_>, quantity: Quantity, magnitude: bool) -> Vec<Curve> {
    context.groups.iter().filter_map(|group| curve_of(context, group, Key::whole(quantity), magnitude)).collect()
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn values_beside_a_chart_keep_their_order_and_do_not_overlap() {
        assert_eq!(spread(&[0, 3, 9], 10), [0, 3, 9]);
        assert_eq!(spread(&[2, 2, 2, 4], 10), [2, 3, 4, 5]);
        assert_eq!(spread(&[8, 9, 9, 9], 10), [6, 7, 8, 9]);
        assert_eq!(spread(&[5, 5], 2), [0, 1]);
    }
}
