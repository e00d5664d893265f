//! A sentence on what the curves say, from the rules of `verdict`.
#![forbid(unsafe_code)]

use super::super::context::Context;
use super::super::format;
use super::super::ink::{put, row, width};
use super::super::verdict::{self, Weight};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the notice, or the verdicts that fit, in the first row of `area`.
pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let line = row(area, 0);
    if let Some(notice) = &context.state.notice {
        let x = put(buffer, line, 1, 0, theme.glyph("› ", "> "), theme.accent());
        put(buffer, line, x, 0, &format::fit(notice, usize::from(line.width.saturating_sub(x + 1))), theme.text());
        return;
    }
    let mut x = 1;
    for (index, verdict) in verdict::verdicts(context).iter().enumerate() {
        let (glyph, style) = match verdict.weight {
            Weight::Bad => (theme.glyph("✕ ", "! "), theme.bad()),
            Weight::Warn => (theme.glyph("▲ ", "^ "), theme.warn()),
            Weight::Note => (theme.glyph("● ", "* "), theme.good()),
        };
        let room = line.width.saturating_sub(x + 3);
        if index > 0 && width(&verdict.text) > room {
            break;
        }
        x = put(buffer, line, x, 0, glyph, style);
        x = put(buffer, line, x, 0, &format::fit(&verdict.text, usize::from(room)), theme.text()) + 3;
    }
}
