//! The command line in the place of the key line, with what could complete it above, and what was wrong with it.
#![forbid(unsafe_code)]

use super::super::command::prompt::Prompt;
use super::super::context::Context;
use super::super::format;
use super::super::ink::{clear, put, row, width};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Offers shown at most.
const OFFERS: u16 = 10;

/// Draws the command line in the last rows of `area`.
pub fn render(context: &Context<'_>, prompt: &Prompt, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let bar = theme.bar();
    if area.height == 0 {
        return;
    }
    let line = row(area, area.height - 1);
    clear(buffer, line, bar);
    let x = put(buffer, line, 1, 0, ":", bar.patch(theme.accent()));
    // Of a line longer than the screen the part around the cursor shows.
    let room = usize::from(line.width.saturating_sub(x + 2)).max(1);
    let (before, after) = (prompt.line.before(), prompt.line.after());
    let skipped = before.chars().count().saturating_sub(room);
    let before: String = before.chars().skip(skipped).collect();
    let x = put(buffer, line, x, 0, &before, bar.patch(theme.text()));
    let mut after = after.chars();
    let under = after.next().unwrap_or(' ').to_string();
    let x = put(buffer, line, x, 0, &under, theme.text().add_modifier(ratatui::style::Modifier::REVERSED));
    put(buffer, line, x, 0, after.as_str(), bar.patch(theme.text()));
    let mut above = area.height - 1;
    if let Some(error) = &prompt.error {
        let lines = format::wrap(error, usize::from(area.width.saturating_sub(4)));
        for text in lines.iter().rev() {
            let Some(y) = above.checked_sub(1) else { return };
            above = y;
            clear(buffer, row(area, y), bar);
            put(buffer, row(area, y), 2, 0, text, bar.patch(theme.bad()));
        }
    }
    offers(context, prompt, Rect { height: above, ..area }, buffer);
}

/// The offers in the last rows of `area`, the chosen one among them.
fn offers(context: &Context<'_>, prompt: &Prompt, area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let bar = theme.bar();
    let rows = (prompt.offers.len() as u16).min(OFFERS).min(area.height.saturating_sub(1));
    let first = prompt.chosen.map_or(0, |chosen| (chosen + 1).saturating_sub(rows.into()));
    let longest = prompt.offers.iter().map(|offer| width(&offer.word)).max().unwrap_or(0).clamp(12, 34);
    for (index, offer) in prompt.offers.iter().enumerate().skip(first).take(rows.into()) {
        let here = row(area, area.height - rows + (index - first) as u16);
        let ground = if prompt.chosen == Some(index) { theme.chosen() } else { bar };
        clear(buffer, here, ground);
        let word = format::fit(&offer.word, usize::from(longest));
        put(buffer, here, 2, 0, &word, ground.patch(theme.text()));
        let help = format::fit(&offer.help, usize::from(here.width.saturating_sub(longest + 6)));
        put(buffer, here, longest + 4, 0, &help, ground.patch(theme.dim()));
    }
}
