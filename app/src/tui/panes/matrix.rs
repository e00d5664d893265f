//! Alignment by lane and layer, as numbers on colour: the newest values, or those at the crosshair.
#![forbid(unsafe_code)]

use super::super::colour::readable_on;
use super::super::context::{Context, Framing, Target};
use super::super::export::{self, Heat, Offered, Table, Value};
use super::super::format;
use super::super::ink::{put, put_right, row, width};
use super::super::lanes::Group;
use super::alignment::shade;
use super::{PaneId, crosshair};
use crate::picture::Columns;
use crate::record::{Key, Quantity};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

const TITLE: &str = "Alignment lane × layer";

/// The matrix as picture and table.
fn offered(context: &Context<'_>, sites: &[String]) -> Offered {
    let keys =
        || (0..sites.len()).map(|layer| Key::site(Quantity::Cosine, layer)).chain([Key::whole(Quantity::Cosine)]);
    let names: Vec<String> = sites.iter().cloned().chain(["all".to_owned()]).collect();
    let value = |group: &Group<'_>, key| context.value(group, key).map(|(value, _)| value);
    let mut rows = Vec::new();
    for group in context.groups {
        for (key, site) in keys().zip(&names) {
            let Some((mean, deviation)) = context.value(group, key) else { continue };
            let seeds = Value::Whole(group.lanes.len() as u64);
            let [mean, deviation] = [mean, deviation].map(Value::Number);
            rows.push(vec![group.name.as_str().into(), site.as_str().into(), seeds, mean, deviation]);
        }
    }
    let whole = Key::whole(Quantity::Cosine);
    export::heat(
        context.theme,
        Heat {
            title: TITLE.to_owned(),
            notes: vec![context.place()],
            rows: context.groups.iter().map(|group| group.name.clone()).collect(),
            columns: Columns::Named(names.clone()),
            cells: context.groups.iter().map(|group| keys().map(|key| value(group, key)).collect()).collect(),
            label: "cos(ĝ, g)",
            table: Table { columns: vec!["lane", "layer", "seeds", "cosine", "deviation"], rows },
            values: context
                .groups
                .iter()
                .filter_map(|group| Some((group.name.clone(), value(group, whole)?)))
                .collect(),
        },
    )
}

pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let said = crosshair::reading(context).filter(|said| width(said) + width(TITLE) + 10 <= area.width);
    let inner = context.frame(PaneId::Matrix, TITLE, &said.unwrap_or_else(|| context.place()), area, buffer);
    let indent = if context.framing == Framing::Ruled { inner.width.min(1) } else { 0 };
    let inner = Rect { x: inner.x + indent, width: inner.width - indent, ..inner };
    let theme = context.theme;
    let sites = context.selected().map(|group| group.first().info.sites.as_slice()).unwrap_or_default();
    context.offer(|| offered(context, sites));
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
        let text = format::layer(head, usize::from(cell.saturating_sub(1)));
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
