//! A heatmap of signed values in [−1, 1] as picture and table.

use super::super::theme::Theme;
use super::{Offered, Table};
use crate::picture::{Body, Colour, Columns, Figure, Map};

/// Colours that stand for the map, which is not even, in even steps.
const STOPS: usize = 65;

/// What a heatmap hands over.
pub struct Heat {
    /// Its title.
    pub title: String,
    /// What is special about it.
    pub notes: Vec<String>,
    /// Names of the rows.
    pub rows: Vec<String>,
    /// What the columns are.
    pub columns: Columns,
    /// The cells, row by row.
    pub cells: Vec<Vec<Option<f64>>>,
    /// What the values are.
    pub label: &'static str,
    /// The exact values.
    pub table: Table,
    /// What each row says at the crosshair, or last.
    pub values: Vec<(String, f64)>,
}

/// The heatmap as a pane offers it, in the colours of `theme`.
pub fn heat(theme: &Theme, heat: Heat) -> Offered {
    let stop = |index: usize| {
        let colour = theme.signed(index as f64 / (STOPS - 1) as f64 * 2.0 - 1.0);
        Colour(colour.0, colour.1, colour.2)
    };
    let map = Map { low: -1.0, high: 1.0, stops: (0..STOPS).map(stop).collect() };
    let Heat { title, notes, rows, columns, cells, label, table, values } = heat;
    let body = Body::Heat { rows, columns, cells, map, label: label.to_owned() };
    Offered { figure: Figure { title, notes: notes.join(" · "), identity: Vec::new(), body }, table, values }
}
