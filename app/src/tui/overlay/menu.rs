//! A few things to choose from, each with a letter.
#![forbid(unsafe_code)]

use super::super::action::Action;
use super::super::context::Context;
use super::super::export::{Copied, Format};
use super::super::ink::{clear, put, row, width};
use super::super::panes::{PANES, PaneId};
use super::panel;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// One thing to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The letter that chooses it.
    pub letter: char,
    /// What it is.
    pub label: &'static str,
    /// What it does.
    pub action: Action,
}

/// An open menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Menu {
    /// What is chosen.
    pub title: String,
    /// What there is to choose from.
    pub items: Vec<Item>,
    /// The one under the cursor.
    pub chosen: usize,
}

fn name(pane: PaneId) -> &'static str {
    PANES.iter().find(|other| other.id == pane).map_or("", |pane| pane.name)
}

impl Menu {
    /// The formats that `pane` can be exported in.
    pub fn export(pane: PaneId) -> Self {
        let label = |format| match format {
            Format::Png => "PNG    a picture of pixels",
            Format::Svg => "SVG    a picture of lines and letters",
            Format::Csv => "CSV    exact values, a line each",
            Format::Json => "JSON   exact values, with what they are",
            Format::Ansi => "ANSI   the pane's cells with their colours",
        };
        let item = |(letter, format)| {
            let action = Action::Export { pane: Some(pane), format, file: None, overwrite: false };
            Item { letter, label: label(format), action }
        };
        let letters =
            [('p', Format::Png), ('s', Format::Svg), ('c', Format::Csv), ('j', Format::Json), ('a', Format::Ansi)];
        Self { title: format!("Export {}", name(pane)), items: letters.map(item).to_vec(), chosen: 0 }
    }

    /// What can be copied of `pane`.
    pub fn copy(pane: PaneId) -> Self {
        let items = [
            ('v', "value of the selected lane", Copied::Value),
            ('a', "all values, at the crosshair or the newest", Copied::Values),
            ('t', "text of the pane", Copied::Text),
            ('d', "verdict", Copied::Verdict),
        ];
        let item = |(letter, label, what)| Item { letter, label, action: Action::Copy(what) };
        Self { title: format!("Copy from {}", name(pane)), items: items.map(item).to_vec(), chosen: 0 }
    }

    /// Applies an action; returns what was chosen. Whatever else is typed chooses nothing.
    pub fn choose(&mut self, action: &Action) -> Option<Action> {
        match *action {
            Action::Scroll(by) => {
                self.chosen =
                    self.chosen.saturating_add_signed(by.signum().into()).min(self.items.len().saturating_sub(1));
                None
            }
            Action::Accept => self.items.get(self.chosen).map(|item| item.action.clone()),
            Action::Type(letter) => {
                self.items.iter().find(|item| item.letter == letter).map(|item| item.action.clone())
            }
            _ => None,
        }
    }
}

/// Draws the menu.
pub fn render(context: &Context<'_>, menu: &Menu, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let bar = theme.bar();
    let longest = menu.items.iter().map(|item| width(item.label)).max().unwrap_or(0).max(width(&menu.title));
    let inner = panel(context, (longest + 12, menu.items.len() as u16 + 4), &menu.title, false, area, buffer);
    for (index, item) in menu.items.iter().enumerate() {
        let here = row(inner, index as u16 + 1);
        let ground = if index == menu.chosen { theme.chosen() } else { bar };
        clear(buffer, here, ground);
        let x = put(buffer, here, 2, 0, &item.letter.to_string(), ground.patch(theme.accent()));
        put(buffer, here, x + 2, 0, item.label, ground.patch(theme.text()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_or_the_cursor_chooses() {
        let mut menu = Menu::export(PaneId::Loss);
        let export = |format| Some(Action::Export { pane: Some(PaneId::Loss), format, file: None, overwrite: false });
        assert_eq!(menu.choose(&Action::Type('c')), export(Format::Csv));
        assert_eq!(menu.choose(&Action::Type('x')), None);
        assert_eq!(menu.choose(&Action::Scroll(3)), None);
        assert_eq!(menu.choose(&Action::Accept), export(Format::Svg));
    }

    #[test]
    fn every_format_has_a_letter_of_its_own() {
        let menu = Menu::export(PaneId::Loss);
        assert_eq!(menu.items.len(), Format::ALL.len());
        for menu in [menu, Menu::copy(PaneId::Loss)] {
            for (index, item) in menu.items.iter().enumerate() {
                assert!(menu.items[..index].iter().all(|other| other.letter != item.letter));
            }
        }
    }
}
