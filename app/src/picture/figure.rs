//! What a picture shows, as data.

use super::{Axis, Colour};

/// A picture: axes, curves or a heatmap, and the words around them.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What is shown.
    pub title: String,
    /// What is special about it, under the title.
    pub notes: String,
    /// What it was made from, at the foot: workspace, data, model, version, seeds.
    pub identity: Vec<String>,
    /// What it shows.
    pub body: Body,
}

/// What a picture shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Curves over a common axis.
    Curves {
        /// The horizontal axis.
        x: Axis,
        /// The vertical axis.
        y: Axis,
        /// The curves, the last in front.
        curves: Vec<Curve>,
        /// Constant values with a name.
        levels: Vec<Level>,
    },
    /// Values as colours, a row of cells for each name.
    Heat {
        /// Names of the rows, from the top.
        rows: Vec<String>,
        /// What the columns are.
        columns: Columns,
        /// The cells, row by row; nothing where there is no value.
        cells: Vec<Vec<Option<f64>>>,
        /// Colours of values.
        map: Map,
        /// What the values are, said at the colour bar.
        label: String,
    },
}

/// What the columns of a heatmap are.
#[derive(Clone, Debug, PartialEq)]
pub enum Columns {
    /// Even parts of an axis.
    Along(Axis),
    /// Names; the values are written into the cells.
    Named(Vec<String>),
}

/// A curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// Its colour.
    pub colour: Colour,
    /// Colour of what lies behind it.
    pub faint: Colour,
    /// Drawn dashed.
    pub dashed: bool,
    /// Shape at its end and in the legend.
    pub marker: Marker,
    /// Its points from left to right; a value that is not finite breaks the line.
    pub points: Vec<(f64, f64)>,
    /// Raw values behind it, each drawn as a line.
    pub raw: Vec<Vec<(f64, f64)>>,
    /// The least and the greatest of its seeds, behind it; of a curve with dots, its error bars.
    pub band: Vec<(f64, f64, f64)>,
    /// Its marker stands at every point.
    pub dots: bool,
}

/// A constant value with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// The value.
    pub value: f64,
    /// Its name.
    pub label: String,
}

/// A shape that tells curves apart without colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Marker {
    /// A disc.
    #[default]
    Disc,
    /// A square.
    Square,
    /// A triangle that stands.
    Up,
    /// A square on its corner.
    Diamond,
    /// A triangle on its corner.
    Down,
}

impl Marker {
    /// The shape of curve `index`: they come again after five.
    pub fn of(index: usize) -> Self {
        [Self::Disc, Self::Square, Self::Up, Self::Diamond, Self::Down][index % 5]
    }
}

/// Colours of values: even steps from the least to the greatest.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// The least value.
    pub low: f64,
    /// The greatest.
    pub high: f64,
    /// Colours in even steps, at least two.
    pub stops: Vec<Colour>,
}

impl Map {
    /// The colour of `value`; values beyond the ends have the ends' colours.
    pub fn colour(&self, value: f64) -> Colour {
        let part = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        let place = part * self.stops.len().saturating_sub(1) as f64;
        let index = (place as usize).min(self.stops.len().saturating_sub(2));
        match (self.stops.get(index), self.stops.get(index + 1)) {
            (Some(from), Some(to)) => from.blend(*to, place - index as f64),
            (from, _) => from.copied().unwrap_or(Colour(0, 0, 0)),
        }
    }
}
