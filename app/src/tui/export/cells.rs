//! A pane of text as a picture: the cells within its frame, with what the frame says above them.
#![forbid(unsafe_code)]

use crate::picture::{Cell, Cells, Colour};
use ratatui::buffer::{self, Buffer};
use ratatui::style::{Color, Modifier};

/// The picture of a pane drawn into `buffer`; `name` is its title where its frame has none.
pub fn of(buffer: &Buffer, name: &str, identity: Vec<String>) -> Cells {
    let width = usize::from(buffer.area.width).max(1);
    let rows: Vec<&[buffer::Cell]> = buffer.content().chunks(width).collect();
    let frame: String = rows.first().map_or(String::new(), |row| row.iter().map(buffer::Cell::symbol).collect());
    let mut words = frame.split(['─', '╭', '╮']).map(str::trim).filter(|words| !words.is_empty());
    let title = words.next().unwrap_or(name).to_owned();
    let notes = words.collect::<Vec<_>>().join(" · ");
    let inside = rows.iter().skip(1).take(rows.len().saturating_sub(2));
    let inside = inside.map(|row| &row[1.min(row.len())..row.len().saturating_sub(1).max(1)]);
    let mut cells: Vec<Vec<Cell>> = inside.map(|row| row.iter().map(cell).collect()).collect();
    for row in &mut cells {
        let end = row.iter().rposition(|cell| !blank(cell)).map_or(0, |last| last + 1);
        row.truncate(end);
    }
    let first = cells.iter().position(|row| !row.is_empty()).unwrap_or(0);
    let end = cells.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1);
    let mut cells: Vec<Vec<Cell>> = cells.drain(first.min(end)..end).collect();
    let lead = |row: &Vec<Cell>| row.iter().position(|cell| !blank(cell));
    let lead = cells.iter().filter_map(lead).min().unwrap_or(0);
    cells.iter_mut().for_each(|row| drop(row.drain(..lead.min(row.len()))));
    Cells { title, notes, identity, rows: cells }
}

fn blank(cell: &Cell) -> bool {
    cell.symbol == " " && cell.ground.is_none()
}

fn cell(cell: &buffer::Cell) -> Cell {
    let reversed = cell.modifier.contains(Modifier::REVERSED);
    let (ink, ground) = if reversed { (cell.bg, cell.fg) } else { (cell.fg, cell.bg) };
    Cell {
        symbol: cell.symbol().to_owned(),
        ink: colour(ink),
        ground: colour(ground),
        bold: cell.modifier.contains(Modifier::BOLD),
    }
}

/// A colour as the paper has it: panes are drawn for pictures with all colours there are.
fn colour(colour: Color) -> Option<Colour> {
    match colour {
        Color::Rgb(r, g, b) => Some(Colour(r, g, b)),
        _ => None,
    }
}
