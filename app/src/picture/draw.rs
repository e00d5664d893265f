//! A figure as shapes.
//!
//! ```text
//! title
//! notes
//!   │ y ┌──────────────────────────┐ legend
//!   │   │ curves, or cells         │ or colour bar
//!   │   └──────────────────────────┘
//!                 x
//! identity
//! ```

use super::figure::{Body, Columns, Curve, Figure, Level, Map, Marker};
use super::font::{Font, fit};
use super::scene::{Align, Area, Colour, Point, Scene, Shape, Weight};
use super::{Axis, axis};

/// Size of a picture.
const SIZE: (f64, f64) = (960.0, 600.0);
/// Room at its edges.
const EDGE: f64 = 24.0;
/// Height of the letters of ticks, legend and notes.
const SMALL: f64 = 13.0;
/// Height of the letters at the foot.
pub(super) const FOOT: f64 = 11.0;
/// Room for names in the legend, at most.
const LEGEND: f64 = 230.0;
/// How much a band hides of what lies behind it.
const THROUGH: f64 = 0.16;

pub(super) const GROUND: Colour = Colour(255, 255, 255);
pub(super) const INK: Colour = Colour(28, 30, 36);
pub(super) const DIM: Colour = Colour(92, 96, 106);
const RULE: Colour = Colour(150, 154, 162);
const GRID: Colour = Colour(229, 231, 236);
const LEVEL: Colour = Colour(150, 104, 0);

/// Draws `figure`.
pub fn draw(figure: &Figure) -> Scene {
    let (width, height) = SIZE;
    let mut shapes = Vec::new();
    let room = width - 2.0 * EDGE;
    text(
        &mut shapes,
        (EDGE, 38.0),
        &fit(&figure.title, Weight::Medium, 20.0, room),
        20.0,
        Weight::Medium,
        INK,
        Align::Start,
    );
    let notes = fit(&figure.notes, Weight::Regular, SMALL, room);
    text(&mut shapes, (EDGE, 60.0), &notes, SMALL, Weight::Regular, DIM, Align::Start);
    let mut foot = height - 16.0;
    for line in figure.identity.iter().rev() {
        let line = fit(line, Weight::Regular, FOOT, room);
        text(&mut shapes, (EDGE, foot), &line, FOOT, Weight::Regular, DIM, Align::Start);
        foot -= FOOT + 4.0;
    }
    let top = if figure.notes.is_empty() { 56.0 } else { 76.0 };
    let area = Area { x: EDGE, y: top, width: room, height: foot - 8.0 - top };
    match &figure.body {
        Body::Curves { x, y, curves, levels } => chart(&mut shapes, area, (x, y), curves, levels),
        Body::Heat { rows, columns, cells, map, label } => heat(&mut shapes, area, rows, columns, cells, (map, label)),
    }
    Scene { width, height, ground: GROUND, shapes }
}

pub(super) fn text(
    into: &mut Vec<Shape>,
    at: Point,
    text: &str,
    size: f64,
    weight: Weight,
    fill: Colour,
    align: Align,
) {
    if !text.is_empty() {
        into.push(Shape::Text { at, text: text.to_owned(), size, weight, fill, align, upright: false });
    }
}

fn small(into: &mut Vec<Shape>, at: Point, words: &str, fill: Colour, align: Align) {
    text(into, at, words, SMALL, Weight::Regular, fill, align);
}

fn line(points: Vec<Point>, stroke: Colour, width: f64) -> Shape {
    Shape::Line { points, stroke, width, dash: None }
}

fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> f64 {
    let font = Font::new(Weight::Regular, SMALL);
    texts.map(|text| font.width(text)).fold(0.0, f64::max)
}

