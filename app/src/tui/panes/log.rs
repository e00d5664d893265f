//! Messages, newest last; scrolled with the mouse, or with the arrows on the full screen.
#![forbid(unsafe_code)]

use super::super::context::Context;
use super::super::format;
use super::super::ink::put;
use super::PaneId;
use crate::record::Level;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let messages = &context.snapshot.messages;
    let back = context.state.log_back.min(messages.len().saturating_sub(1));
    let mut notes = Vec::new();
    if back > 0 {
        notes.push(format!("{back} newer"));
    }
    if context.snapshot.dropped > 0 {
        notes.push(format!("{} lost", format::grouped(context.snapshot.dropped)));
    }
    let inner = context.frame(PaneId::Log, "Log", &notes.join(" · "), area, buffer);
    let theme = context.theme;
    if messages.is_empty() {
        return context.empty("nothing to say", inner, buffer);
    }
    let room = usize::from(inner.width.saturating_sub(4)).max(1);
    let height = usize::from(inner.height);
    let mut lines: Vec<(&str, Style, String, Style)> = Vec::new();
    for message in messages[..messages.len() - back].iter().rev() {
        let style = match message.level {
            Level::Error => theme.bad(),
            Level::Warn => theme.warn(),
            Level::Info => theme.text(),
            Level::Debug => theme.faint(),
        };
        let group = message
            .lane
            .and_then(|id| context.groups.iter().find(|group| group.lanes.iter().any(|lane| lane.info.lane == id)));
        let (mark, mark_style) = match group {
            Some(group) => (theme.marker(group.colour), Style::new().fg(theme.lane(group.colour))),
            None => (theme.glyph("·", "."), theme.faint()),
        };
        let text = match message.step {
            Some(step) => format!("{}: {}", format::grouped(step), message.text),
            None => message.text.clone(),
        };
        for (index, line) in format::wrap(&text, room).into_iter().enumerate().rev() {
            lines.push((if index == 0 { mark } else { " " }, mark_style, line, style));
        }
        if lines.len() >= height {
            break;
        }
    }
    for (y, (mark, mark_style, text, style)) in lines.iter().take(height).rev().enumerate() {
        put(buffer, inner, 1, y as u16, mark, *mark_style);
        put(buffer, inner, 3, y as u16, text, *style);
    }
}
