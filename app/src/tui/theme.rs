//! Colours and glyphs by role, for every kind of terminal: truecolor, 256, 16 and none; dark and light; Unicode and ASCII.
//!
//! Lane colours can be told apart with any common colour blindness (after Okabe and Ito, *Color Universal Design*, 2008),
//! and each lane has a marker of its own shape as well, so that nothing is said by colour alone.
#![forbid(unsafe_code)]

use super::colour::{Rgb, blend, nearest_256};
use ratatui::style::{Color, Modifier, Style};

/// How many colours the terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// None: attributes and glyphs only.
    Mono,
    /// The sixteen named colours.
    Ansi16,
    /// The palette of 256.
    Ansi256,
    /// 24 bits.
    True,
}

impl Tier {
    /// What the environment says: `NO_COLOR`, `COLORTERM`, `TERM`, given as a look-up so that tests need no environment.
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Self {
        let term = variable("TERM").unwrap_or_default();
        let colorterm = variable("COLORTERM").unwrap_or_default();
        if variable("NO_COLOR").is_some_and(|value| !value.is_empty()) || term == "dumb" {
            Self::Mono
        } else if colorterm.contains("truecolor") || colorterm.contains("24bit") || term.ends_with("-direct") {
            Self::True
        } else if term.contains("256") || term.contains("kitty") || term.contains("alacritty") {
            Self::Ansi256
        } else {
            Self::Ansi16
        }
    }
}

/// Colours for one terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// How many colours.
    pub tier: Tier,
    /// Light text on a dark ground.
    pub dark: bool,
    /// Only ASCII glyphs.
    pub ascii: bool,
}

impl Default for Theme {
    fn default() -> Self {
        Self { tier: Tier::True, dark: true, ascii: false }
    }
}

/// A colour with its stand-in among the sixteen named ones.
struct Role {
    dark: Rgb,
    light: Rgb,
    named: Color,
}

const fn role(dark: Rgb, light: Rgb, named: Color) -> Role {
    Role { dark, light, named }
}

const TEXT: Role = role(Rgb(214, 216, 222), Rgb(36, 38, 44), Color::Reset);
const DIM: Role = role(Rgb(134, 138, 150), Rgb(104, 108, 118), Color::Gray);
const FAINT: Role = role(Rgb(84, 88, 100), Rgb(160, 164, 172), Color::DarkGray);
const BORDER: Role = role(Rgb(58, 62, 74), Rgb(198, 202, 210), Color::DarkGray);
const GRID: Role = role(Rgb(46, 49, 58), Rgb(222, 224, 230), Color::DarkGray);
const BAR: Role = role(Rgb(30, 33, 42), Rgb(232, 235, 241), Color::Reset);
const CHOSEN: Role = role(Rgb(44, 50, 66), Rgb(214, 222, 238), Color::Reset);
const ACCENT: Role = role(Rgb(122, 190, 255), Rgb(0, 96, 176), Color::LightCyan);
const GOOD: Role = role(Rgb(96, 208, 150), Rgb(0, 122, 82), Color::Green);
const WARN: Role = role(Rgb(240, 196, 84), Rgb(150, 104, 0), Color::Yellow);
const BAD: Role = role(Rgb(250, 124, 108), Rgb(190, 44, 28), Color::LightRed);

/// The reference first, then the strategies in the order they appear.
const LANES: [Role; 9] = [
    role(Rgb(226, 228, 234), Rgb(40, 42, 48), Color::White),
    role(Rgb(86, 180, 233), Rgb(0, 114, 178), Color::LightCyan),
    role(Rgb(236, 164, 30), Rgb(196, 112, 0), Color::Yellow),
    role(Rgb(44, 190, 142), Rgb(0, 136, 98), Color::Green),
    role(Rgb(216, 134, 186), Rgb(166, 72, 132), Color::LightMagenta),
    role(Rgb(240, 228, 96), Rgb(134, 118, 0), Color::LightYellow),
    role(Rgb(226, 104, 44), Rgb(196, 74, 0), Color::LightRed),
    role(Rgb(106, 144, 250), Rgb(48, 84, 200), Color::LightBlue),
    role(Rgb(160, 166, 178), Rgb(110, 114, 124), Color::Gray),
];

const MARKERS: [&str; 9] = ["●", "■", "▲", "◆", "▼", "○", "□", "△", "◇"];
const MARKERS_ASCII: [&str; 9] = ["o", "#", "^", "*", "v", "@", "%", "&", "+"];

impl Theme {
    /// `colour` as this terminal can show it; `None` of the sixteen-colour tier stands for `named`.
    fn fit(&self, colour: Rgb, named: Color) -> Color {
        match self.tier {
            Tier::True => Color::Rgb(colour.0, colour.1, colour.2),
            Tier::Ansi256 => Color::Indexed(nearest_256(colour)),
            Tier::Ansi16 => named,
            Tier::Mono => Color::Reset,
        }
    }

    fn role(&self, role: &Role) -> Color {
        self.fit(if self.dark { role.dark } else { role.light }, role.named)
    }