fn chart(into: &mut Vec<Shape>, area: Area, (x, y): (&Axis, &Axis), curves: &[Curve], levels: &[Level]) {
    let ticks = y.ticks(((area.height - 60.0) / 60.0) as usize);
    let left = widest(ticks.iter().map(|(_, label)| label.as_str())) + 40.0;
    let legend = widest(curves.iter().map(|curve| curve.name.as_str())).min(LEGEND) + 56.0;
    let plot = Area {
        x: area.x + left,
        y: area.y + 8.0,
        width: (area.width - left - legend).max(100.0),
        height: (area.height - 60.0).max(60.0),
    };
    for (value, label) in &ticks {
        let Some(part) = y.place(*value).filter(|part| (-0.001..=1.001).contains(part)) else { continue };
        let at = plot.bottom() - part * plot.height;
        into.push(line(vec![(plot.x, at), (plot.right(), at)], GRID, 1.0));
        small(into, (plot.x - 8.0, at + SMALL * 0.36), label, DIM, Align::End);
    }
    into.push(Shape::Text {
        at: (area.x + 12.0, plot.y + plot.height / 2.0),
        text: y.label.clone(),
        size: SMALL,
        weight: Weight::Regular,
        fill: INK,
        align: Align::Middle,
        upright: true,
    });
    below(into, plot, x, true);
    let place =
        |(px, py): Point| Some((plot.x + x.place(px)? * plot.width, plot.bottom() - y.place(py)? * plot.height));
    let mut inside = Vec::new();
    for curve in curves {
        match curve.dots {
            true => inside.extend(bars(curve, &place)),
            false => inside.extend(band(curve, &place)),
        }
        inside.extend(curve.raw.iter().flat_map(|raw| strokes(raw, curve.faint, 1.0, None, &place)));
    }
    for level in levels {
        let Some((_, at)) = place((x.low, level.value)) else { continue };
        let points = vec![(plot.x, at), (plot.right(), at)];
        inside.push(Shape::Line { points, stroke: LEVEL, width: 1.2, dash: Some([5.0, 4.0]) });
    }
    for curve in curves {
        let (width, dash) = if curve.dashed { (1.4, Some([5.0, 4.0])) } else { (2.0, None) };
        inside.extend(strokes(&curve.points, curve.colour, width, dash, &place));
    }
    for level in levels {
        let Some((_, at)) = place((x.low, level.value)) else { continue };
        // Beside the line, on the side with more room, on a ground of its own so that curves do not cross it.
        let words = if at - plot.y > 24.0 { at - 6.0 } else { at + SMALL + 4.0 };
        let ground = Area {
            x: plot.x + 4.0,
            y: words - SMALL,
            width: widest([level.label.as_str()].into_iter()) + 8.0,
            height: SMALL + 4.0,
        };
        inside.push(Shape::Block { area: ground, fill: GROUND });
        small(&mut inside, (plot.x + 8.0, words), &level.label, LEVEL, Align::Start);
    }
    into.push(Shape::Within { area: plot, shapes: inside });
    frame(into, plot);
    for curve in curves.iter().filter(|curve| curve.dots) {
        let points = curve.points.iter().filter_map(|point| place(*point));
        into.extend(points.map(|at| marker(curve.marker, at, 4.5, curve.colour)));
    }
    for curve in curves.iter().filter(|curve| !curve.dashed && !curve.dots) {
        let last = curve.points.iter().rev().find(|(_, value)| value.is_finite());
        let at = last.and_then(|last| place(*last));
        if let Some(at) = at.filter(|(_, at)| (plot.y - 1.0..=plot.bottom() + 1.0).contains(at)) {
            into.push(marker(curve.marker, at, 4.5, curve.colour));
        }
    }
    let mut at = plot.y + 10.0;
    let from = plot.right() + 18.0;
    // A dashed twin has no name of its own.
    for curve in curves.iter().filter(|curve| !curve.name.is_empty()) {
        let dash = curve.dashed.then_some([5.0, 4.0]);
        let points = vec![(from, at), (from + 22.0, at)];
        into.push(Shape::Line { points, stroke: curve.colour, width: 2.0, dash });
        if !curve.dashed {
            into.push(marker(curve.marker, (from + 11.0, at), 4.5, curve.colour));
        }
        for line in lines(&curve.name, area.right() - from - 30.0) {
            small(into, (from + 30.0, at + SMALL * 0.36), &line, INK, Align::Start);
            at += SMALL + 3.0;
        }
        at += 5.0;
        if at > plot.bottom() {
            break;
        }
    }
}

/// The frame of a plot: its left and lower edge.
fn frame(into: &mut Vec<Shape>, plot: Area) {
    into.push(line(vec![(plot.x, plot.y), (plot.x, plot.bottom()), (plot.right(), plot.bottom())], RULE, 1.0));
}

