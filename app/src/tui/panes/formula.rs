//! The selected strategy in its own words: formula, description, source, library.
#![forbid(unsafe_code)]

use super::super::context::Context;
use super::super::format;
use super::super::ink::put;
use super::PaneId;
use crate::record::MemberCard;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let Some(group) = context.selected() else {
        let inner = context.frame(PaneId::Formula, "Formula", "", area, buffer);
        return context.empty(context.nothing("no lanes"), inner, buffer);
    };
    let card = &group.first().info.card;
    // A mixture's version is those of its members, which stand below.
    let version = if card.members.is_empty() { card.version.as_str() } else { "" };
    let notes = [card.kind.as_str(), version].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
    let inner = context.frame(PaneId::Formula, "Formula", &notes.join(" · "), area, buffer);
    let theme = context.theme;
    let room = usize::from(inner.width.saturating_sub(2));
    let name = if card.name.is_empty() { &group.name } else { &card.name };
    let mut lines = vec![(name.clone(), context.lane_style(group))];
    lines.extend(format::wrap(&card.formula, room).into_iter().map(|line| (line, theme.accent())));
    for member in &card.members {
        let MemberCard { name, weight, params, formula, .. } = member;
        let params = if params.is_empty() { String::new() } else { format!(" ({params})") };
        let text = format!("{} {weight:?} {name}{params}: {formula}", theme.glyph("·", "-"));
        lines.extend(format::wrap(&text, room).into_iter().map(|line| (line, theme.text())));
    }
    let description: Vec<_> =
        format::wrap(&card.description, room).into_iter().map(|line| (line, theme.text())).collect();
    let citation: Vec<_> = format::wrap(&card.citation, room).into_iter().map(|line| (line, theme.dim())).collect();
    let library: Vec<_> = format::wrap(&card.library, room).into_iter().map(|line| (line, theme.faint())).collect();
    let height = usize::from(inner.height);
    let full = lines.len() + description.len() + citation.len() + library.len();
    let airy = full + 2 <= height;
    for (index, block) in [description, citation, library].into_iter().enumerate() {
        if airy && index < 2 && !block.is_empty() {
            lines.push((String::new(), theme.text()));
        }
        lines.extend(block);
    }
    let cut = lines.len() > height;
    for (y, (line, style)) in lines.iter().take(height).enumerate() {
        let last = cut && y + 1 == height;
        let text = if last { format::fit(&format!("{line} {}", "…"), room) } else { line.clone() };
        put(buffer, inner, 1, y as u16, &text, *style);
    }
}
