//! Where a person changed a lane: a mark at the foot of the charts in the lane's colour; for the selected lane a line, and at the
//! crosshair what changed.
#![forbid(unsafe_code)]

use super::super::chart::Steps;
use super::super::context::Context;
use super::super::ink::put;
use super::super::progress::Ruler;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Draws the marks of all lanes over a chart of `steps` in `canvas`.
pub fn render(context: &Context<'_>, steps: &Steps, canvas: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let selected = context.groups.iter().filter(|group| context.is_selected(group));
    let others = context.groups.iter().filter(|group| !context.is_selected(group));
    // The selected lane's marks are drawn last, in front.
    for group in others.chain(selected) {
        let style = Style::new().fg(theme.lane(group.colour));
        let places = group.lanes.iter().flat_map(|lane| {
            let ruler = Ruler::new(context.state.unit, lane);
            lane.history.marks().iter().map(|mark| ruler.at(mark.step)).collect::<Vec<_>>()
        });
        for place in places {
            let Some(x) = steps.column(place, canvas.width.into()) else { continue };
            if context.is_selected(group) {
                let faint = Style::new().fg(theme.lane_faint(group.colour, 0.5));
                for y in 0..canvas.height.saturating_sub(1) {
                    if blank(buffer, canvas, x as u16, y) {
                        put(buffer, canvas, x as u16, y, theme.glyph("┊", ":"), faint);
                    }
                }
            }
            put(buffer, canvas, x as u16, canvas.height.saturating_sub(1), theme.glyph("◭", "^"), style);
        }
    }
}

/// Whether no curve goes through a cell.
fn blank(buffer: &Buffer, canvas: Rect, x: u16, y: u16) -> bool {
    buffer.cell((canvas.x + x, canvas.y + y)).is_some_and(|cell| matches!(cell.symbol(), " " | "┈"))
}
