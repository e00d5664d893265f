//! Tables: columns that give way by rank where there is no room, a lane a row.
#![forbid(unsafe_code)]

use super::super::context::{Context, Target};
use super::super::format;
use super::super::ink::{clear, put, put_right, row, width};
use super::super::lanes::{Group, end_word};
use crate::record::EndReason;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// A column of numbers.
pub struct Column {
    /// Heading.
    pub head: String,
    /// A cell a row.
    pub cells: Vec<String>,
    /// The greatest gives way first.
    pub rank: u8,
}

/// A row: a lane, or a group of them.
pub struct Line<'g, 'a> {
    /// Whose colour and marker it has, and who is selected by a click.
    pub group: &'g Group<'a>,
    /// Name, seed included where a row is one lane.
    pub name: String,
    /// Why it ended.
    pub ended: Option<&'g EndReason>,
}

/// Draws the table; returns the column after what it used, and the first row shown.
pub fn render(
    context: &Context<'_>,
    lines: &[Line<'_, '_>],
    mut columns: Vec<Column>,
    area: Rect,
    buffer: &mut Buffer,
) -> (u16, usize) {
    let theme = context.theme;
    let longest = lines.iter().map(|line| width(&line.name)).max().unwrap_or(4).max(4);
    let sizes = |columns: &[Column]| -> Vec<u16> {
        let size = |column: &Column| column.cells.iter().map(|cell| width(cell)).max().unwrap_or(0);
        columns.iter().map(|column| size(column).max(width(&column.head)) + 2).collect()
    };
    let name = longest.min((area.width / 2).max(10));
    while columns.len() > 1 && 4 + name + sizes(&columns).iter().sum::<u16>() > area.width {
        let last = (0..columns.len()).max_by_key(|&index| (columns[index].rank, index)).unwrap_or(0);
        columns.remove(last);
    }
    let sizes = sizes(&columns);
    let name = name.min(area.width.saturating_sub(4 + sizes.iter().sum::<u16>()));
    let rows = usize::from(area.height.saturating_sub(1));
    let chosen = lines.iter().position(|line| context.is_selected(line.group)).unwrap_or(0);
    let first = (chosen + 1).saturating_sub(rows.max(1));
    put(buffer, area, 3, 0, "lane", theme.faint());
    let (mut end, mut used) = (3 + name, 3 + name);
    for (column, size) in columns.iter().zip(&sizes) {
        end += size;
        used = end;
        put_right(buffer, area, end, 0, &column.head, theme.faint());
    }
    for (index, line) in lines.iter().enumerate().skip(first).take(rows) {
        let here = row(area, (index - first) as u16 + 1);
        let ground = if context.is_selected(line.group) { theme.chosen() } else { Style::new() };
        clear(buffer, here, ground);
        context.hit(here, Target::Lane(line.group.id()));
        let style = ground.patch(context.lane_style(line.group));
        put(buffer, here, 1, 0, theme.marker(line.group.colour), style);
        put(buffer, here, 3, 0, &format::fit(&line.name, name.into()), style);
        let mut end = 3 + name;
        for (column, size) in columns.iter().zip(&sizes) {
            end += size;
            let cell = column.cells.get(index).map_or("", String::as_str);
            put_right(buffer, here, end, 0, cell, ground.patch(theme.text()));
        }
        if let Some(EndReason::Diverged(_) | EndReason::Plugin(_) | EndReason::Failed(_)) = line.ended {
            put(buffer, here, 0, 0, theme.glyph("✕", "!"), ground.patch(theme.bad()));
            let word = line.ended.map_or("", end_word);
            if end + width(word) + 2 <= here.width {
                used = used.max(end + width(word) + 2);
                put(buffer, here, end + 2, 0, word, ground.patch(theme.bad()));
            }
        }
    }
    (used, first)
}
