//! The settings of the selected lane: what it was started with, what it runs with now. Drawn from a plain list of rows, in as many
//! columns as the pane has room for.
#![forbid(unsafe_code)]

use super::super::context::Context;
use super::super::format;
use super::super::ink::{put, row, width};
use super::super::lanes::Group;
use super::PaneId;
use crate::workspace::LossesSpec;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde::Serialize;

/// A line of the pane.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Heading it stands under.
    pub heading: &'static str,
    /// Name, as in the workspace file.
    pub name: String,
    /// Value, as in the workspace file.
    pub value: String,
}

/// A value as the workspace file has it; nothing for what is not set.
fn written(value: &impl Serialize) -> String {
    let text = ron::to_string(value).unwrap_or_default();
    let text = text.strip_prefix("Some(").and_then(|text| text.strip_suffix(')')).unwrap_or(&text);
    if text == "None" { String::new() } else { text.trim_matches('"').replace(",", ", ") }
}

/// The settings of `group`: the strategy, its own parameters, how guesses become an estimate, the optimizer, the seeds.
pub fn rows(group: &Group<'_>) -> Vec<Row> {
    let info = &group.first().info;
    let spec = &info.spec;
    let mut rows: Vec<Row> = Vec::new();
    let mut add = |heading, name: &str, value: String| {
        if !value.is_empty() {
            rows.push(Row { heading, name: name.to_owned(), value });
        }
    };
    add("strategy", "strategy", spec.strategy.clone());
    add("strategy", "version", info.card.version.clone());
    add("strategy", "kind", info.card.kind.clone());
    for (name, value) in &spec.params {
        add("params", name, written(value));
    }
    add("estimate", "scope", written(&info.scope));
    add("estimate", "guesses", written(&spec.guesses));
    if spec.at_once.is_some() {
        add("estimate", "at once", written(&spec.at_once));
    }
    add("estimate", "combine", written(&spec.combine));
    add("estimate", "scaling", written(&spec.scaling));
    add("estimate", "normalise", written(&spec.normalise));
    add("estimate", "clip", written(&spec.clip));
    add("estimate", "source", written(&spec.source));
    add("estimate", "output", written(&spec.output));
    if spec.losses.is_some_and(|losses| losses != LossesSpec::Global) {
        add("estimate", "losses", written(&spec.losses));
    }
    add("optimizer", "optimizer", written(&spec.optimizer));
    add("optimizer", "schedule", written(&spec.schedule));
    add("optimizer", "η now", group.learning_rate().map_or(String::new(), format::value));
    let seeds: Vec<String> = group.lanes.iter().map(|lane| lane.info.seed.to_string()).collect();
    add("model", "seeds", seeds.join(" "));
    add("model", "parameters", format::grouped(info.parameters as u64));
    add("model", "FLOP a step", format::grouped(info.flop));
    add("model", "derivatives a step", format::grouped(info.derivatives()));
    rows
}

/// Least width of a column of rows.
const COLUMN: u16 = 44;

pub fn render(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let group = context.selected();
    let name = group.map(|group| group.name.clone()).unwrap_or_default();
    let inner = context.frame(PaneId::Parameters, "Parameters", &name, area, buffer);
    let Some(group) = group else { return context.empty(context.nothing("no lanes"), inner, buffer) };
    draw(context, &rows(group), inner, buffer);
}

/// Draws `rows` under their headings, column after column; what does not fit is counted in the last line.
pub fn draw(context: &Context<'_>, rows: &[Row], area: Rect, buffer: &mut Buffer) {
    let theme = context.theme;
    let mut lines: Vec<(Option<&'static str>, Option<&Row>)> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        if index == 0 || rows[index - 1].heading != row.heading {
            lines.push((Some(row.heading), None));
        }
        lines.push((None, Some(row)));
    }
    let columns = (lines.len() as u16).div_ceil(area.height.max(1)).clamp(1, (area.width / COLUMN).max(1));
    let size = area.width / columns;
    let names = rows.iter().map(|row| width(&row.name)).max().unwrap_or(0).min(size / 2);
    let room = usize::from(area.height) * usize::from(columns);
    let shown = if lines.len() > room { room.saturating_sub(1) } else { lines.len() };
    let place = |index: usize| {
        let (column, line) = (index / usize::from(area.height.max(1)), index % usize::from(area.height.max(1)));
        let x = area.x + column as u16 * size;
        row(Rect { x, width: size.saturating_sub(1), ..area }, line as u16)
    };
    for (index, line) in lines.iter().take(shown).enumerate() {
        let here = place(index);
        match line {
            (Some(heading), _) => {
                put(buffer, here, 1, 0, heading, theme.accent());
            }
            (None, Some(row)) => {
                put(buffer, here, 2, 0, &format::fit(&row.name, names.into()), theme.dim());
                let room = here.width.saturating_sub(names + 4);
                put(buffer, here, names + 4, 0, &format::fit(&row.value, room.into()), theme.text());
            }
            (None, None) => {}
        }
    }
    if shown < lines.len() && room > 0 {
        let text = format!("{} more: give the pane more room", lines.len() - shown);
        put(buffer, place(shown), 2, 0, &text, theme.faint());
    }
}
