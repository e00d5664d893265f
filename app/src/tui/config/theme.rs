//! `theme.ron`: the ground, how many colours, which glyphs, and any colour of any role.
#![forbid(unsafe_code)]

use super::super::colour::Rgb;
use super::super::roles::{Colours, LANES, MAGNITUDES, Role, Roles};
use super::super::theme::Tier;
use crate::workspace::Diagnostic;
use crate::workspace::sheet::Sheet;
use serde::Deserialize;
use std::fmt::Write;

/// The ground that the terminal has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ground {
    /// What the environment says (`COLORFGBG`), else dark.
    #[default]
    Auto,
    /// Light text on a dark ground.
    Dark,
    /// Dark text on a light ground.
    Light,
}

/// How many colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// What the environment says (`NO_COLOR`, `COLORTERM`, `TERM`).
    #[default]
    Auto,
    /// 24 bits.
    Truecolor,
    /// The palette of 256.
    Ansi256,
    /// The sixteen named ones.
    Ansi16,
    /// None.
    Mono,
}

impl Depth {
    /// The tier, unless the environment is to say.
    pub fn tier(self) -> Option<Tier> {
        match self {
            Self::Auto => None,
            Self::Truecolor => Some(Tier::True),
            Self::Ansi256 => Some(Tier::Ansi256),
            Self::Ansi16 => Some(Tier::Ansi16),
            Self::Mono => Some(Tier::Mono),
        }
    }
}

/// Which glyphs are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Glyphs {
    /// Braille, blocks, box drawing.
    #[default]
    Unicode,
    /// ASCII alone.
    Ascii,
}

/// What a `theme.ron` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThemeFile {
    /// The ground.
    pub ground: Ground,
    /// How many colours.
    pub colours: Depth,
    /// Which glyphs.
    pub glyphs: Glyphs,
    /// The colours themselves.
    pub roles: Colours,
}

/// The file as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    ground: Ground,
    colours: Depth,
    glyphs: Glyphs,
    dark: WrittenRoles,
    light: WrittenRoles,
}

/// The roles of a ground as they are written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenRoles {
    ground: Option<String>,
    text: Option<String>,
    dim: Option<String>,
    faint: Option<String>,
    border: Option<String>,
    grid: Option<String>,
    bar: Option<String>,
    chosen: Option<String>,
    accent: Option<String>,
    good: Option<String>,
    warn: Option<String>,
    bad: Option<String>,
    lanes: Option<Vec<String>>,
    signed: Option<Vec<String>>,
    magnitude: Option<Vec<String>>,
}

/// Reads a `theme.ron`; `file` names it in messages.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(file: &str, text: &str) -> Result<ThemeFile, Vec<Diagnostic>> {
    let (written, mut sheet) = Sheet::read::<Written>(file, text)?;
    let mut roles = Colours::default();
    for (name, written, roles) in
        [("dark", &written.dark, &mut roles.dark), ("light", &written.light, &mut roles.light)]
    {
        apply(&mut sheet, name, written, roles);
    }
    let Written { ground, colours, glyphs, .. } = written;
    let found = sheet.found();
    if found.is_empty() { Ok(ThemeFile { ground, colours, glyphs, roles }) } else { Err(found) }
}

fn apply(sheet: &mut Sheet, ground: &str, written: &WrittenRoles, roles: &mut Roles) {
    if let Some(colour) = written.ground.as_ref().and_then(|text| colour(sheet, &format!("{ground}.ground"), text)) {
        roles.ground = colour;
    }
    let singles = [
        ("text", &written.text, &mut roles.text),
        ("dim", &written.dim, &mut roles.dim),
        ("faint", &written.faint, &mut roles.faint),
        ("border", &written.border, &mut roles.border),
        ("grid", &written.grid, &mut roles.grid),
        ("bar", &written.bar, &mut roles.bar),
        ("chosen", &written.chosen, &mut roles.chosen),
        ("accent", &written.accent, &mut roles.accent),
        ("good", &written.good, &mut roles.good),
        ("warn", &written.warn, &mut roles.warn),
        ("bad", &written.bad, &mut roles.bad),
    ];
    for (name, text, role) in singles {
        if let Some(colour) = text.as_ref().and_then(|text| colour(sheet, &format!("{ground}.{name}"), text)) {
            change(role, colour);
        }
    }
    let at = format!("{ground}.lanes");
    if let Some(colours) = written.lanes.as_ref().and_then(|texts| list::<LANES>(sheet, &at, texts)) {
        for (role, colour) in roles.lanes.iter_mut().zip(colours) {
            change(role, colour);
        }
    }
    let at = format!("{ground}.signed");
    if let Some(colours) = written.signed.as_ref().and_then(|texts| list(sheet, &at, texts)) {
        roles.signed = colours;
    }
    let at = format!("{ground}.magnitude");
    if let Some(colours) = written.magnitude.as_ref().and_then(|texts| list::<MAGNITUDES>(sheet, &at, texts)) {
        roles.magnitude = colours;
    }
}

/// A colour that stays as it is keeps its own stand-in among the sixteen.
fn change(role: &mut Role, colour: Rgb) {
    if role.colour != colour {
        *role = Role::of(colour);
    }
}