/// Ticks and label of an axis below `plot`.
fn below(into: &mut Vec<Shape>, plot: Area, x: &Axis, grid: bool) {
    for (value, label) in x.ticks((plot.width / 110.0) as usize) {
        let Some(part) = x.place(value).filter(|part| (-0.001..=1.001).contains(part)) else { continue };
        let at = plot.x + part * plot.width;
        if grid {
            into.push(line(vec![(at, plot.y), (at, plot.bottom())], GRID, 1.0));
        }
        into.push(line(vec![(at, plot.bottom()), (at, plot.bottom() + 5.0)], RULE, 1.0));
        small(into, (at, plot.bottom() + 20.0), &label, DIM, Align::Middle);
    }
    small(into, (plot.x + plot.width / 2.0, plot.bottom() + 42.0), &x.label, INK, Align::Middle);
}

/// The lines of a curve, broken where a value is not finite or cannot be placed.
fn strokes(
    points: &[Point],
    stroke: Colour,
    width: f64,
    dash: Option<[f64; 2]>,
    place: &impl Fn(Point) -> Option<Point>,
) -> Vec<Shape> {
    let mut lines = Vec::new();
    let mut run: Vec<Point> = Vec::new();
    for point in points.iter().map(|point| place(*point)).chain([None]) {
        match point {
            Some(point) => run.push(point),
            None => match std::mem::take(&mut run) {
                run if run.is_empty() => {}
                run if run.len() == 1 => lines.push(Shape::Disc { centre: run[0], radius: width, fill: stroke }),
                points => lines.push(Shape::Line { points, stroke, width, dash }),
            },
        }
    }
    lines
}

/// `text` in at most two lines of that room, broken at a blank, the second cut where it is too long still.
fn lines(text: &str, room: f64) -> Vec<String> {
    let font = Font::new(Weight::Regular, SMALL);
    let breaks = text.char_indices().filter(|(_, letter)| *letter == ' ').map(|(at, _)| at);
    let last = breaks.rev().find(|at| font.width(&text[..*at]) <= room);
    match last {
        Some(at) if font.width(text) > room => {
            vec![text[..at].to_owned(), fit(&text[at + 1..], Weight::Regular, SMALL, room)]
        }
        _ => vec![fit(text, Weight::Regular, SMALL, room)],
    }
}

/// A bar at each point of a curve, from its least to its greatest value.
fn bars(curve: &Curve, place: &impl Fn(Point) -> Option<Point>) -> Vec<Shape> {
    let bar = |(x, low, high): &(f64, f64, f64)| {
        let (from, to) = (place((*x, *low))?, place((*x, *high))?);
        let cap = |(x, y): Point| line(vec![(x - 4.0, y), (x + 4.0, y)], curve.colour, 1.2);
        Some([line(vec![from, to], curve.colour, 1.2), cap(from), cap(to)])
    };
    curve.band.iter().filter_map(bar).flatten().collect()
}

/// What lies between the least and the greatest of a curve's seeds.
fn band(curve: &Curve, place: &impl Fn(Point) -> Option<Point>) -> Option<Shape> {
    let placed = |of: fn(&(f64, f64, f64)) -> Point| curve.band.iter().map(of).filter_map(place).collect::<Vec<_>>();
    let upper = placed(|(x, _, high)| (*x, *high));
    let lower = placed(|(x, low, _)| (*x, *low));
    let points: Vec<Point> = upper.into_iter().chain(lower.into_iter().rev()).collect();
    (points.len() > 3).then_some(Shape::Polygon { points, fill: curve.colour, opacity: THROUGH })
}

pub(super) fn marker(marker: Marker, (x, y): Point, size: f64, fill: Colour) -> Shape {
    let corners = |offsets: &[Point]| offsets.iter().map(|(dx, dy)| (x + dx * size, y + dy * size)).collect();
    let polygon = |offsets: &[Point]| Shape::Polygon { points: corners(offsets), fill, opacity: 1.0 };
    match marker {
        Marker::Disc => Shape::Disc { centre: (x, y), radius: size, fill },
        Marker::Square => polygon(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
        Marker::Up => polygon(&[(0.0, -1.15), (1.1, 0.85), (-1.1, 0.85)]),
        Marker::Diamond => polygon(&[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)]),
        Marker::Down => polygon(&[(0.0, 1.15), (1.1, -0.85), (-1.1, -0.85)]),
    }
}

