//! Terminals too small for charts: progress, and each lane's numbers.
#![forbid(unsafe_code)]

use super::super::context::{Context, Target};
use super::super::format;
use super::super::ink::{clear, put, put_right, row, width};
use super::super::lanes::{end_word, initials};
use super::super::state::last_step;
use super::header;
use crate::record::{EndReason, Key, Quantity};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// A column: its heading, what it shows, how that is written.
type Heading = (&'static str, Quantity, fn(f64) -> String);

/// Draws all of `area` but the header's first row and the key line.
pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let snapshot = context.snapshot;
    let done = snapshot.lanes.iter().any(|lane| lane.step > 0);
    let step = last_step(snapshot) + u64::from(done);
    let steps = match context.state.crosshair {
        Some(at) => format!("at {}", context.state.unit.place(at)),
        None => format!("step {}/{}", format::grouped(step), format::grouped(snapshot.steps)),
    };
    let x = put(buffer, area, 1, 0, &steps, theme.text());
    let rate = format!("{}/s", format::si(snapshot.steps_per_second));
    put_right(buffer, area, area.width.saturating_sub(1), 0, &rate, theme.dim());
    let room = area.width.saturating_sub(x + width(&rate) + 6);
    if room >= 4 {
        put(
            buffer,
            area,
            x + 1,
            0,
            &header::progress(context, step as f64 / snapshot.steps.max(1) as f64, room),
            theme.key(),
        );
    }
    let columns: [Heading; 3] = [
        ("loss", Quantity::Loss, format::value),
        ("test", Quantity::TestAccuracy, |share| format!("{:.1}%", share * 100.0)),
        ("|cos|", Quantity::Cosine, |cosine| format::value(cosine.abs())),
    ];
    let number = if area.width >= 60 { 10 } else { 7 };
    for (index, (head, ..)) in columns.iter().rev().enumerate() {
        put_right(buffer, area, area.width.saturating_sub(1 + index as u16 * number), 1, head, theme.faint());
    }
    put(buffer, area, 3, 1, "lane", theme.faint());
    let rows = usize::from(area.height.saturating_sub(2));
    let chosen = context.groups.iter().position(|group| context.is_selected(group)).unwrap_or(0);
    let first = (chosen + 1).saturating_sub(rows.max(1));
    for (index, group) in context.groups.iter().skip(first).take(rows).enumerate() {
        let line = row(area, index as u16 + 2);
        let ground = if context.is_selected(group) { theme.chosen() } else { Style::new() };
        clear(buffer, line, ground);
        context.hit(line, Target::Lane(group.id()));
        let style = ground.patch(context.lane_style(group));
        put(buffer, line, 1, 0, theme.marker(group.colour), style);
        let room = usize::from(area.width.saturating_sub(4 + 3 * number));
        let name = if room >= 10 { format::fit(&group.name, room) } else { initials(&group.name) };
        put(buffer, line, 3, 0, &name, style);
        for (index, (_, quantity, write)) in columns.iter().rev().enumerate() {
            let key = Key::whole(*quantity);
            let value = if *quantity == Quantity::Loss {
                context.smooth(group, key, context.state.beta())
            } else {
                context.value(group, key)
            };
            let text = value.map_or("–".to_owned(), |(value, _)| write(value));
            put_right(
                buffer,
                line,
                area.width.saturating_sub(1 + index as u16 * number),
                0,
                &text,
                ground.patch(theme.text()),
            );
        }
        if let Some(reason @ (EndReason::Diverged(_) | EndReason::Plugin(_) | EndReason::Failed(_))) = group.ended() {
            let word = format!("{:>14}", end_word(reason));
            put_right(buffer, line, area.width.saturating_sub(1), 0, &word, ground.patch(theme.bad()));
        }
    }
}
