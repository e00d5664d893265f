//! Every action by part of its name: letters in order are enough, and those that fit are marked.
#![forbid(unsafe_code)]

use super::super::action::{ACTIONS, Action};
use super::super::chord::Chord;
use super::super::config::layouts::Layouts;
use super::super::context::Context;
use super::super::format;
use super::super::ink::{clear, put, put_right, row};
use super::super::keymap::Keymap;
use super::super::panes::{PANES, PaneId};
use super::panel;
use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A line of the palette.
pub struct Match {
    /// Name shown.
    pub name: String,
    /// Its keys, if any.
    pub keys: Vec<Chord>,
    /// What accepting does.
    pub action: Action,
    score: u32,
    /// Places of the letters that fit.
    places: Vec<u32>,
}

/// The lines that fit `query`, best first: its letters in order, each word anywhere.
pub fn matches(layouts: &Layouts, keymap: &Keymap, query: &str) -> Vec<Match> {
    let actions = ACTIONS.iter().enumerate();
    let actions = actions.filter_map(|(row, entry)| {
        let name = match entry.action {
            Action::Layout(number) if number > layouts.count() => return None,
            Action::Layout(number) => format!("{}: {}", entry.name, layouts.get(number).name),
            _ => entry.name.to_owned(),
        };
        Some((name, keymap.keys(row).to_vec(), entry.action.clone()))
    });
    let panes = PANES.iter().filter(|pane| pane.id != PaneId::LaneLine);
    let shows = panes.map(|pane| (format!("show {}", pane.name), Vec::new(), Action::Show(pane.id)));
    let pattern = Pattern::new(query, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut found: Vec<Match> = actions
        .chain(shows)
        .filter(|(.., action)| *action != Action::Palette)
        .filter_map(|(name, keys, action)| {
            let (mut letters, mut places) = (Vec::new(), Vec::new());
            let score = pattern.indices(Utf32Str::new(&name, &mut letters), &mut matcher, &mut places)?;
            Some(Match { score, name, keys, action, places })
        })
        .collect();
    if !query.trim().is_empty() {
        found.sort_by_key(|line| std::cmp::Reverse(line.score));
    }
    found
}

/// Draws the palette.
pub fn render(context: &Context<'_>, query: &str, chosen: usize, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let bar = theme.bar();
    let found = matches(&context.state.layouts, &context.state.keymap, query);
    let inner = panel(context, (56, 18), "Palette", true, area, buffer);
    let x = put(buffer, inner, 1, 0, ": ", bar.patch(theme.accent()));
    let x = put(buffer, inner, x, 0, query, bar.patch(theme.text()));
    put(buffer, inner, x, 0, theme.glyph("▏", "_"), bar.patch(theme.accent()));
    if found.is_empty() {
        put(buffer, inner, 1, 2, "no action has these letters", bar.patch(theme.dim()));
    }
    let rows = usize::from(inner.height.saturating_sub(2)).max(1);
    let first = (chosen + 1).saturating_sub(rows);
    for (index, line) in found.iter().enumerate().skip(first).take(rows) {
        let here = row(inner, (index - first) as u16 + 2);
        let ground = if index == chosen { theme.chosen() } else { bar };
        clear(buffer, here, ground);
        let name = format::fit(&line.name, usize::from(here.width.saturating_sub(14)));
        let mut x = 1;
        for (place, letter) in name.chars().enumerate() {
            let hit = line.places.contains(&(place as u32));
            let style = if hit { theme.accent() } else { theme.text() };
            x = put(buffer, here, x, 0, letter.encode_utf8(&mut [0; 4]), ground.patch(style));
        }
        let keys: Vec<String> = line.keys.iter().map(|key| key.name(theme.ascii)).collect();
        put_right(buffer, here, here.width.saturating_sub(1), 0, &keys.join(" "), ground.patch(theme.key()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(query: &str) -> Option<String> {
        matches(&Layouts::default(), &Keymap::default(), query).into_iter().next().map(|line| line.name)
    }

    #[test]
    fn letters_in_order_find_the_action() {
        assert_eq!(best("reset").as_deref(), Some("reset"));
        assert_eq!(best("logv").as_deref(), Some("logarithmic values"));
        assert_eq!(best("l2c").as_deref(), Some("layout 2: curves"));
        assert_eq!(best("show los").as_deref(), Some("show loss"));
        assert_eq!(best("zzzz"), None);
        assert_eq!(matches(&Layouts::default(), &Keymap::default(), "").len(), ACTIONS.len() - 1 + PANES.len() - 1);
    }
}
