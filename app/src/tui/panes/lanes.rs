//! The lanes: colour and marker, name, smoothed training loss, test accuracy, why one ended; below, the settings of the selected.
#![forbid(unsafe_code)]

use super::super::context::{Context, Target};
use super::super::ink::{clear, put, put_right, row, width};
use super::super::lanes::{Group, end_sentence, end_word};
use super::super::{format, state::SMOOTHING};
use super::PaneId;
use crate::record::{EndReason, Key, Quantity};
use crate::workspace::{OptimizerSpec, Scope};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Columns of a number.
const NUMBER: u16 = 7;

pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let seeds: usize = context.groups.iter().map(|group| group.lanes.len()).sum();
    let notes = if seeds > context.groups.len() { format!("{seeds} seeds") } else { String::new() };
    let notes =
        context.state.filter.as_ref().map_or(notes, |filter| format!("{} {filter}", context.theme.glyph("⌕", "/")));
    let inner = context.frame(PaneId::Lanes, &format!("Lanes {}", context.groups.len()), &notes, area, buffer);
    let theme = context.theme;
    let seeded = context.groups.iter().any(|group| group.lanes.len() > 1);
    let number = if seeded && inner.width >= 56 { NUMBER + 7 } else { NUMBER };
    let wide = inner.width >= 52;
    let columns: &[&str] = if wide { &["loss", "test", "acc", "|cos|"] } else { &["loss", "test"] };
    for (index, head) in columns.iter().rev().enumerate() {
        put_right(buffer, inner, inner.width.saturating_sub(1 + index as u16 * number), 0, head, theme.faint());
    }
    put(buffer, inner, 3, 0, "lane", theme.faint());
    let detail_rows = if inner.height > context.groups.len() as u16 + 4 { 5 } else { 0 };
    let rows = usize::from(inner.height.saturating_sub(1 + detail_rows.min(inner.height.saturating_sub(2))));
    let chosen = context.groups.iter().position(|group| context.is_selected(group)).unwrap_or(0);
    let first = (chosen + 1).saturating_sub(rows.max(1));
    for (index, group) in context.groups.iter().skip(first).take(rows).enumerate() {
        let y = index as u16 + 1;
        let line = row(inner, y);
        let ground = if context.is_selected(group) { theme.chosen() } else { Style::new() };
        clear(buffer, line, ground);
        context.hit(line, Target::Lane(group.id()));
        let style = ground.patch(context.lane_style(group));
        put(buffer, line, 1, 0, theme.marker(group.colour), style);
        let seeds = if group.lanes.len() > 1 {
            format!(" {}{}", theme.glyph("×", "x"), group.lanes.len())
        } else {
            String::new()
        };
        let room = inner.width.saturating_sub(3 + columns.len() as u16 * number);
        let name = format::fit(&group.name, usize::from(room.saturating_sub(width(&seeds))));
        let x = put(buffer, line, 3, 0, &name, style);
        put(buffer, line, x, 0, &seeds, ground.patch(theme.dim()));
        let values = numbers(context, group, wide, number > NUMBER);
        let plain = ground.patch(theme.text());
        for (index, value) in values.iter().rev().enumerate() {
            put_right(buffer, line, inner.width.saturating_sub(1 + index as u16 * number), 0, value, plain);
        }
        if let Some(reason) = group.ended() {
            let (glyph, style) = match reason {
                EndReason::Done | EndReason::Target(_) => (theme.glyph("✓", "="), theme.good()),
                EndReason::Diverged(_) | EndReason::Plugin(_) | EndReason::Failed(_) => {
                    (theme.glyph("✕", "!"), theme.bad())
                }
                _ => (theme.glyph("■", "-"), theme.dim()),
            };
            put(buffer, line, 0, 0, glyph, ground.patch(style));
            if *reason != EndReason::Done {
                put_right(
                    buffer,
                    line,
                    inner.width.saturating_sub(1),
                    0,
                    &format!("{:>14}", end_word(reason)),
                    ground.patch(style),
                );
            }
        }
    }
    let used = 1 + (context.groups.len() - first.min(context.groups.len())).min(rows) as u16;
    if let Some(group) = context.selected() {
        let rest = Rect { y: inner.y + used, height: inner.height.saturating_sub(used), ..inner };
        details(context, group, rest, buffer);
    }
}