fn list<const N: usize>(sheet: &mut Sheet, at: &str, texts: &[String]) -> Option<[Rgb; N]> {
    if texts.len() != N {
        sheet.report(at, format!("expected {N} colours; there are {}", texts.len()), None);
        return None;
    }
    let colours = texts.iter().enumerate().map(|(index, text)| colour(sheet, &format!("{at}[{index}]"), text));
    let colours: Vec<Option<Rgb>> = colours.collect();
    colours.into_iter().collect::<Option<Vec<Rgb>>>()?.try_into().ok()
}

/// Reads `#rrggbb`; notes at `at` when it is none.
fn colour(sheet: &mut Sheet, at: &str, text: &str) -> Option<Rgb> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii());
    let value = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    if value.is_none() {
        sheet.report(
            at,
            format!("`{text}` is no colour"),
            Some("write it as \"#rrggbb\", two hexadecimal digits each".into()),
        );
    }
    value.map(|value| Rgb((value >> 16) as u8, (value >> 8) as u8, value as u8))
}

fn hex(Rgb(r, g, b): Rgb) -> String {
    format!("\"#{r:02x}{g:02x}{b:02x}\"")
}

/// The built-in theme, as a file to begin with.
pub fn default_text() -> String {
    let mut text = String::from(
        "// Colours of the workbench. What is left out keeps its built-in value; colours are written \"#rrggbb\".\n\
         //\n\
         // Values are never told by colour alone, and the built-in colours can be told apart with any common colour blindness.\n\
         (\n    \
         // auto (what COLORFGBG says, else dark), dark, light\n    \
         ground: auto,\n    \
         // auto (what NO_COLOR, COLORTERM and TERM say), truecolor, ansi256, ansi16, mono\n    \
         colours: auto,\n    \
         // unicode, ascii\n    \
         glyphs: unicode,\n",
    );
    let Colours { dark, light } = Colours::default();
    for (name, roles) in [("dark", dark), ("light", light)] {
        let _ = writeln!(text, "    {name}: (");
        let singles = [
            ("ground", roles.ground, "what faint colours are blended towards: the terminal's own ground"),
            ("text", roles.text.colour, "ordinary text"),
            ("dim", roles.dim.colour, "text of second rank: units, labels"),
            ("faint", roles.faint.colour, "text of third rank: ticks"),
            ("border", roles.border.colour, "borders of panes"),
            ("grid", roles.grid.colour, "grid lines"),
            ("bar", roles.bar.colour, "ground of the header, the key line and boxes"),
            ("chosen", roles.chosen.colour, "ground of the chosen row of a list"),
            ("accent", roles.accent.colour, "headings, keys, the focused pane"),
            ("good", roles.good.colour, "all is well"),
            ("warn", roles.warn.colour, "look here"),
            ("bad", roles.bad.colour, "something failed"),
        ];
        for (role, colour, help) in singles {
            let entry = format!("{role}: {},", hex(colour));
            let _ = writeln!(text, "        {entry:<22}// {help}");
        }
        let lists = [
            ("lanes", roles.lanes.map(|role| role.colour).to_vec(), "the reference lane, then the others in order"),
            ("signed", roles.signed.to_vec(), "signed values at -1, about -0.5, 0, about 0.5, 1"),
            ("magnitude", roles.magnitude.to_vec(), "magnitudes from the least to the greatest: cividis"),
        ];
        for (role, colours, help) in lists {
            let colours: Vec<String> = colours.into_iter().map(hex).collect();
            let _ = writeln!(text, "        // {help}\n        {role}: [");
            for row in colours.chunks(5) {
                let _ = writeln!(text, "            {},", row.join(", "));
            }
            text.push_str("        ],\n");
        }
        text.push_str("    ),\n");
    }
    text.push_str(")\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Color;

    fn errors(text: &str) -> String {
        let found = read("theme.ron", text).unwrap_err();
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_printed_file_is_the_default() {
        assert_eq!(read("theme.ron", &default_text()).unwrap(), ThemeFile::default());
        assert_eq!(read("theme.ron", "").unwrap(), ThemeFile::default());
    }

    #[test]
    fn single_colours_change_and_find_their_stand_in() {
        let theme = read("theme.ron", "(ground: light, colours: ansi16, light: (accent: \"#cc0000\"))").unwrap();
        assert_eq!((theme.ground, theme.colours.tier()), (Ground::Light, Some(Tier::Ansi16)));
        assert_eq!(theme.roles.light.accent.colour, Rgb(204, 0, 0));
        assert_eq!(theme.roles.light.accent.named, Color::Red);
        assert_eq!(theme.roles.dark, Colours::default().dark);
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        let wrong = errors("(\n    dark: (\n        text: \"white\",\n    ),\n)");
        assert!(wrong.starts_with("theme.ron:3:15: `white` is no colour") && wrong.contains("#rrggbb"), "{wrong}");
        let wrong = errors("(dark: (lanes: [\"#ffffff\"]))");
        assert!(wrong.contains("expected 9 colours; there are 1"), "{wrong}");
        let wrong = errors("(dark: (txt: \"#ffffff\"))");
        assert!(wrong.contains("unknown field `txt`") && wrong.contains("did you mean `text`"), "{wrong}");
        let wrong = errors("(ground: black)");
        assert!(wrong.contains("unknown value `black`") && wrong.contains("`dark`"), "{wrong}");
        let wrong = errors("(dark: (signed: [\"#000000\", \"#00000g\", \"#000000\", \"#000000\", \"#000000\"]))");
        assert!(wrong.starts_with("theme.ron:1:29: `#00000g`"), "{wrong}");
    }
}
