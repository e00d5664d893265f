//! Alignment by lane and layer, as numbers on colour: the newest values, or those at the crosshair.
#![forbid(unsafe_code)]

use super::super::colour::readable_on;
use super::super::context::{Context, Framing, Target};
use super::super::format;
use super::super::ink::{put, put_right, row, width};
use super::alignment::shade;
use super::{PaneId, crosshair};
use crate::record::{Key, Quantity};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

const TITLE: &str = "Alignment lane × layer";

pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let said = crosshair::reading(context).filter(|said| width(said) + width(TITLE) + 10 <= area.width);
    let inner = context.frame(PaneId::Matrix, TITLE, &said.unwrap_or_else(|| context.place()), area, buffer);
    let indent = if context.framing == Framing::Ruled { inner.width.min(1) } else { 0 };
    let inner = Rect { x: inner.x + indent, width: inner.width - indent, ..inner };
    let theme = context.theme;
    let sites = context.selected().map(|group| group.first().info.sites.as_slice()).unwrap_or_default();
    let longest = context.groups.iter().map(|group| width(&group.name)).max().unwrap_or(0);
    let cells = sites.len() as u16 + 1;
    let room = inner.width.saturating_sub(cells * 5);
    // Numbers matter more than names: the marker alone says which lane it is.
    let left = (longest + 3).min(if room >= 10 { room } else { 2 }).min(inner.width);
    let cell = (inner.width.saturating_sub(left) / cells.max(1)).min(12);
    if cell == 0 || inner.height < 2 {
        return;
    }
    let heads = sites.iter().map(|site| (site.as_str(), false)).chain([("all", true)]);
    for (index, (head, whole)) in heads.enumerate() {
        let x = left + index as u16 * cell;
        let text = format::fit(head, usize::from(cell.saturating_sub(1)));
        let chosen = context.state.layer == Some(index as u16) && !whole;
        let style = if chosen { theme.accent() } else { theme.dim() };
        let middle = x + cell.saturating_sub(width(&text)) / 2;
        put(buffer, inner, middle, 0, &text, style);
    }
    let rows = inner.height - 1;
    let each = (rows / (context.groups.len() as u16).max(1)).clamp(1, 2);
    for (index, group) in context.groups.iter().enumerate() {
        let y = 1 + index as u16 * each;
        if y >= inner.height {
            break;
        }
        let style = context.lane_style(group);
        let x = put(buffer, inner, 0, y, &format!("{} ", theme.marker(group.colour)), style);
        put(buffer, inner, x, y, &format::fit(&group.name, usize::from(left.saturating_sub(x + 1))), style);
        context.hit(row(inner, y), Target::Lane(group.id()));
        for layer in 0..=sites.len() {
            let key =
                if layer < sites.len() { Key::site(Quantity::Cosine, layer) } else { Key::whole(Quantity::Cosine) };
            let x = left + layer as u16 * cell;
            let here = Rect { x: inner.x + x, y: inner.y + y, width: cell, height: each };
            if layer < sites.len() {
                context.hit(here.intersection(inner), Target::Layer(layer as u16));
            }
            let Some((value, _)) = context.value(group, key) else {
                put_right(buffer, inner, x + cell.div_ceil(2), y, theme.glyph("·", "."), theme.faint());
                continue;
            };
            let text = if cell >= 5 { format::cosine(value) } else { String::new() };
            let (fill, ink) = if theme.has_maps() {
                let ground = theme.signed(value);
                (" ", Style::new().bg(theme.map(ground)).fg(theme.map(readable_on(ground))))
            } else {
                (shade(value, theme.ascii), theme.text())
            };
            let ink = if context.is_selected(group) { ink.add_modifier(Modifier::BOLD) } else { ink };
            let pointed = context.is_selected(group) && context.state.layer == Some(layer as u16);
            let ink = if pointed { ink.add_modifier(Modifier::UNDERLINED) } else { ink };
            let shown = cell - u16::from(cell > 2);
            for line in 0..each.min(inner.height - y) {
                for column in 0..shown {
                    put(buffer, inner, x + column, y + line, fill, ink);
                }
            }
            if !text.is_empty() {
                let pad = if theme.has_maps() { text.clone() } else { format!(" {text} ") };
                put(buffer, inner, x + shown.saturating_sub(width(&pad)) / 2, y, &pad, ink);
            }
        }
    }
}
