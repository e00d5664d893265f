//! Writing into a rectangle without ever leaving it.
#![forbid(unsafe_code)]

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Cells that `text` takes.
pub fn width(text: &str) -> u16 {
    ratatui::text::Span::raw(text).width().min(u16::MAX.into()) as u16
}

/// Writes `text` at column `x`, row `y` of `area` (counted from its corner), cut at its edge. Returns the column after it.
pub fn put(buffer: &mut Buffer, area: Rect, x: u16, y: u16, text: &str, style: Style) -> u16 {
    let area = area.intersection(buffer.area);
    if x >= area.width || y >= area.height {
        return x;
    }
    let (end, _) = buffer.set_stringn(area.x + x, area.y + y, text, usize::from(area.width - x), style);
    end - area.x
}

/// Writes `text` so that it ends before column `end`.
pub fn put_right(buffer: &mut Buffer, area: Rect, end: u16, y: u16, text: &str, style: Style) {
    let length = width(text);
    let end = end.min(area.width);
    if length <= end {
        put(buffer, area, end - length, y, text, style);
    }
}

/// Blanks `area`.
pub fn clear(buffer: &mut Buffer, area: Rect, style: Style) {
    let area = area.intersection(buffer.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buffer.cell_mut((x, y)) {
                cell.reset();
                cell.set_style(style);
            }
        }
    }
}

/// Row `y` of `area`.
pub fn row(area: Rect, y: u16) -> Rect {
    Rect { y: area.y.saturating_add(y), height: u16::from(y < area.height), ..area }
}

/// Replaces what is not ASCII by what comes nearest: names, formulas and messages come from outside.
pub fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        let Some(first) = cell.symbol().chars().next().filter(|first| !first.is_ascii()) else { continue };
        let nearest = match first {
            '·' | '…' | '⋅' => '.',
            '−' | '–' | '—' | '─' | '┄' | '┈' | '╌' => '-',
            '×' => 'x',
            '±' | '≈' => '~',
            '√' => 'V',
            'π' => 'p',
            'ε' => 'e',
            'η' => 'n',
            'δ' | '∂' => 'd',
            'Σ' => 'S',
            'ĝ' => 'g',
            'ᵀ' => 'T',
            '²' => '2',
            '‖' | '│' => '|',
            '⊙' => 'o',
            '←' => '<',
            '→' => '>',
            '↑' => '^',
            '↓' => 'v',
            '∞' => 'i',
            '₀'..='₉' => char::from(b'0' + (first as u32 - '₀' as u32) as u8),
            _ => '?',
        };
        cell.set_char(nearest);
    }
}
