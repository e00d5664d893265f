//! What a pane shows, as files and as text for the clipboard: exact values as CSV and JSON, pictures as SVG and PNG, cells as ANSI
//! text.
//!
//! A pane is drawn once more out of sight. While that happens charts and heatmaps hand over what they draw ([`Offered`]), so that a
//! picture is made from the same data as the screen, and not from its cells. Panes of text are drawn cell by cell.
#![forbid(unsafe_code)]

pub mod ansi;
mod cells;
mod chart;
mod heat;
mod offered;
mod table;

pub use chart::{at_of, chart};
pub use heat::{Heat, heat};
pub use offered::{Offered, Table, Value};

use super::context::{Context, Framing};
use super::lanes::groups;
use super::panes::{self, PANES, PaneId};
use super::smooth::Derived;
use super::state::State;
use super::theme::{Theme, Tier};
use super::verdict::verdicts;
use crate::record::replace::replace;
use crate::session::protocol::Snapshot;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::cell::RefCell;
use std::path::{Path, PathBuf};

/// Size at which a pane is drawn for its text.
const CELLS: (u16, u16) = (100, 30);
/// Pixels of a PNG for each unit of the picture.
const PIXELS: f32 = 2.0;

/// How a pane is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Exact values, a line each.
    Csv,
    /// Exact values with what they are.
    Json,
    /// A picture of lines and letters.
    Svg,
    /// A picture of pixels.
    Png,
    /// The pane's cells with their colours, for `cat`.
    Ansi,
}

impl Format {
    /// All formats, in the order of the menu.
    pub const ALL: [Self; 5] = [Self::Csv, Self::Json, Self::Svg, Self::Png, Self::Ansi];
    /// Their names on the command line, in the same order.
    pub const WORDS: [&'static str; 5] = ["csv", "json", "svg", "png", "ansi"];

    /// The format called `word`.
    pub fn named(word: &str) -> Option<Self> {
        Self::WORDS.iter().position(|other| other.eq_ignore_ascii_case(word)).map(|place| Self::ALL[place])
    }

    /// Its name, and the ending of its files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Ansi => "ansi",
        }
    }
}

/// What is to be exported where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The pane.
    pub pane: PaneId,
    /// The format.
    pub format: Format,
    /// The file; one with a telling name in the working folder when `None`.
    pub file: Option<PathBuf>,
    /// Whether a file that is there may be replaced.
    pub overwrite: bool,
}

/// What is to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// The selected lane's value in the focused pane, at the crosshair or the newest.
    Value,
    /// All values of the focused pane there.
    Values,
    /// What the verdict line says.
    Verdict,
    /// The focused pane's text.
    Text,
}

/// Everything an export reads.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// What the screen remembers.
    pub state: &'a State,
    /// What the trainer published.
    pub snapshot: &'a Snapshot,
    /// Moving averages.
    pub derived: &'a Derived,
    /// Colours and glyphs of the screen.
    pub theme: &'a Theme,
}

