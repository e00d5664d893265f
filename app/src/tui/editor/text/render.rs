//! The editor of a workspace, drawn: lines with numbers, what is wrong below its place, the field's meaning at the foot.
#![forbid(unsafe_code)]

use super::{Asking, Finding, TextEditor};
use crate::tui::context::Context;
use crate::tui::format;
use crate::tui::ink::{clear, put, put_right, row, width};
use crate::tui::overlay::panel;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

/// Rows below the text: a rule, the field's meaning, the keys.
const FOOT: u16 = 4;

/// A row of the text's part.
enum Shown<'a> {
    Line(usize),
    Wrong(&'a Finding, usize),
}

/// Draws the editor.
pub fn render(context: &Context<'_>, editor: &TextEditor, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let mark = if editor.changed() { theme.glyph(" ●", " *") } else { "" };
    let name = editor.path.as_ref().map_or(editor.label.clone(), |path| path.display().to_string());
    let inner = panel(context, (area.width.min(132), area.height), &format!("{name}{mark}"), false, area, buffer);
    let height = inner.height.saturating_sub(FOOT).max(1);
    let digits = editor.buffer.lines().len().to_string().len() as u16;
    let gutter = digits + 2;
    let text = Rect { x: inner.x + gutter, width: inner.width.saturating_sub(gutter + 1), height, ..inner };
    let (at, column) = editor.buffer.cursor();
    let rows = rows(editor);
    let here = rows.iter().position(|row| matches!(row, Shown::Line(line) if *line == at)).unwrap_or(0);
    // The cursor stays in the middle half, so that what is around it is seen.
    let first = (here + usize::from(height) / 4 + 1).saturating_sub(height.into());
    let first = first.min(rows.len().saturating_sub(height.into()));
    let across = (column + 4).saturating_sub(text.width.into());
    for (index, shown) in rows.iter().enumerate().skip(first).take(height.into()) {
        let y = (index - first) as u16;
        match shown {
            Shown::Line(line) => {
                let ground = if *line == at { theme.chosen() } else { theme.bar() };
                clear(buffer, Rect { x: inner.x, ..row(Rect { height, ..inner }, y) }, ground);
                let number = (line + 1).to_string();
                put_right(buffer, inner, digits + 1, y, &number, ground.patch(theme.faint()));
                draw_line(context, editor, *line, across, ground, row(text, y), buffer);
            }
            Shown::Wrong(finding, indent) => {
                let indent = (*indent).saturating_sub(across).min(usize::from(text.width) / 2) as u16;
                let room = usize::from(text.width.saturating_sub(indent + 2));
                let line = format!("{} {}", theme.glyph("╰", "^"), format::fit(&finding.message, room));
                put(buffer, row(text, y), indent, 0, &line, theme.bar().patch(theme.bad()));
            }
        }
    }
    foot(context, editor, Rect { y: inner.y + height, height: inner.height - height, ..inner }, buffer);
}

/// Lines, and below each what is wrong in it.
fn rows(editor: &TextEditor) -> Vec<Shown<'_>> {
    let mut rows = Vec::new();
    for line in 0..editor.buffer.lines().len() {
        rows.push(Shown::Line(line));
        for finding in &editor.findings {
            if let Some(place) = finding.place.filter(|place| place.line == line + 1) {
                rows.push(Shown::Wrong(finding, place.column - 1));
            }
        }
    }
    rows
}

fn draw_line(
    context: &Context<'_>,
    editor: &TextEditor,
    line: usize,
    across: usize,
    ground: Style,
    area: Rect,
    buffer: &mut Buffer,
) {
    let theme = context.theme;
    let letters = &editor.buffer.lines()[line];
    let (at, column) = editor.buffer.cursor();
    let wrong =
        |place: usize| {
            editor.findings.iter().filter_map(|finding| finding.place).any(|found| {
                found.line == line + 1 && found.column <= place + 1 && place + 1 < found.column + found.length
            })
        };
    let mut x = 0;
    for (place, style) in colours(letters).into_iter().enumerate().skip(across) {
        let style = match style {
            Ink::Comment => theme.faint(),
            Ink::Text => theme.good(),
            Ink::Number => theme.accent(),
            Ink::Name => theme.text(),
            Ink::Sign => theme.dim(),
        };
        let style = if wrong(place) { theme.bad().add_modifier(Modifier::UNDERLINED) } else { style };
        let style = if (at, column) == (line, place) { style.add_modifier(Modifier::REVERSED) } else { style };
        let letter = letters.get(place).copied().unwrap_or(' ');
        let letter = if letter == '\t' { ' ' } else { letter };
        x = put(buffer, area, x, 0, letter.encode_utf8(&mut [0; 4]), ground.patch(style));
    }
}

/// What a character is part of.
#[derive(Clone, Copy)]
enum Ink {
    Comment,
    Text,
    Number,
    Name,
    Sign,
}

