//! A table of cells as shapes: letters, blocks and lines of a text screen, on paper.
//!
//! Words stand where their cells stand, numbers end where theirs end; what draws lines and areas (blocks, braille dots, frames) is drawn
//! as such, so that it meets at the cells' edges.

use super::draw::{FOOT, GROUND, INK, marker, text};
use super::figure::Marker;
use super::font::{Font, fit};
use super::scene::{Align, Area, Colour, Scene, Shape, Weight};

/// Width and height of a cell, and the size of its letters.
const CELL: (f64, f64) = (7.7, 17.0);
const LETTER: f64 = 13.0;
/// Room at the edges, and above the cells.
const EDGE: f64 = 24.0;
const HEAD: f64 = 76.0;
const LEAST: f64 = 480.0;

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What stands in it.
    pub symbol: String,
    /// Colour of that; the ink of the paper when `None`.
    pub ink: Option<Colour>,
    /// Colour behind it; the paper when `None`.
    pub ground: Option<Colour>,
    /// Heavy letters.
    pub bold: bool,
}

/// A picture of cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells {
    /// What is shown.
    pub title: String,
    /// What is special about it, under the title.
    pub notes: String,
    /// What it was made from, at the foot.
    pub identity: Vec<String>,
    /// The cells, row by row.
    pub rows: Vec<Vec<Cell>>,
}

impl Cells {
    /// The picture as an SVG document.
    pub fn svg(&self) -> String {
        super::svg::document(&self.draw())
    }

    /// The picture as a PNG file, `scale` pixels for each unit of its size.
    ///
    /// # Errors
    /// When the size is beyond memory, in words.
    pub fn png(&self, scale: f32) -> Result<Vec<u8>, String> {
        super::png::file(&self.draw(), scale)
    }

    /// The picture as shapes.
    pub fn draw(&self) -> Scene {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let foot = self.identity.len() as f64 * (FOOT + 4.0) + 24.0;
        let widest = |lines: &[&String], size, weight| {
            let font = Font::new(weight, size);
            lines.iter().map(|line| font.width(line)).fold(0.0, f64::max)
        };
        let words = widest(&[&self.title], 20.0, Weight::Medium).max(widest(&[&self.notes], LETTER, Weight::Regular));
        let words = words.max(widest(&self.identity.iter().collect::<Vec<_>>(), FOOT, Weight::Regular));
        let width = (columns as f64 * CELL.0).max(words.min(900.0)).max(LEAST - 2.0 * EDGE) + 2.0 * EDGE;
        let height = HEAD + self.rows.len() as f64 * CELL.1 + foot;
        let mut shapes = Vec::new();
        let mut line = |at, words: &str, size, weight, fill| {
            let words = fit(words, weight, size, width - 2.0 * EDGE);
            text(&mut shapes, at, &words, size, weight, fill, Align::Start);
        };
        line((EDGE, 38.0), &self.title, 20.0, Weight::Medium, INK);
        line((EDGE, 60.0), &self.notes, LETTER, Weight::Regular, super::draw::DIM);
        for (index, words) in self.identity.iter().rev().enumerate() {
            let at = (EDGE, height - 16.0 - index as f64 * (FOOT + 4.0));
            line(at, words, FOOT, Weight::Regular, super::draw::DIM);
        }
        for (index, row) in self.rows.iter().enumerate() {
            row_of(row, HEAD + index as f64 * CELL.1, &mut shapes);
        }
        Scene { width, height, ground: GROUND, shapes }
    }
}

/// One row of cells, its upper edge at `top`.
fn row_of(row: &[Cell], top: f64, into: &mut Vec<Shape>) {
    let place = |column: usize| EDGE + column as f64 * CELL.0;
    let area =
        |column: usize, many: usize| Area { x: place(column), y: top, width: CELL.0 * many as f64, height: CELL.1 };
    let mut column = 0;
    while column < row.len() {
        let ground = row[column].ground;
        let many = row[column..].iter().take_while(|cell| cell.ground == ground).count();
        if let Some(fill) = ground {
            into.push(Shape::Block { area: area(column, many), fill });
        }
        column += many;
    }
    let mut column = 0;
    while column < row.len() {
        let cell = &row[column];
        let symbol = cell.symbol.chars().next().unwrap_or(' ');
        if symbol == ' ' {
            column += 1;
        } else if let Some(shapes) = drawn(symbol, area(column, 1), cell) {
            into.extend(shapes);
            column += 1;
        } else {
            let many = run(&row[column..]);
            word(&row[column..column + many], area(column, many), into);
            column += many;
        }
    }
}

