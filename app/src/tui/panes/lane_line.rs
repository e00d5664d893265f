//! The lanes in a line or two, for terminals with no room for a list: marker, name, loss.
#![forbid(unsafe_code)]

use super::super::context::{Context, Target};
use super::super::format;
use super::super::ink::{clear, put, put_right};
use super::super::lanes::initials;
use crate::record::{EndReason, Key, Quantity};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Columns that a long name and a number take.
const CELL: u16 = 26;

/// Lines worth giving to `lanes` lanes in `body`: enough for names where there is room.
pub fn rows(lanes: usize, body: Rect) -> u16 {
    let lanes = lanes.clamp(1, 1000) as u16;
    let wanted = lanes.div_ceil((body.width / CELL).max(1));
    if body.height >= 20 { wanted.clamp(1, 3) } else { 1 }
}

/// Draws the lines; not framed.
pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let count = context.groups.len() as u16;
    if count == 0 || area.height == 0 {
        return;
    }
    let area = Rect { x: area.x + area.width.min(1), width: area.width.saturating_sub(1), ..area };
    let (each, rows) = (count.div_ceil(area.height), area.height);
    let cell = area.width / each.max(1);
    if cell < 12 {
        return overflow(context, area, buffer);
    }
    for (index, group) in context.groups.iter().enumerate() {
        let (column, line) = (index as u16 % each, index as u16 / each);
        if line >= rows {
            break;
        }
        let here = Rect { x: area.x + column * cell, y: area.y + line, width: cell, height: 1 };
        context.hit(here, Target::Lane(group.id()));
        let ground = if context.is_selected(group) { theme.chosen() } else { Style::new() };
        clear(buffer, Rect { x: here.x - 1, width: cell, ..here }, ground);
        let style = ground.patch(context.lane_style(group));
        put(buffer, here, 0, 0, theme.marker(group.colour), style);
        let (value, value_style) = match group.ended() {
            Some(EndReason::Diverged(_) | EndReason::Plugin(_) | EndReason::Failed(_)) => {
                (theme.glyph("✕", "!").to_owned(), theme.bad())
            }
            _ => {
                let loss = context.smooth(group, Key::whole(Quantity::Loss), context.state.beta());
                (loss.map_or("–".to_owned(), |(loss, _)| format::value(loss)), theme.text())
            }
        };
        let room = usize::from(cell).saturating_sub(value.chars().count() + 5);
        let name = if group.name.chars().count() <= room {
            group.name.clone()
        } else if room >= 9 {
            format::fit(&group.name, room)
        } else {
            initials(&group.name).chars().take(room.max(2)).collect()
        };
        put(buffer, here, 2, 0, &name, style);
        put_right(buffer, here, cell - 2, 0, &value, ground.patch(value_style));
    }
}

/// Many lanes: the selected one and how many there are.
fn overflow(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let Some(group) = context.selected() else { return };
    let text =
        format!(" {} {} · one of {} lanes", context.theme.marker(group.colour), group.name, context.groups.len());
    put(buffer, area, 0, 0, &text, context.lane_style(group));
}
