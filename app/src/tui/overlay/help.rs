//! All keys by heading, from the table of actions; typing searches.
#![forbid(unsafe_code)]

use super::super::action::{ACTIONS, Entry, GROUPS};
use super::super::context::Context;
use super::super::format;
use super::super::ink::{put, put_right};
use super::panel;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A line of the help screen.
pub enum Line {
    /// A heading.
    Heading(&'static str),
    /// An action.
    Entry(&'static Entry),
    /// What the mouse does, and what else is not in the table.
    Note(&'static str, &'static str),
}

const NOTES: [(&str, &str); 7] = [
    ("click", "Focus a pane; in a chart, set the crosshair; on a lane or layer, select it."),
    ("drag", "Show the steps dragged over."),
    ("wheel", "Zoom in and out; scroll the log."),
    ("▴ ▾ ✕", "A value beyond the range, above or below; a value that is NaN or infinite."),
    ("verdict: diverging", "The smoothed loss is 1.3 times its least value, and above its first."),
    (
        "verdict: floor",
        "Mean |cos| of the last 8 measurements is at most twice √(2/(πn)); halved: at most half of its greatest mean.",
    ),
    ("verdict: measuring", "Measurements take more than half of the time."),
];

/// The lines that hold every word of `query`.
pub fn lines(query: &str) -> Vec<Line> {
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let holds = |texts: &[&str]| {
        let text = texts.join(" ").to_lowercase();
        words.iter().all(|word| text.contains(word.as_str()))
    };
    let mut lines = Vec::new();
    for group in GROUPS {
        let of_group = ACTIONS.iter().filter(|entry| entry.group == group);
        let found: Vec<&'static Entry> = of_group
            .filter(|entry| {
                let keys: Vec<String> = entry.keys.iter().map(|key| key.name(true)).collect();
                holds(&[entry.name, entry.help, entry.group, &keys.join(" ")])
            })
            .collect();
        if !found.is_empty() {
            lines.push(Line::Heading(group));
            lines.extend(found.into_iter().map(Line::Entry));
        }
    }
    let notes: Vec<_> = NOTES.iter().filter(|(head, text)| holds(&[head, text, "mouse marks verdicts"])).collect();
    if !notes.is_empty() {
        lines.push(Line::Heading("Mouse, marks, verdicts"));
        lines.extend(notes.into_iter().map(|(head, text)| Line::Note(head, text)));
    }
    lines
}

/// Draws the help screen.
pub fn render(context: &Context<'_>, query: &str, scroll: usize, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let bar = theme.bar();
    let lines = lines(query);
    let inner = panel(context, (128, (lines.len() as u16 + 5).max(12)), "Help", false, area, buffer);
    let x = put(buffer, inner, 1, 0, theme.glyph("⌕ ", "/ "), bar.patch(theme.accent()));
    let x = if query.is_empty() {
        put(buffer, inner, x, 0, "type to search", bar.patch(theme.faint()))
    } else {
        put(buffer, inner, x, 0, query, bar.patch(theme.text()))
    };
    if !query.is_empty() {
        put(buffer, inner, x, 0, theme.glyph("▏", "_"), bar.patch(theme.accent()));
    }
    let rows = usize::from(inner.height.saturating_sub(2));
    let first = scroll.min(lines.len().saturating_sub(rows));
    let hidden = lines.len().saturating_sub(first + rows);
    let hint = if hidden > 0 {
        format!("{hidden} more {} · esc closes", theme.glyph("↓", "down"))
    } else {
        "esc closes".to_owned()
    };
    put_right(buffer, inner, inner.width.saturating_sub(1), 0, &hint, bar.patch(theme.faint()));
    if lines.is_empty() {
        put(buffer, inner, 1, 2, "nothing found", bar.patch(theme.dim()));
    }
    let left = if inner.width >= 80 { 32 } else { 26.min(inner.width / 2) };
    for (index, line) in lines.iter().skip(first).take(rows).enumerate() {
        let y = index as u16 + 2;
        let (keys, name, help) = match line {
            Line::Heading(heading) => {
                put(buffer, inner, 1, y, heading, bar.patch(theme.title()));
                continue;
            }
            Line::Note(head, text) => ("", *head, *text),
            Line::Entry(entry) => {
                let keys: Vec<String> = entry.keys.iter().map(|key| key.name(theme.ascii)).collect();
                put_right(buffer, inner, 10, y, &keys.join(" "), bar.patch(theme.key()));
                ("", entry.name, entry.help)
            }
        };
        put(buffer, inner, 1, y, keys, bar.patch(theme.key()));
        let start = 12.min(inner.width);
        put(
            buffer,
            inner,
            start,
            y,
            &format::fit(name, usize::from((left + 8).saturating_sub(start))),
            bar.patch(theme.text()),
        );
        let column = left + 8;
        let room = usize::from(inner.width.saturating_sub(column + 1));
        if room >= 12 {
            put(buffer, inner, column, y, &format::fit(help, room), bar.patch(theme.dim()));
        }
    }
}
