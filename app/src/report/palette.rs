//! Colours of lanes and of values, on white.

use crate::picture::{Colour, Map};

/// Colours that people with any colour vision tell apart, dark enough for lines on white; the first is the reference's.
const LANES: [Colour; 10] = [
    Colour(58, 62, 70),
    Colour(0, 107, 178),
    Colour(213, 94, 0),
    Colour(0, 140, 106),
    Colour(190, 76, 148),
    Colour(160, 116, 0),
    Colour(48, 160, 214),
    Colour(128, 60, 170),
    Colour(176, 32, 48),
    Colour(104, 128, 32),
];

const WHITE: Colour = Colour(255, 255, 255);

/// The colour of curve `index`, the reference's for `None`.
pub(super) fn lane(index: Option<usize>) -> Colour {
    index.map_or(LANES[0], |index| LANES[1 + index % (LANES.len() - 1)])
}

/// A colour for what lies behind a curve.
pub(super) fn faint(colour: Colour) -> Colour {
    colour.blend(WHITE, 0.82)
}

/// Colours of values in ±`reach`: purple below zero, orange above.
pub(super) fn signed(reach: f64) -> Map {
    let stops = vec![
        Colour(64, 18, 102),
        Colour(128, 84, 168),
        Colour(197, 172, 219),
        Colour(246, 245, 247),
        Colour(250, 201, 142),
        Colour(222, 128, 34),
        Colour(134, 66, 0),
    ];
    Map { low: -reach, high: reach, stops }
}