impl Scene<'_> {
    /// Writes what is asked for; returns a sentence that says so.
    ///
    /// # Errors
    /// When the pane has no such form, or the file cannot be written: why, and what to do.
    pub fn export(&self, request: &Request) -> Result<String, String> {
        let bytes = self.bytes(request.pane, request.format)?;
        let path = match &request.file {
            Some(path) if path.exists() && !request.overwrite => {
                return Err(format!("{} is there already; add `overwrite` to replace it", path.display()));
            }
            Some(path) => path.clone(),
            None => self.fresh_name(request.pane, request.format),
        };
        replace(&path, &bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(format!("wrote {} ({})", path.display(), super::format::bytes(bytes.len())))
    }

    /// The content of a file.
    ///
    /// # Errors
    /// When the pane has no such form.
    pub fn bytes(&self, pane: PaneId, format: Format) -> Result<Vec<u8>, String> {
        if format == Format::Ansi {
            let (buffer, _) = self.draw(pane, self.theme);
            return Ok(ansi::coloured(&buffer).into_bytes());
        }
        // Pictures stand on white paper, whatever the terminal is.
        let paper = Theme { tier: Tier::True, dark: false, ascii: false, colours: self.theme.colours };
        let (buffer, offered) = self.draw(pane, &paper);
        let title = PANES.iter().find(|other| other.id == pane).map_or("", |pane| pane.name);
        match (format, offered) {
            (Format::Csv, Some(offered)) => Ok(offered.table.csv().into_bytes()),
            (Format::Csv, None) => Ok(table::of_text(self.snapshot, pane, &buffer).csv().into_bytes()),
            (Format::Json, Some(offered)) => {
                let figure = &offered.figure;
                Ok(offered.table.json(pane, &figure.title, &figure.notes, &self.identity()).into_bytes())
            }
            (Format::Json, None) => {
                Ok(table::of_text(self.snapshot, pane, &buffer).json(pane, title, "", &self.identity()).into_bytes())
            }
            (format, None) => {
                // As wide as a page: on a wide screen columns would stand far apart.
                let page = Rect::new(0, 0, CELLS.0, CELLS.1.max(self.state.size.1));
                let (buffer, _) = self.draw_in(page, pane, &paper);
                let cells = cells::of(&buffer, title, self.identity());
                if format == Format::Svg { Ok(cells.svg().into_bytes()) } else { cells.png(PIXELS) }
            }
            (format, Some(offered)) => {
                let mut figure = offered.figure;
                figure.identity = self.identity();
                if format == Format::Svg { Ok(figure.svg().into_bytes()) } else { figure.png(PIXELS) }
            }
        }
    }

    /// The text that is asked for.
    ///
    /// # Errors
    /// When there is none, in words.
    pub fn text(&self, what: Copied) -> Result<String, String> {
        let pane = self.state.focus;
        match what {
            Copied::Text => Ok(ansi::plain(&self.draw(pane, self.theme).0)),
            Copied::Verdict => {
                let said = self.verdicts();
                if said.is_empty() { Err("there is no verdict to copy".to_owned()) } else { Ok(said.join("\n")) }
            }
            Copied::Value | Copied::Values => {
                let values = self.draw(pane, self.theme).1.map(|offered| offered.values).unwrap_or_default();
                let selected =
                    self.with_context(self.theme, None, |context| context.selected().map(|group| group.name.clone()));
                let own = values.iter().find(|(name, _)| Some(name) == selected.as_ref()).or(values.first());
                match (what, own) {
                    (_, None) => Err(format!("the pane `{}` has no values to copy", pane.slug())),
                    (Copied::Value, Some((_, value))) => Ok(format!("{value:?}")),
                    _ => Ok(values.iter().map(|(name, value)| format!("{name}\t{value:?}\n")).collect()),
                }
            }
        }
    }

    /// What the verdicts say.
    pub fn verdicts(&self) -> Vec<String> {
        self.with_context(self.theme, None, verdicts).into_iter().map(|verdict| verdict.text).collect()
    }

    /// What `pane` says, in lines: a name and a value each where it has values, else its text.
    pub fn words(&self, pane: PaneId) -> String {
        let (buffer, offered) = self.draw(pane, self.theme);
        match offered {
            Some(offered) => offered.values.iter().map(|(name, value)| format!("{name}\t{value}\n")).collect(),
            None => ansi::inside(&buffer),
        }
    }

    /// Draws `pane` out of sight; returns its cells and what it offered.
    fn draw(&self, pane: PaneId, theme: &Theme) -> (Buffer, Option<Offered>) {
        self.draw_in(Rect::new(0, 0, CELLS.0.max(self.state.size.0), CELLS.1.max(self.state.size.1)), pane, theme)
    }

    fn draw_in(&self, area: Rect, pane: PaneId, theme: &Theme) -> (Buffer, Option<Offered>) {
        let mut buffer = Buffer::empty(area);
        let offered = RefCell::new(None);
        self.with_context(theme, Some(&offered), |context| panes::render(pane, context, area, &mut buffer));
        if theme.ascii {
            super::ink::to_ascii(&mut buffer);
        }
        (buffer, offered.into_inner())
    }

    fn with_context<T>(
        &self,
        theme: &Theme,
        offered: Option<&RefCell<Option<Offered>>>,
        work: impl FnOnce(&Context<'_>) -> T,
    ) -> T {
        let groups = groups(self.snapshot);
        let hits = RefCell::new(Vec::new());
        work(&Context {
            state: self.state,
            snapshot: self.snapshot,
            theme,
            groups: &groups,
            derived: self.derived,
            framing: Framing::Boxed,
            listed: false,
            hits: &hits,
            offered,
        })
    }

    /// What a picture was made from.
    fn identity(&self) -> Vec<String> {
        let snapshot = self.snapshot;
        let mut seeds: Vec<u64> = snapshot.lanes.iter().map(|lane| lane.info.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        let many = if seeds.len() == 1 { "seed" } else { "seeds" };
        let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
        let step = super::format::grouped(snapshot.lanes.iter().map(|lane| lane.step).max().unwrap_or(0));
        vec![
            format!("{} · {}", snapshot.name, snapshot.title),
            format!("{many} {} · after {step} steps · guesswork {}", seeds.join(", "), env!("CARGO_PKG_VERSION")),
        ]
    }

    /// A name that no file has yet: `quickstart-loss-1240.png`.
    fn fresh_name(&self, pane: PaneId, format: Format) -> PathBuf {
        let safe = |letter: char| if letter.is_alphanumeric() || "-_".contains(letter) { letter } else { '-' };
        let name: String = self.snapshot.name.chars().map(safe).collect();
        let step = self.snapshot.lanes.iter().map(|lane| lane.step).max().unwrap_or(0);
        let stem = format!("{name}-{}-{step}", pane.slug());
        let names = (1..).map(|number| match number {
            1 => format!("{stem}.{}", format.word()),
            _ => format!("{stem}-{number}.{}", format.word()),
        });
        names.map(PathBuf::from).find(|path| !Path::new(path).exists()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
