//! A question with yes and no.
#![forbid(unsafe_code)]

use super::super::context::Context;
use super::super::format;
use super::super::ink::{put, width};
use super::panel;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the question.
pub fn render(context: &Context<'_>, question: &str, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let room = usize::from(area.width.saturating_sub(6)).clamp(1, 56);
    let lines = format::wrap(question, room);
    let longest = lines.iter().map(|line| width(line)).max().unwrap_or(0).max(24);
    let inner = panel(context, (longest + 6, lines.len() as u16 + 4), "Sure?", false, area, buffer);
    for (y, line) in lines.iter().enumerate() {
        put(buffer, inner, 2, y as u16, line, theme.bar().patch(theme.text()));
    }
    let y = lines.len() as u16 + 1;
    let bar = theme.bar();
    let x = put(buffer, inner, 2, y, "y", bar.patch(theme.accent()));
    let x = put(buffer, inner, x, y, " yes", bar.patch(theme.dim()));
    let x = put(buffer, inner, x + 3, y, "esc", bar.patch(theme.accent()));
    put(buffer, inner, x, y, " no", bar.patch(theme.dim()));
}
