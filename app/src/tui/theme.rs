//! The colours and glyphs of one terminal, out of the roles: truecolor, 256, 16 and none; dark and light; Unicode and ASCII.
//!
//! Each lane has a marker of its own shape as well as a colour, so that nothing is said by colour alone.
#![forbid(unsafe_code)]

use super::colour::{Rgb, blend, even, nearest_256, signed};
use super::roles::{Colours, LANES, Role, Roles};
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
    /// The colours of all roles.
    pub colours: Colours,
}

impl Default for Theme {
    fn default() -> Self {
        Self { tier: Tier::True, dark: true, ascii: false, colours: Colours::default() }
    }
}

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

    /// The roles on this ground.
    pub fn roles(&self) -> &Roles {
        if self.dark { &self.colours.dark } else { &self.colours.light }
    }

    fn role(&self, role: &Role) -> Color {
        self.fit(role.colour, role.named)
    }

    /// The ground that colours are blended towards.
    pub fn ground(&self) -> Rgb {
        self.roles().ground
    }

    /// The map of signed values in [−1, 1].
    pub fn signed(&self, value: f64) -> Rgb {
        signed(&self.roles().signed, value)
    }

    /// The map of magnitudes in [0, 1].
    pub fn magnitude(&self, value: f64) -> Rgb {
        even(&self.roles().magnitude, value)
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
        Style::new().fg(self.role(&self.roles().text))
    }

    /// Text of second rank: units, labels.
    pub fn dim(&self) -> Style {
        Style::new().fg(self.role(&self.roles().dim))
    }

    /// Text of third rank, ticks.
    pub fn faint(&self) -> Style {
        let style = Style::new().fg(self.role(&self.roles().faint));
        if self.tier == Tier::Mono { style.add_modifier(Modifier::DIM) } else { style }
    }

    /// Pane borders.
    pub fn border(&self) -> Style {
        let style = Style::new().fg(self.role(&self.roles().border));
        if self.tier == Tier::Mono { style.add_modifier(Modifier::DIM) } else { style }
    }

    /// Grid lines.
    pub fn grid(&self) -> Color {
        self.role(&self.roles().grid)
    }

    /// Headings and the focused pane.
    pub fn accent(&self) -> Style {
        Style::new().fg(self.role(&self.roles().accent)).add_modifier(Modifier::BOLD)
    }

    /// Titles of panes.
    pub fn title(&self) -> Style {
        self.text().add_modifier(Modifier::BOLD)
    }

    /// All is well.
    pub fn good(&self) -> Style {
        Style::new().fg(self.role(&self.roles().good))
    }

    /// Look here.
    pub fn warn(&self) -> Style {
        Style::new().fg(self.role(&self.roles().warn))
    }

    /// Something failed.
    pub fn bad(&self) -> Style {
        Style::new().fg(self.role(&self.roles().bad)).add_modifier(Modifier::BOLD)
    }

    /// The header's and the key line's ground.
    pub fn bar(&self) -> Style {
        if self.tier <= Tier::Ansi16 { Style::new() } else { Style::new().bg(self.role(&self.roles().bar)) }
    }

    /// The chosen row of a list.
    pub fn chosen(&self) -> Style {
        match self.tier {
            Tier::Mono | Tier::Ansi16 => Style::new().add_modifier(Modifier::REVERSED),
            _ => Style::new().bg(self.role(&self.roles().chosen)),
        }
    }

    /// A key's cap in the key line.
    pub fn key(&self) -> Style {
        Style::new().fg(self.role(&self.roles().accent))
    }

    fn lane_role(&self, index: usize) -> &Role {
        &self.roles().lanes[if index == 0 { 0 } else { 1 + (index - 1) % (LANES - 1) }]
    }

    /// Colour of lane group `index`; 0 is the reference.
    pub fn lane(&self, index: usize) -> Color {
        self.role(self.lane_role(index))
    }

    /// The lane's colour, `strength` of the way from the ground (0 to 1).
    pub fn lane_faint(&self, index: usize, strength: f64) -> Color {
        let colour = self.lane_role(index).colour;
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
