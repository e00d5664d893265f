//! Colour arithmetic and colour maps: cividis for magnitudes, purple–orange for signed values.
//!
//! Cividis: Nuñez, Anderton, Renslow, *Optimizing colormaps with consideration for color vision deficiency*, 2018. The
//! diverging map keeps the ends of ColorBrewer's PuOr and passes through the ground, so that zero is quiet.
#![forbid(unsafe_code)]

use ratatui::style::Color;

/// Red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

/// `part` of the way from `from` to `to`.
pub fn blend(from: Rgb, to: Rgb, part: f64) -> Rgb {
    let part = part.clamp(0.0, 1.0);
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round() as u8;
    Rgb(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

/// Cividis in even steps.
pub const CIVIDIS: [Rgb; 10] = [
    Rgb(0, 34, 78),
    Rgb(20, 54, 110),
    Rgb(62, 75, 107),
    Rgb(91, 97, 111),
    Rgb(116, 117, 118),
    Rgb(142, 137, 121),
    Rgb(170, 159, 115),
    Rgb(199, 181, 105),
    Rgb(228, 206, 83),
    Rgb(254, 232, 56),
];

/// Purple–orange at −1, about −0.5, 0, about 0.5 and 1, on a dark ground.
pub const SIGNED_DARK: [Rgb; 5] =
    [Rgb(206, 186, 255), Rgb(122, 92, 190), Rgb(34, 35, 42), Rgb(190, 104, 16), Rgb(255, 214, 138)];

/// The same on a light ground.
pub const SIGNED_LIGHT: [Rgb; 5] =
    [Rgb(66, 24, 120), Rgb(158, 140, 200), Rgb(240, 240, 243), Rgb(238, 160, 72), Rgb(140, 64, 0)];

/// The colour at `value` in [0, 1] of a map given in even steps.
pub fn even(stops: &[Rgb], value: f64) -> Rgb {
    let place = value.clamp(0.0, 1.0) * stops.len().saturating_sub(1) as f64;
    let index = (place as usize).min(stops.len().saturating_sub(2));
    match (stops.get(index), stops.get(index + 1)) {
        (Some(from), Some(to)) => blend(*from, *to, place - index as f64),
        (from, _) => from.copied().unwrap_or(Rgb(0, 0, 0)),
    }
}

/// Cividis at `value` in [0, 1].
pub fn cividis(value: f64) -> Rgb {
    even(&CIVIDIS, value)
}

/// The colour at `value` in [−1, 1] of a map given at −1, about −0.5, 0, about 0.5 and 1. Intensity goes with |value|^0.6, so
/// that cosines of a few hundredths, which are what a guess often has, still show.
pub fn signed(stops: &[Rgb; 5], value: f64) -> Rgb {
    let [purple_end, purple, zero, orange, orange_end] = *stops;
    let (middle, end) = if value < 0.0 { (purple, purple_end) } else { (orange, orange_end) };
    let strength = value.abs().min(1.0).powf(0.6);
    if strength < 0.65 { blend(zero, middle, strength / 0.65) } else { blend(middle, end, (strength - 0.65) / 0.35) }
}

/// The built-in map of signed values.
pub fn diverging(value: f64, dark: bool) -> Rgb {
    signed(if dark { &SIGNED_DARK } else { &SIGNED_LIGHT }, value)
}

/// The nearest of the sixteen named colours, as most terminals show them.
pub fn nearest_16(colour: Rgb) -> Color {
    const NAMED: [(Color, Rgb); 16] = [
        (Color::Black, Rgb(0, 0, 0)),
        (Color::Red, Rgb(205, 0, 0)),
        (Color::Green, Rgb(0, 205, 0)),
        (Color::Yellow, Rgb(205, 205, 0)),
        (Color::Blue, Rgb(0, 0, 238)),
        (Color::Magenta, Rgb(205, 0, 205)),
        (Color::Cyan, Rgb(0, 205, 205)),
        (Color::Gray, Rgb(229, 229, 229)),
        (Color::DarkGray, Rgb(127, 127, 127)),
        (Color::LightRed, Rgb(255, 92, 92)),
        (Color::LightGreen, Rgb(92, 255, 92)),
        (Color::LightYellow, Rgb(255, 255, 92)),
        (Color::LightBlue, Rgb(92, 92, 255)),
        (Color::LightMagenta, Rgb(255, 92, 255)),
        (Color::LightCyan, Rgb(92, 255, 255)),
        (Color::White, Rgb(255, 255, 255)),
    ];
    let square = |a: u8, b: u8| (i32::from(a) - i32::from(b)).pow(2);
    let distance = |other: Rgb| square(colour.0, other.0) + square(colour.1, other.1) + square(colour.2, other.2);
    NAMED.iter().min_by_key(|(_, other)| distance(*other)).map_or(Color::Reset, |(named, _)| *named)
}

/// The nearest of the 240 fixed colours of the 256 palette.
pub fn nearest_256(colour: Rgb) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let distance = |other: Rgb| {
        let square = |a: u8, b: u8| (i32::from(a) - i32::from(b)).pow(2);
        square(colour.0, other.0) + square(colour.1, other.1) + square(colour.2, other.2)
    };
    let near = |value: u8| (0..6).min_by_key(|&i| (i32::from(STEPS[i]) - i32::from(value)).abs()).unwrap_or(0);
    let (r, g, b) = (near(colour.0), near(colour.1), near(colour.2));
    let cube = Rgb(STEPS[r], STEPS[g], STEPS[b]);
    let mean = (u32::from(colour.0) + u32::from(colour.1) + u32::from(colour.2)) / 3;
    let level = (mean.saturating_sub(3) / 10).min(23) as u8;
    let grey = Rgb(8 + level * 10, 8 + level * 10, 8 + level * 10);
    if distance(grey) < distance(cube) { 232 + level } else { (16 + 36 * r + 6 * g + b) as u8 }
}

/// Black or white, whichever reads on `ground`.
pub fn readable_on(ground: Rgb) -> Rgb {
    let light = 0.299 * f64::from(ground.0) + 0.587 * f64::from(ground.1) + 0.114 * f64::from(ground.2);
    if light > 140.0 { Rgb(16, 16, 18) } else { Rgb(240, 240, 244) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn light(colour: Rgb) -> f64 {
        0.299 * f64::from(colour.0) + 0.587 * f64::from(colour.1) + 0.114 * f64::from(colour.2)
    }

    #[test]
    fn maps_rise_in_lightness() {
        for i in 0..100 {
            let (a, b) = (f64::from(i) / 100.0, f64::from(i + 1) / 100.0);
            assert!(light(cividis(b)) > light(cividis(a)) - 0.6, "cividis at {a}");
            for sign in [-1.0, 1.0] {
                assert!(light(diverging(sign * b, true)) >= light(diverging(sign * a, true)) - 0.6);
                assert!(light(diverging(sign * b, false)) <= light(diverging(sign * a, false)) + 0.6);
            }
        }
    }

    #[test]
    fn signs_are_told_apart_and_ends_are_fixed() {
        assert_eq!(diverging(0.0, true), Rgb(34, 35, 42));
        assert_eq!(diverging(7.0, true), diverging(1.0, true));
        let (minus, plus) = (diverging(-0.3, true), diverging(0.3, true));
        assert!(minus.2 > minus.0 && plus.0 > plus.2);
    }

    #[test]
    fn the_palette_of_256_is_hit_exactly() {
        assert_eq!(nearest_256(Rgb(255, 0, 0)), 196);
        assert_eq!(nearest_256(Rgb(8, 8, 8)), 232);
        assert_eq!(nearest_256(Rgb(95, 135, 175)), 67);
    }
}
