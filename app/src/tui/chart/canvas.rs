//! A canvas of braille dots: 2 × 4 dots a cell, one colour a cell, the higher rank in front.
#![forbid(unsafe_code)]

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

/// Dots of a braille cell by column and row, as bits of U+2800.
const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

#[derive(Clone, Copy)]
struct Cell {
    dots: u8,
    rank: u8,
    colour: Color,
}

/// A rectangle of cells to draw dots on.
pub struct Canvas {
    width: usize,
    height: usize,
    cells: Vec<Cell>,
}

impl Canvas {
    /// An empty canvas of so many cells.
    pub fn new(width: u16, height: u16) -> Self {
        let empty = Cell { dots: 0, rank: 0, colour: Color::Reset };
        Self {
            width: width.into(),
            height: height.into(),
            cells: vec![empty; usize::from(width) * usize::from(height)],
        }
    }

    /// Dots across.
    pub fn columns(&self) -> usize {
        self.width * 2
    }

    /// Dots down.
    pub fn rows(&self) -> usize {
        self.height * 4
    }

    /// Sets the dot at column `x`, row `y` from the top; outside it does nothing. What has a higher rank clears what has a lower
    /// one from its cell, so that a line stays crisp before a band.
    pub fn dot(&mut self, x: usize, y: i32, rank: u8, colour: Color) {
        let Some(y) = usize::try_from(y).ok().filter(|y| x < self.columns() && *y < self.rows()) else { return };
        let cell = &mut self.cells[y / 4 * self.width + x / 2];
        if cell.dots != 0 && cell.rank > rank {
            return;
        }
        if cell.rank < rank {
            cell.dots = 0;
        }
        cell.rank = rank;
        cell.colour = colour;
        cell.dots |= BITS[x % 2][y % 4];
    }

    /// Dots of column `x` from row `top` to row `bottom`, both included, in either order, as far as they lie on the canvas.
    pub fn column(&mut self, x: usize, top: i32, bottom: i32, rank: u8, colour: Color) {
        let last = i32::try_from(self.rows()).unwrap_or(i32::MAX) - 1;
        for y in top.min(bottom).max(0)..=top.max(bottom).min(last) {
            self.dot(x, y, rank, colour);
        }
    }

    /// A straight line between two dots; with `dash`, so many dots on and as many off.
    pub fn line(&mut self, from: (usize, i32), to: (usize, i32), dash: Option<usize>, rank: u8, colour: Color) {
        let (dx, dy) = (to.0 as f64 - from.0 as f64, f64::from(to.1) - f64::from(from.1));
        let count = dx.abs().max(dy.abs()) as usize;
        for index in 0..=count {
            let part = if count == 0 { 0.0 } else { index as f64 / count as f64 };
            let (x, y) = ((from.0 as f64 + dx * part).round() as usize, (f64::from(from.1) + dy * part).round() as i32);
            if dash.is_none_or(|dash| (x / dash).is_multiple_of(2)) {
                self.dot(x, y, rank, colour);
            }
        }
    }

    /// Puts the cells that have dots on `buffer` at `area`.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer, ascii: bool) {
        let width = self.width.min(area.width.into());
        for (row, cells) in self.cells.chunks(self.width.max(1)).take(area.height.into()).enumerate() {
            for (column, cell) in cells.iter().take(width).enumerate() {
                if cell.dots == 0 {
                    continue;
                }
                if let Some(target) = buffer.cell_mut((area.x + column as u16, area.y + row as u16)) {
                    let glyph = if ascii {
                        ascii_glyph(cell.dots)
                    } else {
                        char::from_u32(0x2800 + u32::from(cell.dots)).unwrap_or(' ')
                    };
                    target.set_char(glyph).set_fg(cell.colour);
                }
            }
        }
    }
}

/// The ASCII character nearest to a pattern of dots.
fn ascii_glyph(dots: u8) -> char {
    let rows = [0x09, 0x12, 0x24, 0xC0].map(|mask| dots & mask != 0);
    match rows {
        [_, false, false, false] => '\'',
        [false, _, _, false] => '-',
        [false, false, false, true] => '.',
        [false, _, _, true] => ',',
        [true, _, _, false] => '"',
        [true, _, _, true] => '|',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(canvas: &Canvas, width: u16, height: u16, ascii: bool) -> String {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        canvas.draw(area, &mut buffer, ascii);
        buffer.content().iter().map(|cell| cell.symbol()).collect()
    }

    #[test]
    fn dots_make_braille() {
        let mut canvas = Canvas::new(2, 1);
        canvas.line((0, 3), (3, 0), None, 1, Color::Red);
        assert_eq!(text(&canvas, 2, 1, false), "⡠⠊");
        assert_eq!(text(&canvas, 2, 1, true), ",\"");
    }

    #[test]
    fn rank_decides_who_is_in_front() {
        let mut canvas = Canvas::new(1, 1);
        canvas.column(0, 0, 3, 1, Color::Gray);
        canvas.dot(1, 1, 2, Color::Red);
        canvas.column(0, 0, 3, 1, Color::Gray);
        assert_eq!(text(&canvas, 1, 1, false), "⠐");
    }

    #[test]
    fn outside_is_nowhere() {
        let mut canvas = Canvas::new(1, 1);
        canvas.dot(2, 0, 1, Color::Red);
        canvas.dot(0, 400, 1, Color::Red);
        canvas.column(9, 0, 90, 1, Color::Red);
        assert_eq!(text(&canvas, 1, 1, false), " ");
        Canvas::new(0, 0).column(0, 0, 4, 1, Color::Red);
    }
}
