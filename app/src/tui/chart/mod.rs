//! Charts for terminal cells: axes with round ticks, a braille canvas, curves as per-column extremes, heatmaps.
//!
//! Knows series and colours; nothing of lanes, panes or state.
#![forbid(unsafe_code)]

pub mod axis;
pub mod canvas;
pub mod curve;

pub use axis::{Scale, Steps};
pub use canvas::Canvas;
