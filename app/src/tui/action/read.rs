//! Words that were typed, as arguments of actions. An error says what was expected.
#![forbid(unsafe_code)]

use super::Action;
use crate::tui::export::Format;
use crate::tui::panes::{PANES, PaneId};
use crate::tui::progress::Unit;
use crate::workspace::sheet::hint;
use std::path::PathBuf;

/// A pane, for an argument.
pub(super) fn pane(word: &str) -> Result<PaneId, String> {
    PaneId::named(word).filter(|pane| *pane != PaneId::LaneLine).ok_or_else(|| {
        let names: Vec<String> = PANES.iter().map(|pane| pane.id.slug()).collect();
        format!("`{word}` is no pane: {}", hint(&word.to_lowercase(), &names, "panes"))
    })
}

/// A unit of the x axis, for an argument.
pub(super) fn unit(word: &str) -> Result<Unit, String> {
    Unit::named(word).ok_or_else(|| format!("`{word}` is no unit: expected {}", Unit::WORDS.join(", ")))
}

/// A filter that reads, as it was typed.
pub(super) fn filter(text: &str) -> Result<String, String> {
    crate::filter::parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// `PANE FORMAT [FILE] [overwrite]`.
pub(super) fn export(words: &[&str]) -> Result<Action, String> {
    let formats = Format::WORDS.map(str::to_owned);
    let format = Format::named(words[1])
        .ok_or_else(|| format!("`{}` is no format: {}", words[1], hint(words[1], &formats, "formats")))?;
    let overwrite = match words.get(3) {
        None => false,
        Some(&"overwrite") => true,
        Some(other) => return Err(format!("`{other}`: expected `overwrite`, or nothing")),
    };
    Ok(Action::Export { pane: Some(pane(words[0])?), format, file: words.get(2).map(PathBuf::from), overwrite })
}

/// A whole number, for an argument.
pub(super) fn count(word: &str) -> Result<u64, String> {
    let plain: String = word.chars().filter(|letter| !matches!(letter, '_' | ' ' | '\u{202f}')).collect();
    plain.parse().map_err(|_| format!("`{word}`: expected a whole number, as 2000"))
}
