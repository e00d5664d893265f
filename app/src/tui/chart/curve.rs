//! Series as curves: one extent a dot column, so that no spike is thinned away, joined by straight lines where there are
//! fewer values than columns.
#![forbid(unsafe_code)]

use super::{Canvas, Scale};
use crate::session::history::{Column, Series};
use ratatui::style::Color;

/// How a curve is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Pen {
    /// Colour.
    pub colour: Color,
    /// Rank on the canvas: higher is in front.
    pub rank: u8,
    /// Dots on and off, for dashed curves.
    pub dash: Option<usize>,
}

/// The extent of `series` between each two of `begins`, steps that do not fall; columns without a value are [`Column::EMPTY`].
/// Wide columns of values long past end up to 127 values early, and the next ones begin there: see [`Series::edge`].
pub fn columns(series: &Series, begins: &[u64]) -> Vec<Column> {
    let Some((first, ends)) = begins.split_first() else { return Vec::new() };
    let mut from = series.before(*first);
    ends.iter()
        .enumerate()
        .map(|(column, end)| {
            let exact = series.before(*end);
            let before = if column + 1 < ends.len() { series.edge(from, exact) } else { exact };
            let extent = series.column(from..before);
            from = from.max(before);
            extent
        })
        .collect()
}

/// The dot row of `value`, kept inside the canvas: what lies beyond the scale shows at its edge.
pub fn row(scale: &Scale, value: f64, rows: usize) -> usize {
    let place = scale.place(value).clamp(0.0, 1.0);
    ((1.0 - place) * rows.saturating_sub(1) as f64).round() as usize
}

/// The dot row of `value`, above or below the canvas where the scale ends before it. No further than two heights away, so that a
/// line to any number has an end.
fn row_beyond(scale: &Scale, value: f64, rows: usize) -> i32 {
    let place = scale.place(value).clamp(-2.0, 3.0);
    ((1.0 - place) * rows.saturating_sub(1) as f64).round() as i32
}

/// Draws the extents as a curve: a vertical stroke a column, lines between them.
pub fn draw(canvas: &mut Canvas, extents: &[Column], scale: &Scale, pen: Pen) {
    let rows = canvas.rows();
    if rows == 0 {
        return;
    }
    let mut previous: Option<(usize, f64)> = None;
    for (x, extent) in extents.iter().enumerate() {
        if extent.count == 0 {
            continue;
        }
        if !extent.is_finite() {
            previous = None;
            continue;
        }
        let first = if extent.first.is_finite() { extent.first } else { extent.min };
        let last = if extent.last.is_finite() { extent.last } else { extent.max };
        if let Some((before, value)) = previous {
            let (from, to) = ((before, row_beyond(scale, value, rows)), (x, row_beyond(scale, first, rows)));
            canvas.line(from, to, pen.dash, pen.rank, pen.colour);
        }
        if pen.dash.is_none_or(|dash| (x / dash).is_multiple_of(2)) || extent.max > extent.min {
            canvas.column(
                x,
                row_beyond(scale, extent.max, rows),
                row_beyond(scale, extent.min, rows),
                pen.rank,
                pen.colour,
            );
        }
        previous = Some((x, last));
    }
}

/// Fills between two curves given a column at a time: the band of several seeds.
pub fn band(canvas: &mut Canvas, extents: &[Option<(f64, f64)>], scale: &Scale, pen: Pen) {
    let rows = canvas.rows();
    for (x, extent) in extents.iter().enumerate() {
        if let Some((low, high)) = extent {
            canvas.column(x, row_beyond(scale, *high, rows), row_beyond(scale, *low, rows), pen.rank, pen.colour);
        }
    }
}

/// A range that shows what matters: all of it, unless a few values lie so far out that the rest would be crushed; then from the
/// 1 % to the 99 % quantile. What lies outside still shows at the edge. `None` of nothing.
pub fn robust_range(values: &mut Vec<f64>) -> Option<(f64, f64)> {
    values.retain(|value| value.is_finite());
    values.sort_unstable_by(f64::total_cmp);
    let (first, last) = (*values.first()?, *values.last()?);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    let (low, high) = (at(0.01), at(0.99));
    if last - first <= 2.0 * (high - low) { Some((first, last)) } else { Some((low, high)) }
}

#[cfg(test)]
mod tests {
    use super::super::Steps;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_spike_of_one_step_shows_among_a_million() {
        let series = Series::new();
        for step in 0..1_000_000u64 {
            series.push(step, if step == 654_321 { 100.0 } else { 1.0 });
        }
        let steps = Steps { first: 0, last: 999_999, log: false };
        let extents = columns(&series, &steps.begins(160));
        let spikes: Vec<usize> = (0..160).filter(|&x| extents[x].max == 100.0).collect();
        assert_eq!(spikes, [steps.column(654_321, 160).unwrap()]);
        assert_eq!(extents.iter().map(|extent| extent.count).sum::<usize>(), 1_000_000);
    }

    #[test]
    fn few_values_are_joined() {
        let series = Series::new();
        series.push(0, 0.0);
        series.push(9, 1.0);
        let extents = columns(&series, &Steps { first: 0, last: 9, log: false }.begins(20));
        assert_eq!(extents.iter().filter(|extent| extent.count > 0).count(), 2);
        let mut canvas = Canvas::new(10, 2);
        draw(&mut canvas, &extents, &Scale::linear(0.0, 1.0), Pen { colour: Color::Red, rank: 1, dash: None });
        let area = ratatui::layout::Rect::new(0, 0, 10, 2);
        let mut buffer = ratatui::buffer::Buffer::empty(area);
        canvas.draw(area, &mut buffer, false);
        let drawn = buffer.content().iter().filter(|cell| cell.symbol() != " ").count();
        assert!(drawn >= 10, "{drawn} cells");
    }

    proptest! {
        /// Whatever the window and the width: each column holds exactly the values of its steps, and the columns all of the window's.
        #[test]
        fn the_reduction_loses_nothing(
            values in prop::collection::vec(prop_oneof![30 => -1e3..1e3f64, 1 => Just(f64::NAN), 1 => Just(1e9)], 1..3000),
            stride in 1u64..7, first in 0u64..6000, span in 1u64..9000, width in 1usize..400, log in any::<bool>(),
        ) {
            let series = Series::new();
            for (index, value) in values.iter().enumerate() {
                series.push(index as u64 * stride, *value);
            }
            let steps = Steps { first, last: first + span, log };
            let extents = columns(&series, &steps.begins(width));
            prop_assert_eq!(extents.len(), width);
            let mut expected = vec![Column::EMPTY; width];
            for (index, value) in values.iter().enumerate() {
                let step = index as u64 * stride;
                if (first..=first + span).contains(&step) {
                    let column = (0..width).rfind(|&column| steps.begin(column, width) <= step).unwrap();
                    expected[column] = expected[column].then(Column::of(*value));
                }
            }
            for (found, expected) in extents.iter().zip(&expected) {
                prop_assert_eq!((found.count, found.non_finite), (expected.count, expected.non_finite));
                prop_assert!(found.min == expected.min && found.max == expected.max);
            }
        }
    }

    #[test]
    fn one_wild_value_does_not_crush_the_rest() {
        let mut values: Vec<f64> = (0..1000).map(|i| f64::from(i) / 1000.0).collect();
        assert_eq!(robust_range(&mut values.clone()), Some((0.0, 0.999)));
        values.push(1e9);
        values.push(f64::NAN);
        let (low, high) = robust_range(&mut values).unwrap();
        assert!(low >= 0.0 && high < 1.1);
        assert_eq!(robust_range(&mut vec![f64::NAN]), None);
    }
}
