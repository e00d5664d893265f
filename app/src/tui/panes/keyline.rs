//! The last line: the keys most needed, from the table of actions.
#![forbid(unsafe_code)]

use super::super::action::{ACTIONS, Action};
use super::super::context::Context;
use super::super::ink::{clear, put, row, width};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// In this order, and dropped from the end where there is no room; help always stays.
const SHOWN: [Action; 13] = [
    Action::Help,
    Action::TogglePause,
    Action::Step(1),
    Action::NextLane,
    Action::Quit,
    Action::ZoomPane,
    Action::Crosshair(1),
    Action::NewLane,
    Action::EditLane,
    Action::FocusNext,
    Action::LogY,
    Action::Command(""),
    Action::Smoother,
];

/// Draws the key line in the first row of `area`.
pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let bar = theme.bar();
    let line = row(area, 0);
    clear(buffer, line, bar);
    let caption = |action: &Action| {
        let entry = ACTIONS.iter().find(|entry| entry.action == *action)?;
        let key = match action {
            Action::NextLane => theme.glyph("↑↓", "up/down").to_owned(),
            Action::Crosshair(_) => theme.glyph("←→", "left/right").to_owned(),
            _ if context.state.keymap.of(action).is_empty() => return None,
            _ => context.state.keymap.shown(action, theme.ascii),
        };
        Some((key, entry.short))
    };
    let captions: Vec<(String, &str)> = SHOWN.iter().filter_map(caption).collect();
    let mut used = 1;
    let fits = captions.iter().take_while(|(key, word)| {
        used += width(key) + width(word) + 3;
        used <= line.width + 2
    });
    let shown: Vec<_> = fits.collect();
    let order = [
        "pause",
        "step",
        "lane",
        "new",
        "edit",
        "crosshair",
        "pane",
        "zoom",
        "log y",
        "smooth",
        "command",
        "help",
        "quit",
    ];
    let mut x = 1;
    for word in order {
        if let Some((key, word)) = shown.iter().find(|(_, other)| *other == word) {
            x = put(buffer, line, x, 0, key, bar.patch(theme.key()));
            x = put(buffer, line, x, 0, &format!(" {word}"), bar.patch(theme.dim())) + 2;
        }
    }
    if line.width >= 150 {
        let text = format!("1-{} layouts ", context.state.layouts.count());
        put(buffer, line, line.width - width(&text), 0, &text, bar.patch(theme.faint()));
    }
}
