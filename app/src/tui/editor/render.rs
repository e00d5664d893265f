//! The form of a lane, drawn: fields under their headings, what the chosen field means, what is wrong.
#![forbid(unsafe_code)]

use super::field::{Entry, Field};
use super::lane::{LaneForm, Purpose};
use crate::tui::context::Context;
use crate::tui::format;
use crate::tui::ink::{clear, put, put_right, row, width};
use crate::tui::overlay::panel;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

/// Columns of labels.
const LABEL: u16 = 15;
/// Rows below the fields: a rule, two of help, the keys.
const FOOT: u16 = 4;

/// A row of the form.
enum Row<'a> {
    Heading(&'static str),
    Formula(&'a str),
    Field(&'a Field),
}

/// Draws the form.
pub fn render(context: &Context<'_>, form: &LaneForm, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let bar = theme.bar();
    let fields = form.fields();
    let rows = rows(form, &fields);
    let title = match &form.purpose {
        Purpose::Add(_) => "New lane".to_owned(),
        Purpose::Change { name, lanes, .. } if lanes.len() > 1 => format!("{name} · {} seeds", lanes.len()),
        Purpose::Change { name, .. } => name.clone(),
    };
    let size = (88, rows.len() as u16 + FOOT + 2);
    let inner = panel(context, size, &title, false, area, buffer);
    let height = inner.height.saturating_sub(FOOT).max(1);
    let chosen = rows.iter().position(|row| matches!(row, Row::Field(field) if field.id == form.focus)).unwrap_or(0);
    let first = (chosen + 2).saturating_sub(height.into()).min(rows.len().saturating_sub(height.into()));
    for (index, entry) in rows.iter().enumerate().skip(first).take(height.into()) {
        let line = row(inner, (index - first) as u16);
        match entry {
            Row::Heading(name) => {
                put(buffer, line, 1, 0, name, bar.patch(theme.title()));
            }
            Row::Formula(text) => {
                let text = format::fit(text, usize::from(line.width.saturating_sub(LABEL + 3)));
                put(buffer, line, LABEL + 2, 0, &text, bar.patch(theme.accent()));
            }
            Row::Field(field) => draw_field(context, form, field, line, buffer),
        }
    }
    if first > 0 {
        put_right(buffer, inner, inner.width, 0, theme.glyph("↑", "^"), bar.patch(theme.faint()));
    }
    if first + usize::from(height) < rows.len() {
        put_right(buffer, inner, inner.width, height - 1, theme.glyph("↓", "v"), bar.patch(theme.faint()));
    }
    let focused = fields.iter().find(|field| field.id == form.focus);
    foot(context, form, focused, Rect { y: inner.y + height, height: inner.height - height, ..inner }, buffer);
}

fn rows<'a>(form: &'a LaneForm, fields: &'a [Field]) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    let mut heading = "";
    for (index, field) in fields.iter().enumerate() {
        if field.heading != heading {
            heading = field.heading;
            rows.push(Row::Heading(heading));
        }
        rows.push(Row::Field(field));
        if index == 0
            && let Some(offer) = form.offer()
        {
            rows.push(Row::Formula(&offer.formula));
        }
    }
    rows
}

fn draw_field(context: &Context<'_>, form: &LaneForm, field: &Field, line: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let focused = field.id == form.focus;
    let ground = if focused { theme.chosen() } else { theme.bar() };
    clear(buffer, line, ground);
    let mark = if focused { theme.glyph("▸", ">") } else { " " };
    put(buffer, line, 0, 0, mark, ground.patch(theme.accent()));
    let label = if field.locked.is_some() { theme.faint() } else { theme.dim() };
    put(buffer, line, 1, 0, &format::fit(&field.label, usize::from(LABEL)), ground.patch(label));
    let inside = Rect { x: line.x + LABEL + 2, width: line.width.saturating_sub(LABEL + 3), ..line };
    let end = match &field.entry {
        _ if field.locked.is_some() => put(buffer, inside, 0, 0, &field.value, ground.patch(theme.faint())),
        Entry::Text => draw_text(context, form, field, focused, ground, inside, buffer),
        Entry::Choice(words) => draw_choice(context, field, words, focused, ground, inside, buffer),
    };
    if let Some(fault) = &field.fault {
        let room = usize::from(inside.width.saturating_sub(end + 4));
        let text = format!("{} {}", theme.glyph("✕", "!"), format::fit(fault, room));
        put(buffer, inside, end + 2, 0, &text, ground.patch(theme.bad()));
    }
}

fn draw_text(
    context: &Context<'_>,
    form: &LaneForm,
    field: &Field,
    focused: bool,
    ground: Style,
    inside: Rect,
    buffer: &mut Buffer,
) -> u16 {
    let theme = context.theme;
    let style = if field.fault.is_some() { theme.bad() } else { theme.text() };
    if field.value.is_empty() {
        let x = if focused { put(buffer, inside, 0, 0, " ", ground.add_modifier(Modifier::REVERSED)) } else { 0 };
        return put(buffer, inside, x, 0, &field.empty, ground.patch(theme.faint()));
    }
    if !focused {
        return put(buffer, inside, 0, 0, &field.value, ground.patch(style));
    }
    // The cursor stays in sight in a text longer than the line.
    let first = form.cursor.saturating_sub(usize::from(inside.width).saturating_sub(1));
    let before: String = field.value.chars().take(form.cursor).skip(first).collect();
    let under = field.value.chars().nth(form.cursor).map_or(" ".to_owned(), |letter| letter.to_string());
    let after: String = field.value.chars().skip(form.cursor + 1).collect();
    let x = put(buffer, inside, 0, 0, &before, ground.patch(style));
    let x = put(buffer, inside, x, 0, &under, ground.patch(style).add_modifier(Modifier::REVERSED));
    put(buffer, inside, x, 0, &after, ground.patch(style))
}

/// All words beside each other where there is room, else the one chosen between arrows.
fn draw_choice(
    context: &Context<'_>,
    field: &Field,
    words: &[String],
    focused: bool,
    ground: Style,
    inside: Rect,
    buffer: &mut Buffer,
) -> u16 {
    let theme = context.theme;
    let chosen = ground.patch(theme.text()).add_modifier(Modifier::BOLD);
    if !focused {
        return put(buffer, inside, 0, 0, &field.value, ground.patch(theme.text()));
    }
    let all: u16 = words.iter().map(|word| width(word) + 3).sum();
    if all <= inside.width {
        let mut x = 0;
        for word in words {
            let here = *word == field.value;
            let (left, right) = if here { (theme.glyph("‹", "<"), theme.glyph("›", ">")) } else { (" ", " ") };
            x = put(buffer, inside, x, 0, left, ground.patch(theme.accent()));
            x = put(buffer, inside, x, 0, word, if here { chosen } else { ground.patch(theme.faint()) });
            x = put(buffer, inside, x, 0, right, ground.patch(theme.accent())) + 1;
        }
        return x;
    }
    let place = words.iter().position(|word| *word == field.value).map_or(0, |place| place + 1);
    let x = put(buffer, inside, 0, 0, theme.glyph("‹", "<"), ground.patch(theme.accent()));
    let x = put(buffer, inside, x, 0, &field.value, chosen);
    let x = put(buffer, inside, x, 0, theme.glyph("›", ">"), ground.patch(theme.accent()));
    put(buffer, inside, x + 2, 0, &format!("{place} of {}", words.len()), ground.patch(theme.faint()))
}

/// What the focused field means, what is wrong with it, and the keys.
fn foot(context: &Context<'_>, form: &LaneForm, field: Option<&Field>, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let bar = theme.bar();
    for x in 1..area.width.saturating_sub(1) {
        put(buffer, area, x, 0, theme.glyph("┄", "-"), bar.patch(theme.border()));
    }
    if let Some(field) = field {
        let (text, style) = match (field.locked, &field.fault) {
            (Some(why), _) => (why.to_owned(), theme.warn()),
            (None, Some(fault)) => (fault.clone(), theme.bad()),
            (None, None) => (field.help.clone(), theme.dim()),
        };
        let mut lines = format::wrap(&text, usize::from(area.width.saturating_sub(2)));
        lines.truncate(2);
        for (index, text) in lines.iter().enumerate() {
            put(buffer, area, 1, 1 + index as u16, text, bar.patch(style));
        }
    }
    let changes = form.changes();
    let accept = match &form.purpose {
        Purpose::Add(_) => "add lane".to_owned(),
        Purpose::Change { .. } if changes.is_empty() => "nothing changed".to_owned(),
        Purpose::Change { .. } => format!("apply {}", changes.join(", ")),
    };
    let keys = [
        (theme.glyph("↑↓", "up/down"), "field"),
        (theme.glyph("←→", "left/right"), "choose"),
        ("esc", "close"),
        (theme.glyph("⏎", "enter"), accept.as_str()),
    ];
    let y = area.height.saturating_sub(1);
    let mut x = 1;
    for (key, what) in keys {
        x = put(buffer, area, x, y, key, bar.patch(theme.accent()));
        let room = usize::from(area.width.saturating_sub(x + 2));
        x = put(buffer, area, x + 1, y, &format::fit(what, room), bar.patch(theme.dim())) + 2;
    }
}
