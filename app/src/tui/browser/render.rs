//! The browser, drawn: where each workspace is from, its name, and its question or what is wrong with it.
#![forbid(unsafe_code)]

use super::{Browser, Choice};
use crate::tui::context::Context;
use crate::tui::format;
use crate::tui::ink::{clear, put, row, width};
use crate::tui::overlay::panel;
use crate::workspace::Origin;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the browser.
pub fn render(context: &Context<'_>, browser: &Browser, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let bar = theme.bar();
    let lines = browser.lines();
    let wanted = (area.width.min(120), (browser.items.len() as u16 + 6).max(10));
    let inner = panel(context, wanted, "Workspaces", false, area, buffer);
    let x = put(buffer, inner, 1, 0, theme.glyph("⌕ ", "/ "), bar.patch(theme.accent()));
    match browser.query.as_str() {
        "" => put(buffer, inner, x, 0, "type to search", bar.patch(theme.faint())),
        query => {
            let x = put(buffer, inner, x, 0, query, bar.patch(theme.text()));
            put(buffer, inner, x, 0, theme.glyph("▏", "_"), bar.patch(theme.accent()))
        }
    };
    let height = usize::from(inner.height.saturating_sub(4)).max(1);
    let first = (browser.chosen + 1).saturating_sub(height);
    let names = lines.iter().map(|line| width(&name(line))).max().unwrap_or(0).clamp(12, inner.width / 2);
    if lines.is_empty() {
        put(buffer, inner, 1, 2, "no workspace has these words", bar.patch(theme.dim()));
    }
    for (index, line) in lines.iter().enumerate().skip(first).take(height) {
        let here = row(inner, (index - first) as u16 + 2);
        let ground = if index == browser.chosen { theme.chosen() } else { bar };
        clear(buffer, here, ground);
        let from = match line {
            Choice::Session => "now",
            Choice::Shelved(item) => match item.origin {
                Origin::Here => "here",
                Origin::Lately => "recent",
                Origin::Shipped => "shipped",
            },
        };
        put(buffer, here, 1, 0, from, ground.patch(theme.faint()));
        put(buffer, here, 9, 0, &format::fit(&name(line), names.into()), ground.patch(theme.text()));
        let (about, style) = match line {
            Choice::Session => ("the lanes as they run, with all that was changed", theme.dim()),
            Choice::Shelved(item) if item.sound => (item.about.as_str(), theme.dim()),
            Choice::Shelved(item) => (item.about.as_str(), theme.bad()),
        };
        let room = usize::from(here.width.saturating_sub(names + 12));
        put(buffer, here, names + 11, 0, &format::fit(about, room), ground.patch(style));
    }
    let y = inner.height.saturating_sub(1);
    let mut x = 1;
    for (key, what) in [(theme.glyph("↑↓", "up/down"), "choose"), (theme.glyph("⏎", "enter"), "open"), ("esc", "close")]
    {
        x = put(buffer, inner, x, y, key, bar.patch(theme.accent()));
        x = put(buffer, inner, x + 1, y, what, bar.patch(theme.dim())) + 2;
    }
}

fn name(line: &Choice<'_>) -> String {
    match line {
        Choice::Session => "this session".to_owned(),
        Choice::Shelved(item) => item.path.display().to_string(),
    }
}
