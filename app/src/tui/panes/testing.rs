//! One pane alone, for tests.

use super::super::chart::{Scale, Steps};
use super::super::context::{Context, Framing, Hit, Target};
use super::super::ink::clear;
use super::super::lanes::groups;
use super::super::smooth::Derived;
use super::super::state::State;
use super::super::theme::Theme;
use super::PaneId;
use crate::session::protocol::Snapshot;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::cell::RefCell;

/// Draws one pane alone.
pub fn pane(id: PaneId, state: &State, snapshot: &Snapshot, size: (u16, u16)) -> (Buffer, Vec<Hit>) {
    themed(id, state, snapshot, size, &Theme::default())
}

/// The same with a theme.
pub fn themed(id: PaneId, state: &State, snapshot: &Snapshot, size: (u16, u16), theme: &Theme) -> (Buffer, Vec<Hit>) {
    let area = Rect::new(0, 0, size.0, size.1);
    let mut buffer = Buffer::empty(area);
    clear(&mut buffer, area, Style::new());
    let (groups, hits, derived) = (groups(snapshot), RefCell::new(Vec::new()), Derived::default());
    let context = Context {
        state,
        snapshot,
        theme,
        groups: &groups,
        derived: &derived,
        framing: Framing::Boxed,
        listed: true,
        hits: &hits,
        offered: None,
    };
    super::render(id, &context, area, &mut buffer);
    (buffer, hits.into_inner())
}

/// The canvas of the chart, and its x axis.
pub fn canvas(hits: &[Hit]) -> (Rect, Steps) {
    let chart = hits.iter().find_map(|hit| match hit.target {
        Target::Steps(_, steps) => Some((hit.area, steps)),
        _ => None,
    });
    chart.expect("a chart")
}

/// The scale of its values.
pub fn scale(hits: &[Hit]) -> Scale {
    let scale = hits.iter().find_map(|hit| if let Target::Values(_, scale) = hit.target { Some(scale) } else { None });
    scale.expect("a scale")
}

/// Its text, a line a row.
pub fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let rows = buffer.content().chunks(width);
    rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>() + "\n").collect()
}
