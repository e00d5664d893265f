//! What lies over the panes and takes the keys: help, palette, questions.
#![forbid(unsafe_code)]

pub mod command;
pub mod confirm;
pub mod help;
pub mod menu;
pub mod palette;
pub mod perf;

use super::browser;
use super::context::Context;
use super::editor;
use super::ink::{clear, put};
use super::state::Overlay;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the open overlay, if any.
pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    match &context.state.overlay {
        Some(Overlay::Help { query, scroll }) => help::render(context, query, *scroll, area, buffer),
        Some(Overlay::Palette { query, chosen }) => palette::render(context, query, *chosen, area, buffer),
        Some(Overlay::Menu(menu)) => menu::render(context, menu, area, buffer),
        Some(Overlay::Command(prompt)) => command::render(context, prompt, area, buffer),
        Some(Overlay::Browser(browser)) => browser::render(context, browser, area, buffer),
        Some(Overlay::Editor(text)) => editor::text::render(context, text, area, buffer),
        Some(Overlay::Lane(form)) => editor::render(context, form, area, buffer),
        Some(Overlay::Confirm { question, .. }) => confirm::render(context, question, area, buffer),
        None => {}
    }
}

/// A blank box of at most so many cells in the middle of `area` (or at its top), with a title. Returns its inside.
pub fn panel(
    context: &Context<'_>,
    size: (u16, u16),
    title: &str,
    high: bool,
    area: Rect,
    buffer: &mut Buffer,
) -> Rect {
    let (width, height) = (size.0.min(area.width), size.1.min(area.height));
    let y = if high { (area.height - height) / 5 } else { (area.height - height) / 2 };
    let outer = Rect { x: area.x + (area.width - width) / 2, y: area.y + y, width, height };
    let theme = context.theme;
    clear(buffer, outer, theme.bar());
    if width < 4 || height < 3 {
        return outer;
    }
    let line = theme.bar().patch(theme.key());
    let (right, bottom) = (width - 1, height - 1);
    for x in 0..width {
        put(buffer, outer, x, 0, theme.glyph("─", "-"), line);
        put(buffer, outer, x, bottom, theme.glyph("─", "-"), line);
    }
    for y in 0..height {
        put(buffer, outer, 0, y, theme.glyph("│", "|"), line);
        put(buffer, outer, right, y, theme.glyph("│", "|"), line);
    }
    for (x, y, corner) in [(0, 0, "╭"), (right, 0, "╮"), (0, bottom, "╰"), (right, bottom, "╯")] {
        put(buffer, outer, x, y, theme.glyph(corner, "+"), line);
    }
    put(buffer, outer, 2, 0, &format!(" {title} "), theme.bar().patch(theme.accent()));
    Rect { x: outer.x + 1, y: outer.y + 1, width: width - 2, height: height - 2 }
}
