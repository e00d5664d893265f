//! A sentence on what the curves say, from the rules of `verdict`.
#![forbid(unsafe_code)]

use super::super::action::Action;
use super::super::context::{Context, Hit, Target};
use super::super::format;
use super::super::ink::{put, row, width};
use super::super::verdict::{self, Weight};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the notice, or the verdicts that fit, in the first row of `area`; with more rows the gravest verdict, wrapped, at the
/// bottom.
pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let line = row(area, 0);
    let verdicts = verdict::verdicts(context);
    // The evidence of every verdict is a key away, also of those that there is no room for.
    let nowhere = Rect { width: 0, height: 0, ..area };
    verdicts.iter().for_each(|verdict| context.hit(nowhere, Target::Verdict(verdict.evidence)));
    if let Some(notice) = &context.state.notice {
        let x = put(buffer, line, 1, 0, theme.glyph("› ", "> "), theme.accent());
        put(buffer, line, x, 0, &format::fit(notice, usize::from(line.width.saturating_sub(x + 1))), theme.text());
        return;
    }
    if let Some(refused) = context.snapshot.refused.as_ref().filter(|refused| refused.number > context.state.refusal) {
        let x = put(buffer, line, 1, 0, theme.glyph("✕ ", "! "), theme.bad());
        put(
            buffer,
            line,
            x,
            0,
            &format::fit(&refused.text, usize::from(line.width.saturating_sub(x + 1))),
            theme.text(),
        );
        return;
    }
    let mark = |weight| match weight {
        Weight::Bad => (theme.glyph("✕ ", "! "), theme.bad()),
        Weight::Warn => (theme.glyph("▲ ", "^ "), theme.warn()),
        Weight::Note => (theme.glyph("● ", "* "), theme.good()),
    };
    if area.height > 1 {
        let lines = verdicts
            .first()
            .map(|first| (format::wrap(&first.text, usize::from(area.width.saturating_sub(4))), first.weight));
        let Some((lines, weight)) = lines else { return };
        let top = area.height.saturating_sub(lines.len() as u16);
        let (glyph, style) = mark(weight);
        put(buffer, area, 1, top, glyph, style);
        for (index, text) in lines.iter().enumerate() {
            put(buffer, area, 3, top + index as u16, text, theme.text());
        }
        return;
    }
    let focused = context.state.on_verdict && context.state.overlay.is_none();
    if focused {
        put(buffer, line, 0, 0, theme.glyph("▌", ">"), theme.accent());
    }
    let mut x = 1;
    for (index, verdict) in verdicts.iter().enumerate() {
        let (glyph, style) = mark(verdict.weight);
        let room = line.width.saturating_sub(x + 3);
        if index > 0 && width(&verdict.text) > room {
            break;
        }
        let start = x;
        x = put(buffer, line, x, 0, glyph, style);
        x = put(buffer, line, x, 0, &format::fit(&verdict.text, usize::from(room)), theme.text());
        clickable(context, Rect { x: line.x + start, width: x.saturating_sub(start), ..line }, verdict.evidence);
        x += 3;
    }
    let action = if focused { &Action::Open } else { &Action::Evidence };
    let key = context.state.keymap.shown(action, theme.ascii);
    let hint = format!("{key} shows it");
    if !verdicts.is_empty() && !key.is_empty() && x + width(&hint) < line.width {
        put(
            buffer,
            line,
            line.width - width(&hint) - 1,
            0,
            &hint,
            if focused { theme.accent() } else { theme.faint() },
        );
    }
}

/// Lets a click on a verdict show its evidence. Each verdict has one target, with an area where it is drawn.
fn clickable(context: &Context<'_>, area: Rect, evidence: verdict::Evidence) {
    let mut hits = context.hits.borrow_mut();
    if let Some(hit) = hits.iter_mut().find(|hit| hit.target == Target::Verdict(evidence) && hit.area.is_empty()) {
        *hit = Hit { area, ..*hit };
    }
}