/// Cells from the first that make one text: of one look, with single blanks between words.
fn run(row: &[Cell]) -> usize {
    let first = &row[0];
    let is_text = |cell: &Cell| {
        let symbol = cell.symbol.chars().next().unwrap_or(' ');
        symbol != ' ' && (cell.ink, cell.bold) == (first.ink, first.bold) && !is_drawn(symbol)
    };
    let mut end = 1;
    while end < row.len() {
        let single = row[end].symbol == " " && row.get(end + 1).is_some_and(is_text);
        if !is_text(&row[end]) && !single {
            break;
        }
        end += 1;
    }
    end
}

/// A text in its cells: smaller where its letters are wider than they.
fn word(cells: &[Cell], area: Area, into: &mut Vec<Shape>) {
    let words: String = cells.iter().map(|cell| cell.symbol.as_str()).collect();
    let weight = if cells[0].bold { Weight::Medium } else { Weight::Regular };
    let width = Font::new(weight, LETTER).width(&words);
    let size = if width > area.width { LETTER * area.width / width } else { LETTER };
    let number = words.starts_with(|letter: char| letter.is_ascii_digit() || "−-+±.".contains(letter));
    let (x, align) = if number { (area.right(), Align::End) } else { (area.x, Align::Start) };
    text(into, (x, area.y + CELL.1 * 0.74), &words, size, weight, cells[0].ink.unwrap_or(INK), align);
}

fn is_drawn(symbol: char) -> bool {
    let cell = Cell { symbol: String::new(), ink: None, ground: None, bold: false };
    drawn(symbol, Area { x: 0.0, y: 0.0, width: 1.0, height: 1.0 }, &cell).is_some()
}

/// The shapes of a symbol that is no letter.
fn drawn(symbol: char, area: Area, cell: &Cell) -> Option<Vec<Shape>> {
    let (fill, paper) = (cell.ink.unwrap_or(INK), cell.ground.unwrap_or(GROUND));
    let (middle, centre) = (area.y + area.height / 2.0, area.x + area.width / 2.0);
    let block = |part: Area, fill| Some(vec![Shape::Block { area: part, fill }]);
    let line = |points| Some(vec![Shape::Line { points, stroke: fill, width: 1.0, dash: None }]);
    let sign = |sign| Some(vec![marker(sign, (centre, middle), area.width * 0.48, fill)]);
    let left = |part: f64| Area { width: area.width * part, ..area };
    let below = |part: f64| Area { y: area.bottom() - area.height * part, height: area.height * part, ..area };
    match symbol {
        '█' => block(area, fill),
        '▀' => block(Area { height: area.height / 2.0, ..area }, fill),
        '▐' => block(Area { x: centre, width: area.width / 2.0, ..area }, fill),
        '▁'..='▇' => block(below(f64::from(symbol as u32 - 0x2580) / 8.0), fill),
        '▉'..='▏' => block(left(f64::from(0x2590 - symbol as u32) / 8.0), fill),
        '░' => block(area, paper.blend(fill, 0.25)),
        '▒' => block(area, paper.blend(fill, 0.5)),
        '▓' => block(area, paper.blend(fill, 0.75)),
        '─' => line(vec![(area.x, middle), (area.right(), middle)]),
        '┈' | '┄' | '╌' => line(vec![(area.x + area.width * 0.3, middle), (area.x + area.width * 0.7, middle)]),
        '│' => line(vec![(centre, area.y), (centre, area.bottom())]),
        '┆' | '┊' | '╎' => {
            line(vec![(centre, area.y + area.height * 0.25), (centre, area.y + area.height * 0.75)])
        }
        '●' => sign(Marker::Disc),
        '■' => sign(Marker::Square),
        '▲' | '▴' => sign(Marker::Up),
        '◆' => sign(Marker::Diamond),
        '▼' => sign(Marker::Down),
        '○' => Some(vec![
            marker(Marker::Disc, (centre, middle), area.width * 0.48, fill),
            marker(Marker::Disc, (centre, middle), area.width * 0.3, paper),
        ]),
        '✕' => {
            let (x, y) = (area.width * 0.36, area.width * 0.36);
            let stroke = |points| Shape::Line { points, stroke: fill, width: 1.6, dash: None };
            Some(vec![
                stroke(vec![(centre - x, middle - y), (centre + x, middle + y)]),
                stroke(vec![(centre - x, middle + y), (centre + x, middle - y)]),
            ])
        }
        '\u{2800}'..='\u{28ff}' => Some(braille(symbol, &area, fill)),
        _ => None,
    }
}

