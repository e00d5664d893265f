//! Curves over steps with both axes, the one way in which all charts of the screen are drawn.
//!
//! From back to front: grid, raw values and bands of seeds (faint), test curves (dashed), curves, marks of spikes beyond the
//! range (▴ ▾) and of values that are not finite (✕), markers at the newest values, crosshair, read-out.
#![forbid(unsafe_code)]

use super::super::chart::curve::{self, Pen};
use super::super::chart::{Canvas, Scale, Steps};
use super::super::context::{Context, MARGIN, Target};
use super::super::export;
use super::super::ink::{put, put_right, width};
use super::super::state::Window;
use super::curves::{Curve, Traced, trace};
use super::{PaneId, crosshair, marks};
use crate::session::history::Column;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

/// A line at a constant value.
pub struct Level {
    /// The value.
    pub value: f64,
    /// Said beside it.
    pub label: String,
}

/// A chart.
pub struct Plot<'a> {
    /// Its pane.
    pub pane: PaneId,
    /// Title.
    pub title: String,
    /// What is special about the view.
    pub notes: Vec<String>,
    /// Curves.
    pub curves: Vec<Curve<'a>>,
    /// Levels.
    pub levels: Vec<Level>,
    /// Bounds that the range never leaves.
    pub bounds: (f64, f64),
    /// How values are written.
    pub write: fn(f64) -> String,
    /// How they are written under the crosshair, in full.
    pub exact: fn(f64) -> String,
    /// Said when there is nothing to draw.
    pub nothing: &'static str,
}

impl Plot<'_> {
    /// What its solid and its dashed curves are.
    pub fn lines(&self) -> (&'static str, &'static str) {
        match self.pane {
            PaneId::Spectrum => ("effective", "stable"),
            PaneId::Containment => ("activations", "random"),
            PaneId::SignalRank => ("signals", "activations"),
            PaneId::Curvature => ("guess", "gradient"),
            _ => ("train", "test"),
        }
    }
}

