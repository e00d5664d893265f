//! What the screen itself costs, in the corner: it takes no keys and hides little.
#![forbid(unsafe_code)]

use super::super::context::Context;
use super::super::format;
use super::super::ink::{clear, put, put_right, width};
use super::super::perf::Figures;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::time::Duration;

/// Draws the figures at the right below the header.
pub fn render(context: &Context<'_>, figures: &Figures, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let times = |times: [Duration; 3]| times.map(milliseconds);
    let key = figures.key.map_or_else(|| ["–"; 3].map(str::to_owned), times);
    let rows: [(&str, [String; 3]); 4] = [
        ("draw ms", times(figures.draw)),
        ("key to frame ms", key),
        ("bytes a frame", figures.bytes.map(|bytes| format::grouped(bytes as u64))),
        ("frames · not drawn", [format::grouped(figures.drawn), String::new(), format::grouped(figures.missed)]),
    ];
    let (columns, lines) = (50, rows.len() as u16 + 1);
    if area.width < columns + 2 || area.height < lines + 2 {
        return;
    }
    let panel = Rect { x: area.right() - columns - 1, y: area.y + 1, width: columns, height: lines };
    let ground = theme.bar();
    clear(buffer, panel, ground);
    put(buffer, panel, 1, 0, "The screen's own cost", ground.patch(theme.accent()));
    for (column, head) in ["last", "half", "99 %"].into_iter().enumerate() {
        put_right(buffer, panel, columns - 1 - 9 * (2 - column as u16), 0, head, ground.patch(theme.dim()));
    }
    for (line, (name, values)) in rows.iter().enumerate() {
        let y = line as u16 + 1;
        put(buffer, panel, 1, y, name, ground.patch(theme.dim()));
        for (column, value) in values.iter().enumerate().filter(|(_, value)| width(value) > 0) {
            put_right(buffer, panel, columns - 1 - 9 * (2 - column as u16), y, value, ground.patch(theme.text()));
        }
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}