    /// The ground that colours are blended towards.
    pub fn ground(&self) -> Rgb {
        if self.dark { Rgb(18, 18, 20) } else { Rgb(252, 252, 252) }
    }

    /// A colour of a map, in the tiers that can show it.
    pub fn map(&self, colour: Rgb) -> Color {
        self.fit(colour, Color::Reset)
    }

    /// Whether colour maps can be shown, so that heatmaps need no glyph shades.
    pub fn has_maps(&self) -> bool {
        self.tier >= Tier::Ansi256 && !self.ascii
    }

    /// Ordinary text.
    pub fn text(&self) -> Style {
        Style::new().fg(self.role(&TEXT))
    }

    /// Text of second rank: units, labels.
    pub fn dim(&self) -> Style {
        Style::new().fg(self.role(&DIM))
    }

    /// Text of third rank, ticks.
    pub fn faint(&self) -> Style {
        let style = Style::new().fg(self.role(&FAINT));
        if self.tier == Tier::Mono { style.add_modifier(Modifier::DIM) } else { style }
    }

    /// Pane borders.
    pub fn border(&self) -> Style {
        let style = Style::new().fg(self.role(&BORDER));
        if self.tier == Tier::Mono { style.add_modifier(Modifier::DIM) } else { style }
    }

    /// Grid lines.
    pub fn grid(&self) -> Color {
        self.role(&GRID)
    }

    /// Headings and the focused pane.
    pub fn accent(&self) -> Style {
        Style::new().fg(self.role(&ACCENT)).add_modifier(Modifier::BOLD)
    }

    /// Titles of panes.
    pub fn title(&self) -> Style {
        self.text().add_modifier(Modifier::BOLD)
    }

    /// All is well.
    pub fn good(&self) -> Style {
        Style::new().fg(self.role(&GOOD))
    }

    /// Look here.
    pub fn warn(&self) -> Style {
        Style::new().fg(self.role(&WARN))
    }

    /// Something failed.
    pub fn bad(&self) -> Style {
        Style::new().fg(self.role(&BAD)).add_modifier(Modifier::BOLD)
    }

    /// The header's and the key line's ground.
    pub fn bar(&self) -> Style {
        if self.tier <= Tier::Ansi16 { Style::new() } else { Style::new().bg(self.role(&BAR)) }
    }

    /// The chosen row of a list.
    pub fn chosen(&self) -> Style {
        match self.tier {
            Tier::Mono | Tier::Ansi16 => Style::new().add_modifier(Modifier::REVERSED),
            _ => Style::new().bg(self.role(&CHOSEN)),
        }
    }

    /// A key's cap in the key line.
    pub fn key(&self) -> Style {
        Style::new().fg(self.role(&ACCENT))
    }

    fn lane_role(index: usize) -> &'static Role {
        let strategies = LANES.len() - 1;
        &LANES[if index == 0 { 0 } else { 1 + (index - 1) % strategies }]
    }

    /// Colour of lane group `index`; 0 is the reference.
    pub fn lane(&self, index: usize) -> Color {
        self.role(Self::lane_role(index))
    }

    /// The lane's colour, `strength` of the way from the ground (0 to 1).
    pub fn lane_faint(&self, index: usize, strength: f64) -> Color {
        let role = Self::lane_role(index);
        let colour = if self.dark { role.dark } else { role.light };
        match self.tier {
            Tier::Ansi16 => Color::DarkGray,
            _ => self.map(blend(self.ground(), colour, strength)),
        }
    }

    /// The lane's marker.
    pub fn marker(&self, index: usize) -> &'static str {
        let set = if self.ascii { &MARKERS_ASCII } else { &MARKERS };
        set[index % set.len()]
    }

    /// `unicode`, or `ascii` where only that shows.
    pub fn glyph(&self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.ascii { ascii } else { unicode }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(pairs: &[(&str, &str)]) -> Tier {
        Tier::detect(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_environment_chooses_the_tier() {
        assert_eq!(detect(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]), Tier::True);
        assert_eq!(detect(&[("TERM", "xterm-256color")]), Tier::Ansi256);
        assert_eq!(detect(&[("TERM", "xterm")]), Tier::Ansi16);
        assert_eq!(detect(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("NO_COLOR", "1")]), Tier::Mono);
        assert_eq!(detect(&[("TERM", "xterm"), ("NO_COLOR", "")]), Tier::Ansi16);
        assert_eq!(detect(&[("TERM", "dumb")]), Tier::Mono);
    }

    #[test]
    fn without_colour_no_role_has_any() {
        let theme = Theme { tier: Tier::Mono, ..Theme::default() };
        for style in
            [theme.text(), theme.dim(), theme.border(), theme.accent(), theme.good(), theme.warn(), theme.bad()]
        {
            assert_eq!(style.fg, Some(Color::Reset));
        }
        assert_eq!(theme.lane(3), Color::Reset);
        assert_eq!(theme.bar().bg, None);
    }

    #[test]
    fn neighbouring_lanes_differ_in_marker_and_colour() {
        let theme = Theme::default();
        for index in 0..20 {
            assert_ne!(theme.marker(index), theme.marker(index + 1));
            assert_ne!(theme.lane(index), theme.lane(index + 1));
        }
    }
}