fn heat(
    into: &mut Vec<Shape>,
    area: Area,
    rows: &[String],
    columns: &Columns,
    cells: &[Vec<Option<f64>>],
    (map, label): (&Map, &str),
) {
    let left = widest(rows.iter().map(String::as_str)).min(220.0) + 16.0;
    let plot = Area {
        x: area.x + left,
        y: area.y + 24.0,
        width: (area.width - left - 110.0).max(100.0),
        height: (area.height - 76.0).max(60.0),
    };
    let height = plot.height / rows.len().max(1) as f64;
    for (index, (name, values)) in rows.iter().zip(cells).enumerate() {
        let top = plot.y + height * index as f64;
        // Where rows are narrower than letters not all can be named.
        let every = ((SMALL + 2.0) / height).ceil().max(1.0) as usize;
        if index.is_multiple_of(every) {
            let words = match height > 2.5 * SMALL {
                true => lines(name, left - 12.0),
                false => vec![fit(name, Weight::Regular, SMALL, left - 12.0)],
            };
            let first = top + height / 2.0 + SMALL * 0.36 - (words.len() - 1) as f64 * (SMALL + 3.0) / 2.0;
            for (place, words) in words.iter().enumerate() {
                small(into, (plot.x - 8.0, first + place as f64 * (SMALL + 3.0)), words, INK, Align::End);
            }
        }
        let width = plot.width / values.len().max(1) as f64;
        let mut from = 0;
        while from < values.len() {
            // Neighbours of one value are one block, which keeps files small.
            let alike = values[from..].iter().take_while(|value| **value == values[from]).count();
            let written = matches!(columns, Columns::Named(_));
            let many = if written { 1 } else { alike.max(1) };
            if let Some(value) = values[from].filter(|value| value.is_finite()) {
                let gap = if written { 1.0 } else { 0.0 };
                let cell = Area {
                    x: plot.x + width * from as f64,
                    y: top,
                    width: width * many as f64 - gap,
                    height: (height - 1.0).max(0.5),
                };
                let fill = map.colour(value);
                into.push(Shape::Block { area: cell, fill });
                if written && height > SMALL {
                    let at = (cell.x + cell.width / 2.0, cell.y + cell.height / 2.0 + SMALL * 0.36);
                    small(into, at, &axis::short((value * 1000.0).round() / 1000.0), fill.ink(), Align::Middle);
                }
            }
            from += many;
        }
    }
    match columns {
        Columns::Along(x) => {
            frame(into, plot);
            below(into, plot, x, false);
        }
        Columns::Named(names) => {
            let width = plot.width / names.len().max(1) as f64;
            for (index, name) in names.iter().enumerate() {
                let name = fit(name, Weight::Regular, SMALL, width - 4.0);
                small(into, (plot.x + width * (index as f64 + 0.5), plot.y - 8.0), &name, INK, Align::Middle);
            }
        }
    }
    bar(into, Area { x: plot.right() + 24.0, y: plot.y, width: 16.0, height: plot.height }, map, label);
}

/// The colour bar of a heatmap.
fn bar(into: &mut Vec<Shape>, area: Area, map: &Map, label: &str) {
    const PARTS: usize = 120;
    let part = area.height / PARTS as f64;
    for index in 0..PARTS {
        let value = map.low + (map.high - map.low) * (index as f64 + 0.5) / PARTS as f64;
        let y = area.bottom() - part * (index + 1) as f64;
        // A little overlap hides the seams.
        into.push(Shape::Block { area: Area { y, height: part + 0.5, ..area }, fill: map.colour(value) });
    }
    let scale = Axis::new("", map.low, map.high, false);
    for (value, tick) in scale.ticks(4) {
        let Some(part) = scale.place(value).filter(|part| (-0.001..=1.001).contains(part)) else { continue };
        let at = area.bottom() - part * area.height;
        into.push(line(vec![(area.right(), at), (area.right() + 4.0, at)], RULE, 1.0));
        small(into, (area.right() + 8.0, at + SMALL * 0.36), &tick, DIM, Align::Start);
    }
    small(into, (area.x, area.y - 10.0), label, INK, Align::Start);
}