/// The range of values shown: the person's, else what the data ask for.
fn scale(context: &Context<'_>, plot: &Plot<'_>, traced: &[Traced<'_, '_>]) -> Option<Scale> {
    let (log, robust) = (context.state.is_log(plot.pane), context.state.robust);
    let positive = |value: &f64| !log || *value > 0.0;
    let mut values: Vec<f64> = Vec::new();
    for trace in traced {
        let raw = trace.raw.iter().flatten().filter(|_| !robust || trace.curve.draw_raw);
        let extents = trace.line.iter().chain(raw);
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
    if let Some(chosen) = context.state.values_of(plot.pane) {
        return Some(if log { Scale::log(chosen.low, chosen.high) } else { Scale::linear(chosen.low, chosen.high) });
    }
    for level in plot.levels.iter().filter(|level| positive(&level.value)) {
        (low, high) = (low.min(level.value), high.max(level.value));
    }
    if log {
        let room = (high / low).max(1.0001).powf(0.04);
        return Some(Scale::log((low / room).max(plot.bounds.0), (high * room).min(plot.bounds.1)));
    }
    let (least, most) = plot.bounds;
    if high - low < 1e-9 * most.abs() && least.is_finite() && most.is_finite() {
        return Some(Scale::linear(least, most));
    }
    let room = (high - low) * 0.05;
    Some(Scale::linear((low - room).max(plot.bounds.0), (high + room).min(plot.bounds.1)))
}

/// What is special about the view of `pane`.
pub fn view_notes(context: &Context<'_>, pane: PaneId) -> Vec<&'static str> {
    let state = context.state;
    let window = match state.window {
        Window::Tail(_) => Some("tail"),
        Window::Fixed(..) => Some("zoomed"),
        Window::All => None,
    };
    let log_y = state.is_log(pane).then_some("log y");
    let log_x = state.log_x.then_some("log x");
    let values = state.values_of(pane).map(|_| "zoomed y");
    [log_y, state.unit.note(), log_x, window, values].into_iter().flatten().collect()
}

/// A chart that compares lanes: as it is, or as differences to the baseline, which is then the line at 0.
pub fn render_compared(context: &Context<'_>, mut plot: Plot<'_>, area: Rect, buffer: &mut Buffer) {
    if let Some(baseline) = context.baseline() {
        plot.title = format!("{} {}", context.theme.glyph("Δ", "minus"), plot.title);
        plot.levels = vec![Level { value: 0.0, label: baseline.name.clone() }];
        plot.bounds = (f64::NEG_INFINITY, f64::INFINITY);
        plot.nothing = "nothing to compare with the baseline yet";
    }
    render(context, &plot, area, buffer);
}

/// Draws `plot`, frame included.
pub fn render(context: &Context<'_>, plot: &Plot<'_>, area: Rect, buffer: &mut Buffer) {
    let steps = context.steps();
    let mut notes: Vec<&str> = plot.notes.iter().map(String::as_str).collect();
    notes.extend(view_notes(context, plot.pane));
    // Where not all fit, the last are missed least but for the unit of x, without which the chart would mislead.
    let room = area.width.saturating_sub(width(&plot.title) + 8);
    let unit = context.state.unit.note();
    while notes.len() > 1 && width(&notes.join(" · ")) > room {
        let last = notes.iter().rposition(|note| Some(*note) != unit).unwrap_or(0);
        notes.remove(last);
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
    let traced: Vec<Traced<'_, '_>> = plot.curves.iter().map(|curve| trace(curve, &steps, canvas.columns())).collect();
    let Some(scale) = scale(context, plot, &traced) else {
        context.empty(context.nothing(plot.nothing), inner, buffer);
        return;
    };
    context.offer(|| export::chart(context, plot, &scale));
    draw_axes(context, &scale, &steps, inner, canvas_area, buffer);
    draw_curves(&mut canvas, &traced, &scale);
    draw_levels(context, plot, &scale, canvas_area, buffer);
    canvas.draw(canvas_area, buffer, context.theme.ascii);
    name_levels(context, plot, &scale, canvas_area, buffer);
    marks::render(context, &steps, canvas_area, buffer);
    let chosen = context.state.values_of(plot.pane).is_some();
    draw_marks(context, &traced, &scale, chosen, canvas_area, buffer);
    let cross = context.state.crosshair.and_then(|at| Some((at, steps.column(at, canvas_area.width.into())? as u16)));
    if let Some((_, x)) = cross {
        crosshair::line(context, canvas_area, x, buffer);
    }
    let none = context.theme.glyph("✕", "X");
    draw_values(plot, &traced, &scale, cross, (inner, canvas_area), none, buffer);
    let values = Rect { x: inner.x, width: canvas_area.right() - inner.x, ..canvas_area };
    context.hit(values, Target::Values(plot.pane, scale));
    context.hit(canvas_area, Target::Steps(plot.pane, steps));
    crosshair::panel(context, plot, cross, canvas_area, buffer);
    crosshair::band(context, plot.pane, &steps, canvas_area, buffer);
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
    let unit = context.state.unit;
    let cross = context.state.crosshair.and_then(|at| Some((at, steps.column(at, canvas.width.into())? as u16)));
    let cross = cross.map(|(at, column)| {
        let label = format!(" {} ", unit.tick(at));
        (left(column, &label), label)
    });
    let mut free = 0;
    for (column, step) in steps.ticks(canvas.width.into()) {
        let label = unit.tick(step);
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

fn draw_curves(canvas: &mut Canvas, traced: &[Traced<'_, '_>], scale: &Scale) {
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

fn draw_levels(context: &Context<'_>, plot: &Plot<'_>, scale: &Scale, canvas: Rect, buffer: &mut Buffer) {
    for level in &plot.levels {
        let y = (curve::row(scale, level.value, usize::from(canvas.height) * 4) / 4) as u16;
        for x in 0..canvas.width {
            put(buffer, canvas, x, y, context.theme.glyph("╌", "-"), context.theme.warn());
        }
    }
}

/// Names the levels, over the curves.
fn name_levels(context: &Context<'_>, plot: &Plot<'_>, scale: &Scale, canvas: Rect, buffer: &mut Buffer) {
    for level in plot.levels.iter().filter(|level| width(&level.label) + 2 < canvas.width) {
        let y = (curve::row(scale, level.value, usize::from(canvas.height) * 4) / 4) as u16;
        let beside = if y > 0 { y - 1 } else { y + 1 };
        put(buffer, canvas, 1, beside, &level.label, context.theme.warn());
    }
}

/// Marks what the range or the reals cannot hold. In a window of values that a person chose only what leaves it is marked, not
/// what lies outside for long.
fn draw_marks(
    context: &Context<'_>,
    traced: &[Traced<'_, '_>],
    scale: &Scale,
    chosen: bool,
    canvas: Rect,
    buffer: &mut Buffer,
) {
    let theme = context.theme;
    let above = |extent: &Column| scale.place(extent.max) > 1.02;
    let below = |extent: &Column| scale.place(extent.min) < -0.02;
    let inside = |extent: &Column| scale.place(extent.min) <= 1.0 && scale.place(extent.max) >= 0.0;
    for trace in traced {
        let style = Style::new().fg(trace.curve.colour);
        for extents in trace.raw.iter().chain([&trace.line]) {
            let mut was_inside = false;
            let mut full = extents.iter().enumerate().filter(|(_, extent)| extent.count > 0).peekable();
            while let Some((x, extent)) = full.next() {
                let x = (x / 2) as u16;
                let will_be = full.peek().is_some_and(|(_, next)| next.is_finite() && inside(next));
                if extent.is_finite() {
                    let is_inside = inside(extent);
                    let leaves = !chosen || is_inside || was_inside || will_be;
                    if leaves && above(extent) {
                        put(buffer, canvas, x, 0, theme.glyph("▴", "^"), style);
                    }
                    if leaves && below(extent) && !trace.curve.magnitude {
                        put(buffer, canvas, x, canvas.height - 1, theme.glyph("▾", "v"), style);
                    }
                    was_inside = is_inside;
                }
            }
        }
    }
    // What is no number is said over everything else.
    for trace in traced {
        let style = Style::new().fg(trace.curve.colour).add_modifier(Modifier::BOLD);
        for extents in trace.raw.iter().chain([&trace.line]) {
            for (x, _) in extents.iter().enumerate().filter(|(_, extent)| extent.non_finite) {
                put(buffer, canvas, (x / 2) as u16, 0, theme.glyph("✕", "X"), style);
            }
        }
    }
}

/// Markers on the curves at the crosshair (or at their newest values), and those values in the margin, none above another. `none` is the
/// sign of what is no number.
fn draw_values(
    plot: &Plot<'_>,
    traced: &[Traced<'_, '_>],
    scale: &Scale,
    cross: Option<(u64, u16)>,
    (inner, canvas): (Rect, Rect),
    none: &str,
    buffer: &mut Buffer,
) {
    let mut said: Vec<Said<'_>> = Vec::new();
    for trace in traced.iter().filter(|trace| !trace.curve.dashed) {
        let newest = trace.line.iter().rposition(|extent| extent.is_finite());
        let found = match cross {
            Some((at, x)) => trace.curve.value(Some(at)).map(|said| (said.mean, x)),
            // In a window of the past that is what stands at its end.
            None => newest
                .map(|x| (Some(trace.line[x].last).filter(|last| last.is_finite()), x))
                .map(|(last, x)| (last.unwrap_or(trace.line[x].max), (x / 2) as u16)),
        };
        let Some((value, x)) = found.filter(|(value, _)| value.is_finite()) else { continue };
        let bold = if trace.curve.front { Modifier::BOLD } else { Modifier::empty() };
        let style = Style::new().fg(trace.curve.colour).add_modifier(bold);
        let inside = (-0.02..=1.02).contains(&scale.place(value));
        let y = (curve::row(scale, value, usize::from(canvas.height) * 4) / 4) as u16;
        said.push(Said { curve: trace.curve, value, x, y, inside, style });
    }
    // The selected curve's marker is drawn last, in front; none over what is no number.
    said.sort_by_key(|said| said.curve.front);
    for said in said.iter().filter(|said| said.inside) {
        let here = buffer.cell((canvas.x + said.x, canvas.y + said.y));
        if here.is_none_or(|cell| cell.symbol() != none) {
            put(buffer, canvas, said.x, said.y, &said.curve.marker, said.style);
        }
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
struct Said<'c> {
    curve: &'c Curve<'c>,
    value: f64,
    x: u16,
    y: u16,
    inside: bool,
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

#[cfg(test)]
mod tests;
