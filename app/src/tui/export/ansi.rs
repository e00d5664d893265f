//! Cells as text: with the colours of the screen as SGR sequences, or without.

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::fmt::Write;

/// The text of `buffer`, rows without the blanks at their ends.
pub fn plain(buffer: &Buffer) -> String {
    let mut text = String::new();
    for row in rows(buffer) {
        let line: String = row.iter().map(Cell::symbol).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The text within a pane's frame.
pub fn inside(buffer: &Buffer) -> String {
    let mut text = String::new();
    let inner = rows(buffer).skip(1).take(usize::from(buffer.area.height).saturating_sub(2));
    for row in inner {
        let line: String = row.get(1..row.len().saturating_sub(1)).unwrap_or(&[]).iter().map(Cell::symbol).collect();
        text.push_str(line.trim());
        text.push('\n');
    }
    text.trim_matches('\n').to_owned()
}

fn rows(buffer: &Buffer) -> impl Iterator<Item = &[Cell]> {
    buffer.content().chunks(usize::from(buffer.area.width).max(1))
}

/// The text of `buffer` with its colours; every row ends as it began, without any.
pub fn coloured(buffer: &Buffer) -> String {
    let mut text = String::new();
    for row in rows(buffer) {
        let mut now = None;
        let end =
            row.iter().rposition(|cell| cell.symbol() != " " || cell.bg != Color::Reset).map_or(0, |last| last + 1);
        for cell in &row[..end] {
            let style = (cell.fg, cell.bg, cell.modifier);
            if now != Some(style) {
                let _ = write!(text, "\u{1b}[0{}{}{}m", attributes(cell.modifier), sgr(cell.fg, 30), sgr(cell.bg, 40));
                now = Some(style);
            }
            text.push_str(cell.symbol());
        }
        text.push_str(if end > 0 { "\u{1b}[0m\n" } else { "\n" });
    }
    text
}

fn attributes(modifier: Modifier) -> String {
    let codes = [
        (Modifier::BOLD, ";1"),
        (Modifier::DIM, ";2"),
        (Modifier::ITALIC, ";3"),
        (Modifier::UNDERLINED, ";4"),
        (Modifier::REVERSED, ";7"),
    ];
    codes.iter().filter(|(flag, _)| modifier.contains(*flag)).map(|(_, code)| *code).collect()
}

/// The code of a colour after `base`: 30 for letters, 40 for the ground.
fn sgr(colour: Color, base: u8) -> String {
    let named = |index: u8| if index < 8 { format!(";{}", base + index) } else { format!(";{}", base + 52 + index) };
    match colour {
        Color::Reset => String::new(),
        Color::Rgb(r, g, b) => format!(";{};2;{r};{g};{b}", base + 8),
        Color::Indexed(index) => format!(";{};5;{index}", base + 8),
        Color::Black => named(0),
        Color::Red => named(1),
        Color::Green => named(2),
        Color::Yellow => named(3),
        Color::Blue => named(4),
        Color::Magenta => named(5),
        Color::Cyan => named(6),
        Color::Gray => named(7),
        Color::DarkGray => named(8),
        Color::LightRed => named(9),
        Color::LightGreen => named(10),
        Color::LightYellow => named(11),
        Color::LightBlue => named(12),
        Color::LightMagenta => named(13),
        Color::LightCyan => named(14),
        Color::White => named(15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    #[test]
    fn colours_are_read_back_by_a_terminal() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 2));
        buffer.set_string(0, 0, "red", Style::new().fg(Color::Rgb(200, 10, 20)).add_modifier(Modifier::BOLD));
        buffer.set_string(4, 0, "bright", Style::new().fg(Color::LightCyan).bg(Color::Indexed(17)));
        buffer.set_string(1, 1, "plain", Style::new());
        let mut terminal = vt100::Parser::default();
        terminal.process(coloured(&buffer).replace('\n', "\r\n").as_bytes());
        let cell = |row, column| terminal.screen().cell(row, column).unwrap().clone();
        assert_eq!((cell(0, 0).contents(), cell(0, 0).fgcolor()), ("r", vt100::Color::Rgb(200, 10, 20)));
        assert!(cell(0, 0).bold() && !cell(0, 4).bold());
        assert_eq!((cell(0, 4).fgcolor(), cell(0, 4).bgcolor()), (vt100::Color::Idx(14), vt100::Color::Idx(17)));
        assert_eq!((cell(1, 1).contents(), cell(1, 1).fgcolor()), ("p", vt100::Color::Default));
        assert_eq!(plain(&buffer), "red bright\n plain\n");
    }
}