/// The dots of a braille pattern, two wide and four high.
fn braille(symbol: char, area: &Area, fill: Colour) -> Vec<Shape> {
    const DOTS: [(u32, f64, f64); 8] = [
        (0x01, 0.0, 0.0),
        (0x02, 0.0, 1.0),
        (0x04, 0.0, 2.0),
        (0x08, 1.0, 0.0),
        (0x10, 1.0, 1.0),
        (0x20, 1.0, 2.0),
        (0x40, 0.0, 3.0),
        (0x80, 1.0, 3.0),
    ];
    let bits = symbol as u32 - 0x2800;
    let dot = |&(_, x, y): &(u32, f64, f64)| Shape::Disc {
        centre: (area.x + area.width * (0.25 + 0.5 * x), area.y + area.height * (0.125 + 0.25 * y)),
        radius: area.width * 0.18,
        fill,
    };
    DOTS.iter().filter(|(bit, ..)| bits & bit != 0).map(dot).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> Vec<Cell> {
        text.chars().map(|symbol| Cell { symbol: symbol.to_string(), ink: None, ground: None, bold: false }).collect()
    }

    fn texts(scene: &Scene) -> Vec<(&str, f64, Align)> {
        scene
            .shapes
            .iter()
            .filter_map(|shape| match shape {
                Shape::Text { at, text, align, .. } => Some((text.as_str(), at.0, *align)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn words_begin_and_numbers_end_where_their_cells_do() {
        let cells = Cells {
            title: "Lanes".to_owned(),
            notes: String::new(),
            identity: Vec::new(),
            rows: vec![row("● weight transpose  0.125")],
        };
        let scene = cells.draw();
        let found = texts(&scene);
        assert_eq!(found[1], ("weight transpose", EDGE + 2.0 * CELL.0, Align::Start));
        assert_eq!(found[2], ("0.125", EDGE + 25.0 * CELL.0, Align::End));
        assert!(scene.shapes.iter().any(|shape| matches!(shape, Shape::Disc { .. })), "the marker is drawn");
    }

    #[test]
    fn blocks_and_dots_fill_their_parts_of_a_cell() {
        let area = Area { x: 0.0, y: 0.0, width: 8.0, height: 16.0 };
        let cell = &row("x")[0];
        let size = |symbol| match drawn(symbol, area, cell).unwrap().as_slice() {
            [Shape::Block { area, .. }] => (area.width, area.height),
            other => panic!("{other:?}"),
        };
        assert_eq!((size('█'), size('▀'), size('▄'), size('▁')), ((8.0, 16.0), (8.0, 8.0), (8.0, 8.0), (8.0, 2.0)));
        assert_eq!((size('▌'), size('▏'), size('▉')), ((4.0, 16.0), (1.0, 16.0), (7.0, 16.0)));
        assert_eq!(drawn('⣿', area, cell).unwrap().len(), 8);
        assert_eq!(drawn('⠁', area, cell).unwrap().len(), 1);
        assert!(drawn('a', area, cell).is_none());
    }

    #[test]
    fn what_is_wider_than_its_cells_is_made_smaller() {
        let cells =
            Cells { title: String::new(), notes: String::new(), identity: Vec::new(), rows: vec![row("WWWWWW")] };
        let scene = cells.draw();
        let [Shape::Text { size, .. }] = scene.shapes.as_slice() else { panic!("{:?}", scene.shapes) };
        assert!(*size < LETTER && Font::new(Weight::Regular, *size).width("WWWWWW") <= 6.0 * CELL.0 + 1e-6);
    }
}
