//! The lanes in order of a metric: place, mean and standard error over the seeds, distance to the best, and the intervals drawn to
//! one scale.
#![forbid(unsafe_code)]

use super::super::action::Action;
use super::super::chart::Scale;
use super::super::context::Context;
use super::super::format;
use super::super::ink::{put, put_right};
use super::super::rank::{METRICS, Metric, Standing, standings};
use super::PaneId;
use super::table::{self, Column, Line};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let state = context.state;
    let metric = &METRICS[state.metric % METRICS.len()];
    let title = format!("Rank · {} {}", state.ranked_by.name(), metric.name);
    let inner = context.frame(PaneId::Rank, &title, &context.place(), area, buffer);
    let found = standings(context, metric, state.ranked_by);
    let Some(best) = found.first().copied() else {
        let text =
            format!("no {} measured yet: {} chooses another metric", metric.name, key(context, &Action::NextMetric));
        let text =
            if context.snapshot.lanes.iter().any(|lane| lane.step > 0) { text } else { context.nothing("").to_owned() };
        return context.empty(&text, inner, buffer);
    };
    let write = |value: f64| if metric.share { format!("{:.2}%", value * 100.0) } else { format::value(value) };
    let lines: Vec<Line<'_, '_>> = found
        .iter()
        .enumerate()
        .map(|(place, standing)| {
            let group = &context.groups[standing.group];
            Line { group, name: format!("{}. {}", place + 1, group.name), ended: group.ended() }
        })
        .collect();
    let column = |head: &str, rank, of: &dyn Fn(&Standing) -> String| Column {
        head: head.to_owned(),
        cells: found.iter().map(of).collect(),
        rank,
    };
    let seeded = found.iter().any(|standing| standing.seeds > 1);
    let mut columns = vec![column("mean", 0, &|standing| write(standing.mean))];
    if seeded {
        let error = |standing: &Standing| standing.error.map_or("–".to_owned(), |error| format!("±{}", write(error)));
        columns.push(column("std. error", 1, &error));
        columns.push(column("seeds", 3, &|standing| standing.seeds.to_string()));
    }
    columns.push(column("to best", 2, &|standing| difference(standing.mean - best.mean, &write)));
    let (end, first) = table::render(context, &lines, columns, inner, buffer);
    intervals(
        context,
        &found,
        metric,
        first,
        Rect { x: inner.x + end + 2, width: inner.width.saturating_sub(end + 3), ..inner },
        buffer,
    );
    if usize::from(inner.height) > found.len() + 2 {
        let y = found.len() as u16 + 2;
        let keys = format!(
            "{} metric · {} best, last, smoothed",
            key(context, &Action::NextMetric),
            key(context, &Action::NextRanking)
        );
        put(buffer, inner, 3, y, &keys, context.theme.faint());
    }
}

/// The key of an action as it is bound.
fn key(context: &Context<'_>, action: &Action) -> String {
    context.state.keymap.shown(action, context.theme.ascii)
}

fn difference(value: f64, write: &dyn Fn(f64) -> String) -> String {
    match value {
        0.0 => "–".to_owned(),
        value if value > 0.0 => format!("+{}", write(value)),
        value => write(value).replace('-', "−"),
    }
}

/// Mean and standard error of each row on one scale: `├──●──┤`.
fn intervals(
    context: &Context<'_>,
    found: &[Standing],
    metric: &Metric,
    first: usize,
    area: Rect,
    buffer: &mut Buffer,
) {
    let theme = context.theme;
    let ends = |standing: &Standing| {
        let error = standing.error.unwrap_or(0.0);
        [standing.mean - error, standing.mean + error]
    };
    let finite: Vec<f64> = found.iter().flat_map(ends).filter(|value| value.is_finite()).collect();
    let low = finite.iter().copied().fold(f64::INFINITY, f64::min);
    let high = finite.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if area.width < 16 || low > high {
        return;
    }
    let scale = Scale::linear(low, high);
    let last = f64::from(area.width - 1);
    let column = |value: f64| (scale.place(value).clamp(0.0, 1.0) * last).round() as u16;
    let write = |value: f64| if metric.share { format!("{:.1}%", value * 100.0) } else { format::value(value) };
    put(buffer, area, 0, 0, &write(scale.low()), theme.faint());
    put_right(buffer, area, area.width, 0, &write(scale.high()), theme.faint());
    for (index, standing) in found.iter().enumerate().skip(first) {
        let y = (index - first) as u16 + 1;
        if y >= area.height || !standing.mean.is_finite() {
            continue;
        }
        let style = context.lane_style(&context.groups[standing.group]);
        let [from, to] = ends(standing).map(column);
        if to > from {
            for x in from..=to {
                put(buffer, area, x, y, theme.glyph("─", "-"), style);
            }
            put(buffer, area, from, y, theme.glyph("├", "|"), style);
            put(buffer, area, to, y, theme.glyph("┤", "|"), style);
        }
        put(buffer, area, column(standing.mean), y, theme.marker(context.groups[standing.group].colour), style);
    }
}
