//! One frame: header, panes where the layout puts them, verdict, keys, overlay.
//!
//! ```text
//! ┌ header ────────────────────────────────────────────┐
//! │ ╭ lanes ─╮╭ loss ───────────────╮╭ accuracy ─────╮ │
//! │ ╭ formula╮╭ alignment ──────────╮╭ matrix ───────╮ │
//! │ ╭ log ───╮╭ cosine ─────────────╮╭ rank ─────────╮ │
//! │ verdict                                            │
//! └ keys ──────────────────────────────────────────────┘
//! ```
#![forbid(unsafe_code)]

use super::context::{Context, Framing, Hit};
use super::format;
use super::ink::{self, put};
use super::lanes::shown;
use super::layout::{self, Class, Needs};
use super::overlay;
use super::panes::{self, PaneId, header, keyline, lane_line, numbers, verdict};
use super::smooth::Derived;
use super::state::{State, last_step};
use super::theme::Theme;
use crate::session::protocol::Snapshot;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::cell::RefCell;

/// Draws the whole screen into `buffer`; returns what the mouse can point at.
pub fn draw(state: &State, snapshot: &Snapshot, theme: &Theme, derived: &Derived, buffer: &mut Buffer) -> Vec<Hit> {
    let area = buffer.area;
    let groups = shown(state, snapshot);
    let hits = RefCell::new(Vec::new());
    let class = layout::class(area.width, area.height);
    let mut context = Context {
        state,
        snapshot,
        theme,
        groups: &groups,
        derived,
        framing: if class == Class::Dashboard { Framing::Boxed } else { Framing::Ruled },
        listed: true,
        hits: &hits,
        offered: None,
    };
    if class == Class::Sentence {
        sentence(&context, area, buffer);
        if theme.ascii {
            ink::to_ascii(buffer);
        }
        return hits.into_inner();
    }
    header::render(&context, area, buffer);
    let last = Rect { y: area.bottom() - 1, height: 1, ..area };
    keyline::render(&context, last, buffer);
    let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
    match class {
        _ if state.zoomed => {
            context.listed = false;
            let rest = Rect { height: body.height.saturating_sub(1), ..body };
            panes::render(state.focus, &context, rest, buffer);
            verdict::render(&context, Rect { y: rest.bottom(), height: 1, ..body }, buffer);
        }
        Class::Dashboard => {
            let body = Rect { height: body.height - 1, ..body };
            let placed = state.layouts.get(state.layout).dashboard.place(body, &Needs::of(state, snapshot));
            context.listed = placed.iter().any(|(pane, _)| *pane == PaneId::Lanes);
            for (pane, rect) in placed {
                panes::render(pane, &context, rect, buffer);
            }
            verdict::render(&context, Rect { y: body.bottom(), height: 1, ..body }, buffer);
        }
        Class::Stack => {
            let lines = lane_line::rows(groups.len(), body);
            panes::render(PaneId::LaneLine, &context, Rect { height: lines, ..body }, buffer);
            let rest = Rect { y: body.y + lines, height: body.height - lines - 1, ..body };
            let layout = state.layouts.get(state.layout);
            for (pane, rect) in layout.stack.place(rest, &Needs::of(state, snapshot)) {
                panes::render(pane, &context, rect, buffer);
            }
            verdict::render(&context, Rect { y: rest.bottom(), height: 1, ..body }, buffer);
        }
        Class::Numbers | Class::Sentence => {
            let rows = 2 + groups.len() as u16;
            let table = Rect { height: body.height.min(rows.max(3)), ..body };
            numbers::render(&context, table, buffer);
            if table.height < body.height {
                let rest = Rect { y: table.bottom(), height: body.height - table.height, ..body };
                verdict::render(&context, rest, buffer);
            }
        }
    }
    if let Some(figures) = &state.perf {
        overlay::perf::render(&context, figures, area, buffer);
    }
    overlay::render(&context, area, buffer);
    if theme.ascii {
        ink::to_ascii(buffer);
    }
    hits.into_inner()
}

/// What a terminal too small for numbers shows.
fn sentence(context: &Context<'_>, area: Rect, buffer: &mut Buffer) {
    let snapshot = context.snapshot;
    let text = format!(
        "step {}/{}; Guesswork needs 30×6 cells",
        format::grouped(last_step(snapshot)),
        format::grouped(snapshot.steps)
    );
    for (y, line) in format::wrap(&text, area.width.into()).iter().enumerate() {
        put(buffer, area, 0, y as u16, line, context.theme.text());
    }
}