/// Loss and test accuracy; with more room test loss and |cos| too.
fn numbers(context: &Context<'_>, group: &Group<'_>, wide: bool, spread: bool) -> Vec<String> {
    let beta = if context.state.smoothing == 0 { 0.0 } else { context.state.beta().max(SMOOTHING[1]) };
    let many = spread && group.lanes.len() > 1;
    let show = |found: Option<(f64, f64)>, write: fn(f64) -> String| match found {
        Some((mean, deviation)) if many => format!("{} ±{}", write(mean), write(deviation)),
        Some((mean, _)) => write(mean),
        None => "–".to_owned(),
    };
    let loss = show(context.smooth(group, Key::whole(Quantity::Loss), beta), format::value);
    let accuracy =
        show(context.value(group, Key::whole(Quantity::TestAccuracy)), |share| format!("{:.1}%", share * 100.0));
    if !wide {
        return vec![loss, accuracy];
    }
    let test = show(context.value(group, Key::whole(Quantity::TestLoss)), format::value);
    let cosine = show(context.value(group, Key::whole(Quantity::Cosine)), |cosine| format::value(cosine.abs()));
    vec![loss, test, accuracy, cosine]
}

/// What the selected lane runs with.
fn details(context: &Context<'_>, group: &Group<'_>, area: Rect, buffer: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    let theme = context.theme;
    let lane = group.first();
    let spec = &lane.info.spec;
    for x in 1..area.width.saturating_sub(1) {
        put(buffer, area, x, 0, theme.glyph("┄", "-"), theme.border());
    }
    let scope = match lane.info.scope {
        Some(Scope::Batch) => "batch",
        Some(Scope::Layer) => "layer",
        Some(Scope::Example) => "example",
        Some(Scope::ExampleLayer) => "example-layer",
        None => "exact",
    };
    let optimizer = match spec.optimizer {
        Some(OptimizerSpec::Adam { .. }) => "Adam",
        Some(OptimizerSpec::AdamW { .. }) => "AdamW",
        Some(OptimizerSpec::Sgd { momentum, .. }) if momentum > 0.0 => "SGD momentum",
        Some(OptimizerSpec::Sgd { .. }) | None => "SGD",
    };
    let rate = group.learning_rate().map_or("–".to_owned(), format::value);
    let seeds: Vec<String> = group.lanes.iter().map(|lane| lane.info.seed.to_string()).collect();
    let params: Vec<String> = spec.params.iter().map(|(key, value)| format!("{key} {}", param(value))).collect();
    let guesses = spec.guesses.unwrap_or(1);
    let mut lines = vec![
        ("optimizer", format!("{optimizer} · η {rate}")),
        ("scope", if lane.info.scope.is_some() { format!("{scope} · K {guesses}") } else { scope.to_owned() }),
        ("seed", format!("{} · n {}", seeds.join(" "), format::grouped(lane.info.parameters as u64))),
        ("step", format!("{} · {} FLOP/step", format::grouped(group.step()), format::si(lane.info.flop as f64))),
    ];
    if !params.is_empty() {
        lines.insert(2, ("params", params.join(" · ")));
    }
    if let Some(reason) = group.ended() {
        lines.insert(0, ("ended", end_sentence(reason)));
    }
    for (index, (head, text)) in lines.iter().enumerate() {
        let y = 1 + index as u16;
        put(buffer, area, 1, y, head, theme.faint());
        let room = usize::from(area.width.saturating_sub(12));
        let style = if *head == "ended" { theme.warn() } else { theme.dim() };
        put(buffer, area, 11, y, &format::fit(text, room), style);
    }
}

fn param(value: &crate::workspace::ParamValue) -> String {
    use crate::workspace::ParamValue;
    match value {
        ParamValue::Bool(value) => value.to_string(),
        ParamValue::Int(value) => value.to_string(),
        ParamValue::Float(value) => format::value(*value),
        ParamValue::Text(value) => value.clone(),
    }
}
