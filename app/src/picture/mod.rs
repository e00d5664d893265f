//! Pictures for papers and talks, drawn from data: curves, heatmaps and cells of text as SVG and PNG.
//!
//! ```text
//! Figure, Cells ─ draw ─→ Scene ─┬─ svg ─→ text
//!                                └─ png ─→ bytes
//! ```
//!
//! Both formats are made from the same scene, so that they agree. Knows numbers, names and colours; nothing of lanes, records or
//! screens.
#![forbid(unsafe_code)]

mod axis;
mod cells;
mod draw;
mod figure;
mod font;
mod png;
mod scene;
mod svg;

pub use axis::Axis;
pub use cells::{Cell, Cells};
pub use draw::draw;
pub use figure::{Body, Columns, Curve, Figure, Level, Map, Marker};
pub use scene::{Align, Colour, Scene, Shape, Weight};

#[cfg(test)]
mod tests;

impl Figure {
    /// The figure as an SVG document.
    pub fn svg(&self) -> String {
        svg::document(&draw(self))
    }

    /// The figure as a PNG file, `scale` pixels for each unit of its size.
    ///
    /// # Errors
    /// When the size is none or beyond memory, in words.
    pub fn png(&self, scale: f32) -> Result<Vec<u8>, String> {
        png::file(&draw(self), scale)
    }
}
