//! Colours by role: what every colour of the screen stands for, and what `theme.ron` can change.
//!
//! Lane colours can be told apart with any common colour blindness (after Okabe and Ito, *Color Universal Design*, 2008). The
//! maps are cividis for magnitudes and purple–orange for signed values ([`super::colour`]).
#![forbid(unsafe_code)]

use super::colour::{CIVIDIS, Rgb, SIGNED_DARK, SIGNED_LIGHT, nearest_16};
use ratatui::style::Color;

/// A colour, with its stand-in among the sixteen named ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// The colour itself.
    pub colour: Rgb,
    /// What terminals of sixteen colours show.
    pub named: Color,
}

impl Role {
    /// `colour`, with the nearest of the sixteen.
    pub fn of(colour: Rgb) -> Self {
        Self { colour, named: nearest_16(colour) }
    }
}

const fn role(r: u8, g: u8, b: u8, named: Color) -> Role {
    Role { colour: Rgb(r, g, b), named }
}

/// Lanes that have a colour of their own; with more the colours come again, with other markers.
pub const LANES: usize = 9;
/// Colours that make the map of magnitudes.
pub const MAGNITUDES: usize = 10;

/// Every role, for one ground.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// What faint colours are blended towards.
    pub ground: Rgb,
    /// Ordinary text.
    pub text: Role,
    /// Text of second rank: units, labels.
    pub dim: Role,
    /// Text of third rank: ticks.
    pub faint: Role,
    /// Borders of panes.
    pub border: Role,
    /// Grid lines.
    pub grid: Role,
    /// Ground of the header, the key line and boxes.
    pub bar: Role,
    /// Ground of the chosen row of a list.
    pub chosen: Role,
    /// Headings, keys, the focused pane.
    pub accent: Role,
    /// All is well.
    pub good: Role,
    /// Look here.
    pub warn: Role,
    /// Something failed.
    pub bad: Role,
    /// The reference lane first, then the others in order.
    pub lanes: [Role; LANES],
    /// The map of signed values at −1, about −0.5, 0, about 0.5, 1.
    pub signed: [Rgb; 5],
    /// The map of magnitudes, from the least to the greatest in even steps.
    pub magnitude: [Rgb; MAGNITUDES],
}

/// On a dark ground.
pub const DARK: Roles = Roles {
    ground: Rgb(18, 18, 20),
    text: role(214, 216, 222, Color::Reset),
    dim: role(134, 138, 150, Color::Gray),
    faint: role(84, 88, 100, Color::DarkGray),
    border: role(58, 62, 74, Color::DarkGray),
    grid: role(46, 49, 58, Color::DarkGray),
    bar: role(30, 33, 42, Color::Reset),
    chosen: role(44, 50, 66, Color::Reset),
    accent: role(122, 190, 255, Color::LightCyan),
    good: role(96, 208, 150, Color::Green),
    warn: role(240, 196, 84, Color::Yellow),
    bad: role(250, 124, 108, Color::LightRed),
    lanes: [
        role(226, 228, 234, Color::White),
        role(86, 180, 233, Color::LightCyan),
        role(236, 164, 30, Color::Yellow),
        role(44, 190, 142, Color::Green),
        role(216, 134, 186, Color::LightMagenta),
        role(240, 228, 96, Color::LightYellow),
        role(226, 104, 44, Color::LightRed),
        role(106, 144, 250, Color::LightBlue),
        role(160, 166, 178, Color::Gray),
    ],
    signed: SIGNED_DARK,
    magnitude: CIVIDIS,
};

/// On a light ground.
pub const LIGHT: Roles = Roles {
    ground: Rgb(252, 252, 252),
    text: role(36, 38, 44, Color::Reset),
    dim: role(104, 108, 118, Color::Gray),
    faint: role(160, 164, 172, Color::DarkGray),
    border: role(198, 202, 210, Color::DarkGray),
    grid: role(222, 224, 230, Color::DarkGray),
    bar: role(232, 235, 241, Color::Reset),
    chosen: role(214, 222, 238, Color::Reset),
    accent: role(0, 96, 176, Color::LightCyan),
    good: role(0, 122, 82, Color::Green),
    warn: role(150, 104, 0, Color::Yellow),
    bad: role(190, 44, 28, Color::LightRed),
    lanes: [
        role(40, 42, 48, Color::White),
        role(0, 114, 178, Color::LightCyan),
        role(196, 112, 0, Color::Yellow),
        role(0, 136, 98, Color::Green),
        role(166, 72, 132, Color::LightMagenta),
        role(134, 118, 0, Color::LightYellow),
        role(196, 74, 0, Color::LightRed),
        role(48, 84, 200, Color::LightBlue),
        role(110, 114, 124, Color::Gray),
    ],
    signed: SIGNED_LIGHT,
    magnitude: CIVIDIS,
};

/// The roles of a dark and of a light ground.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colours {
    /// On a dark ground.
    pub dark: Roles,
    /// On a light ground.
    pub light: Roles,
}

impl Default for Colours {
    fn default() -> Self {
        Self { dark: DARK, light: LIGHT }
    }
}
