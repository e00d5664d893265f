//! The first line: what is trained, how far it is, how fast, on what, and what the trainer is doing.
#![forbid(unsafe_code)]

use super::super::context::Context;
use super::super::ink::{clear, put, put_right, row, width};
use super::super::state::last_step;
use super::super::{format, layout};
use crate::session::protocol::{Origin, Status};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Glyph, word and style of a status, and where the run comes from unless it is trained here.
pub fn status(context: &Context<'_>) -> (String, Style) {
    let theme = context.theme;
    let (word, style) = of_status(context);
    match context.snapshot.origin {
        Origin::Training => (word, style),
        Origin::Opened => (word + theme.glyph(" · opened", ", opened"), style),
        Origin::Attached => (word + theme.glyph(" · attached", ", attached"), style),
    }
}

fn of_status(context: &Context<'_>) -> (String, Style) {
    let theme = context.theme;
    match &context.snapshot.status {
        Status::Starting if context.snapshot.origin != Origin::Training => {
            (format!("{} reading", theme.glyph("◌", "~")), theme.dim())
        }
        Status::Starting => (format!("{} starting", theme.glyph("◌", "~")), theme.dim()),
        Status::Running => (format!("{} running", theme.glyph("▶", ">")), theme.good()),
        Status::Paused => (format!("{} paused", theme.glyph("‖", "=")), theme.warn()),
        Status::Finished => (format!("{} finished", theme.glyph("✓", "*")), theme.good()),
        Status::Stopped => (format!("{} stopped", theme.glyph("■", "#")), theme.warn()),
        Status::Failed(_) => (format!("{} failed", theme.glyph("✕", "!")), theme.bad()),
    }
}

/// A bar of `length` cells between brackets, full to `share`.
pub fn progress(context: &Context<'_>, share: f64, length: u16) -> String {
    let eighths = (share.clamp(0.0, 1.0) * f64::from(length) * 8.0).round() as u16;
    if context.theme.ascii {
        let full = usize::from(eighths / 8);
        return format!("[{}{}]", "#".repeat(full), " ".repeat(usize::from(length) - full));
    }
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let full = usize::from(eighths / 8);
    let part = PARTS[usize::from(eighths % 8)];
    let blank = usize::from(length) - full - usize::from(!part.is_empty());
    format!("▕{}{part}{}▏", "█".repeat(full), " ".repeat(blank))
}

/// Whether there is room to say what the run goes on to.
fn wide_enough(width: u16) -> bool {
    width >= 110
}

/// Draws the header in the first row of `area`.
pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let bar = theme.bar();
    let line = row(area, 0);
    clear(buffer, line, bar);
    let snapshot = context.snapshot;
    let step = if snapshot.lanes.is_empty() {
        0
    } else {
        last_step(snapshot) + u64::from(snapshot.lanes.iter().any(|lane| lane.step > 0))
    };
    let share = step as f64 / snapshot.steps.max(1) as f64;
    let (word, word_style) = status(context);
    let word = match &snapshot.until {
        Some(until) if wide_enough(line.width) => format!("{word} {} {until}", theme.glyph("→", "to")),
        _ => word,
    };
    let rate = format!("{} steps/s", format::si(snapshot.steps_per_second));
    let left = (snapshot.steps.saturating_sub(step)) as f64 / snapshot.steps_per_second.max(1e-9);
    let remaining = if snapshot.status == Status::Running && left < 360_000.0 {
        format!("{} left", format::duration(left))
    } else {
        String::new()
    };
    let steps = format!("step {}/{}", format::grouped(step), format::grouped(snapshot.steps));
    let view = if context.state.zoomed {
        "zoom".to_owned()
    } else {
        format!("{} {}", context.state.layout, context.state.layouts.get(context.state.layout).name)
    };
    let separator = theme.glyph(" · ", " | ");
    // From the right, by how much each is missed.
    let wide = line.width;
    let mut right: Vec<(String, Style)> = vec![(word, bar.patch(word_style))];
    if wide >= 60 {
        right.insert(0, (rate, bar.patch(theme.text())));
    }
    if wide >= 110 && !snapshot.device.is_empty() {
        right.insert(1, (snapshot.device.clone(), bar.patch(theme.dim())));
    }
    if wide >= 150 && !remaining.is_empty() {
        right.insert(1, (remaining, bar.patch(theme.dim())));
    }
    if wide >= 140 {
        right.insert(0, (view, bar.patch(theme.dim())));
    }
    let mut end = line.width.saturating_sub(1);
    for (index, (text, style)) in right.iter().enumerate().rev() {
        put_right(buffer, line, end, 0, text, *style);
        end = end.saturating_sub(width(text));
        if index > 0 {
            put_right(buffer, line, end, 0, separator, bar.patch(theme.faint()));
            end = end.saturating_sub(width(separator));
        }
    }
    let mut x = put(buffer, line, 0, 0, " guesswork ", bar.patch(theme.accent()));
    let mut progress_text = String::new();
    let cells = if wide >= 150 {
        24
    } else if wide >= 100 {
        12
    } else if wide >= 78 {
        8
    } else {
        0
    };
    if cells > 0 {
        progress_text = format!(" {}", progress(context, share, cells));
    }
    let fixed = width(&steps) + width(&progress_text) + width(separator);
    // Without charts the steps have a row of their own.
    let fixed = if layout::class(wide, context.state.size.1) == layout::Class::Numbers { 0 } else { fixed };
    let room = usize::from(end.saturating_sub(x + fixed + 2));
    if fixed == 0 {
        put(buffer, line, x, 0, &format::fit(&snapshot.title, room), bar.patch(theme.text()));
        return;
    }
    if room >= 6 {
        let title = format::fit(&snapshot.title, room);
        x = put(buffer, line, x, 0, &title, bar.patch(theme.text()));
        x = put(buffer, line, x, 0, separator, bar.patch(theme.faint()));
    }
    if x + width(&steps) <= end {
        x = put(buffer, line, x, 0, &steps, bar.patch(theme.text()));
    }
    if x + width(&progress_text) <= end {
        put(buffer, line, x, 0, &progress_text, bar.patch(theme.key()));
    }
}
