//! All keys by heading, from the table of actions; typing searches.
#![forbid(unsafe_code)]

use super::super::action::{ACTIONS, Entry, GROUPS};
use super::super::chord::Chord;
use super::super::context::Context;
use super::super::format;
use super::super::ink::{put, put_right};
use super::super::keymap::Keymap;
use super::super::verdict::RULES;
use super::panel;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A line of the help screen.
pub enum Line {
    /// A heading.
    Heading(&'static str),
    /// An action with its keys.
    Entry(&'static Entry, Vec<Chord>),
    /// What the mouse does, and what else is not in the table.
    Note(&'static str, String),
}

const NOTES: [(&str, &str); 5] = [
    ("click", "Focus a pane; in a chart, set the crosshair; on a lane or layer, select it."),
    ("drag", "Show the part of the chart dragged over: steps, values or both."),
    ("wheel", "Zoom around what it points at; beside a chart, or with ctrl, its values. Scrolls the log."),
    ("▴ ▾ ✕", "A value beyond the range, above or below; a value that is NaN or infinite."),
    ("◭ ┊", "A step at which a lane's settings were changed; the log says which."),
];

/// The lines that hold every word of `query`.
pub fn lines(keymap: &Keymap, query: &str) -> Vec<Line> {
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let holds = |texts: &[&str]| {
        let text = texts.join(" ").to_lowercase();
        words.iter().all(|word| text.contains(word.as_str()))
    };
    let mut lines = Vec::new();
    for group in GROUPS {
        let of_group = ACTIONS.iter().enumerate().filter(|(_, entry)| entry.group == group);
        let found: Vec<Line> = of_group
            .filter(|(index, entry)| {
                let keys: Vec<String> = keymap.keys(*index).iter().map(|key| key.name(true)).collect();
                holds(&[entry.name, entry.help, entry.group, &keys.join(" "), &entry.usage()])
            })
            .map(|(index, entry)| Line::Entry(entry, keymap.keys(index).to_vec()))
            .collect();
        if !found.is_empty() {
            lines.push(Line::Heading(group));
            lines.extend(found);
        }
    }
    let notes: Vec<_> = NOTES.iter().filter(|(head, text)| holds(&[head, text, "mouse marks"])).collect();
    if !notes.is_empty() {
        lines.push(Line::Heading("Mouse and marks"));
        lines.extend(notes.into_iter().map(|(head, text)| Line::Note(head, (*text).to_owned())));
    }
    let rules = RULES.iter().map(|rule| (rule.name, (rule.when)()));
    let rules: Vec<_> = rules.filter(|(name, when)| holds(&[name, when, "verdicts rules thresholds"])).collect();
    if !rules.is_empty() {
        lines.push(Line::Heading("Verdicts"));
        lines.extend(rules.into_iter().map(|(name, when)| Line::Note(name, when)));
    }
    lines
}

/// A row of the help screen: keys, name, a line of the sentence. Headings have only a name, wrapped sentences only a line.
pub struct Row {
    keys: String,
    name: &'static str,
    text: String,
    heading: bool,
}

/// Columns of keys and of names.
const KEYS: u16 = 10;
const NAME: u16 = 27;

/// Width of the help screen in a terminal so wide.
fn panel_width(terminal: u16) -> u16 {
    terminal.min(128)
}

/// The rows for `query` in a terminal so many columns wide.
pub fn rows(keymap: &Keymap, query: &str, terminal: u16, ascii: bool) -> Vec<Row> {
    let room = usize::from(panel_width(terminal).saturating_sub(KEYS + NAME + 6)).max(12);
    let mut rows = Vec::new();
    for line in lines(keymap, query) {
        let (keys, name, text) = match line {
            Line::Heading(name) => {
                rows.push(Row { keys: String::new(), name, text: String::new(), heading: true });
                continue;
            }
            Line::Note(name, text) => (String::new(), name, text),
            Line::Entry(entry, keys) => {
                let keys: Vec<String> = keys.iter().map(|key| key.name(ascii)).collect();
                // How it is typed is worth saying where that is not its name alone.
                let usage = entry.usage();
                let text =
                    if entry.arguments.is_empty() { entry.help.to_owned() } else { format!("{} {usage}", entry.help) };
                (keys.join(" "), entry.name, text)
            }
        };
        let mut sentences = format::wrap(&text, room).into_iter();
        rows.push(Row { keys, name, text: sentences.next().unwrap_or_default(), heading: false });
        rows.extend(sentences.map(|text| Row { keys: String::new(), name: "", text, heading: false }));
    }
    rows
}

/// Draws the help screen.
pub fn render(context: &Context<'_>, query: &str, scroll: usize, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let bar = theme.bar();
    let rows = rows(&context.state.keymap, query, area.width, theme.ascii);
    let inner = panel(context, (panel_width(area.width), (rows.len() as u16 + 4).max(12)), "Help", false, area, buffer);
    let x = put(buffer, inner, 1, 0, theme.glyph("⌕ ", "/ "), bar.patch(theme.accent()));
    if query.is_empty() {
        put(buffer, inner, x, 0, "type to search", bar.patch(theme.faint()));
    } else {
        let x = put(buffer, inner, x, 0, query, bar.patch(theme.text()));
        put(buffer, inner, x, 0, theme.glyph("▏", "_"), bar.patch(theme.accent()));
    }
    let height = usize::from(inner.height.saturating_sub(2));
    let first = scroll.min(rows.len().saturating_sub(height));
    let hidden = rows.len().saturating_sub(first + height);
    let more = format!("{hidden} more {} · esc closes", theme.glyph("↓", "down"));
    let hint = if hidden > 0 { more.as_str() } else { "esc closes" };
    put_right(buffer, inner, inner.width.saturating_sub(1), 0, hint, bar.patch(theme.faint()));
    if rows.is_empty() {
        put(buffer, inner, 1, 2, "nothing found", bar.patch(theme.dim()));
    }
    for (index, row) in rows.iter().skip(first).take(height).enumerate() {
        let y = index as u16 + 2;
        if row.heading {
            put(buffer, inner, 1, y, row.name, bar.patch(theme.title()));
            continue;
        }
        put_right(buffer, inner, KEYS, y, &row.keys, bar.patch(theme.key()));
        put(buffer, inner, KEYS + 2, y, row.name, bar.patch(theme.text()));
        put(buffer, inner, KEYS + 2 + NAME, y, &row.text, bar.patch(theme.dim()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_in_the_help_and_none_is_cut() {
        for width in [40, 80, 200] {
            let rows = rows(&Keymap::default(), "", width, false);
            for entry in ACTIONS {
                assert!(rows.iter().any(|row| row.name == entry.name), "{}", entry.name);
                assert!(entry.name.chars().count() < usize::from(NAME), "{}", entry.name);
            }
            let text: String = rows.iter().flat_map(|row| [row.text.as_str(), " "]).collect();
            for entry in ACTIONS {
                assert!(text.contains(entry.help.split_whitespace().next_back().unwrap()), "{}", entry.help);
            }
        }
    }

    #[test]
    fn searching_finds_by_key_name_and_sentence() {
        let names = |query: &str| {
            rows(&Keymap::default(), query, 80, false)
                .iter()
                .filter(|row| !row.heading)
                .map(|row| row.name)
                .collect::<Vec<_>>()
        };
        assert!(names("pause").contains(&"pause or resume"));
        assert!(names("gradient descent of cats").is_empty());
        assert!(names("EMA").contains(&"smooth more"));
        assert!(names(":go STEP").contains(&"go to a step"));
    }
}