/// The kinds of a line's characters, and of the place behind its end.
fn colours(letters: &[char]) -> Vec<Ink> {
    let mut inks = Vec::with_capacity(letters.len() + 1);
    let (mut quoted, mut comment, mut word): (bool, bool, Option<Ink>) = (false, false, None);
    for (place, letter) in letters.iter().enumerate() {
        comment |= !quoted && *letter == '/' && letters.get(place + 1) == Some(&'/');
        let ink = if comment {
            Ink::Comment
        } else if quoted || *letter == '"' {
            quoted ^= *letter == '"' && !(quoted && place > 0 && letters[place - 1] == '\\');
            Ink::Text
        } else if letter.is_alphanumeric() || "_.-".contains(*letter) {
            let first = if letter.is_ascii_digit() || *letter == '-' { Ink::Number } else { Ink::Name };
            *word.get_or_insert(first)
        } else {
            Ink::Sign
        };
        if !(letter.is_alphanumeric() || "_.-".contains(*letter)) {
            word = None;
        }
        inks.push(ink);
    }
    inks.push(Ink::Sign);
    inks
}

fn foot(context: &Context<'_>, editor: &TextEditor, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let bar = theme.bar();
    for x in 1..area.width.saturating_sub(1) {
        put(buffer, area, x, 0, theme.glyph("┄", "-"), bar.patch(theme.border()));
    }
    let room = usize::from(area.width.saturating_sub(2));
    let (line, column) = editor.buffer.cursor();
    let place = format!("{}:{}", line + 1, column + 1);
    put_right(buffer, area, area.width.saturating_sub(1), 0, &format!(" {place} "), bar.patch(theme.dim()));
    let here = editor.findings.iter().find(|finding| finding.place.is_none_or(|place| place.line == line + 1));
    let (text, style) = match (&editor.note, here) {
        (Some(note), _) => (note.clone(), theme.accent()),
        (None, Some(finding)) => {
            let hint = finding.hint.as_ref().map_or(String::new(), |hint| format!("; {hint}"));
            (format!("{}{hint}", finding.message), theme.bad())
        }
        (None, None) => (editor.about().unwrap_or_default(), theme.dim()),
    };
    for (index, text) in format::wrap(&text, room).iter().take(2).enumerate() {
        put(buffer, area, 1, 1 + index as u16, text, bar.patch(style));
    }
    let y = area.height.saturating_sub(1);
    let x = match &editor.asking {
        Some(Asking::Path(line)) => {
            let x = put(buffer, area, 1, y, "save as ", bar.patch(theme.accent()));
            let x = put(buffer, area, x, y, line.before(), bar.patch(theme.text()));
            let mut after = line.after().chars();
            let under = after.next().unwrap_or(' ').to_string();
            let x = put(buffer, area, x, y, &under, bar.patch(theme.text()).add_modifier(Modifier::REVERSED));
            put(buffer, area, x, y, after.as_str(), bar.patch(theme.text()))
        }
        Some(Asking::Over(path)) => {
            let text = format!("{} is there already. Write over it? ", path.display());
            let x = put(buffer, area, 1, y, &text, bar.patch(theme.warn()));
            put(buffer, area, x, y, "y yes  esc no", bar.patch(theme.dim()))
        }
        Some(Asking::Leave) => {
            let x = put(buffer, area, 1, y, "The changes are in no file. Leave them? ", bar.patch(theme.warn()));
            put(buffer, area, x, y, "y yes  ^S save  esc no", bar.patch(theme.dim()))
        }
        Some(Asking::Run) => {
            let x = put(buffer, area, 1, y, "End this session and run it? ", bar.patch(theme.warn()));
            put(buffer, area, x, y, "y yes  esc no", bar.patch(theme.dim()))
        }
        None => keys(context, editor, area, y, buffer),
    };
    let count = editor.findings.len();
    let state = match count {
        0 => format!("{} sound", theme.glyph("✓", "=")),
        _ => format!("{} {count} wrong", theme.glyph("✕", "!")),
    };
    if x + width(&state) + 2 < area.width {
        let style = if count == 0 { theme.good() } else { theme.bad() };
        put_right(buffer, area, area.width.saturating_sub(1), y, &state, bar.patch(style));
    }
}

fn keys(context: &Context<'_>, editor: &TextEditor, area: Rect, y: u16, buffer: &mut Buffer) -> u16 {
    let theme = context.theme;
    let bar = theme.bar();
    let wrong = !editor.findings.is_empty();
    let shift_tab = theme.glyph("⇧tab", "shift-tab");
    let all = [
        ("^S", "save", true),
        ("^R", "run", !wrong),
        (shift_tab, "next error", wrong),
        ("^T", "undo", true),
        ("esc", "close", true),
    ];
    let mut x = 1;
    for (key, what, _) in all.into_iter().filter(|(_, _, shown)| *shown) {
        x = put(buffer, area, x, y, key, bar.patch(theme.accent()));
        x = put(buffer, area, x + 1, y, what, bar.patch(theme.dim())) + 2;
    }
    x
}
