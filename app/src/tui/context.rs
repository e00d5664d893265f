//! What a pane is given to draw: state, snapshot, theme, and the lanes folded into groups; and the frame around it.
#![forbid(unsafe_code)]

use super::chart::{Scale, Steps};
use super::compare;
use super::export::Offered;
use super::ink::{put, put_right, width};
use super::lanes::{Group, mean_deviation};
use super::panes::PaneId;
use super::progress::Ruler;
use super::smooth::Derived;
use super::state::State;
use super::theme::{Theme, Tier};
use super::update;
use super::verdict::Evidence;
use crate::record::{Key, LaneId};
use crate::session::history::Series;
use crate::session::protocol::{LaneView, Origin, Snapshot, Status};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use std::cell::RefCell;
use std::sync::Arc;

/// Something on the screen that the mouse can point at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Where.
    pub area: Rect,
    /// What.
    pub target: Target,
}

/// What the mouse can point at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// A pane.
    Pane(PaneId),
    /// A lane of a list.
    Lane(LaneId),
    /// Columns of a pane that stand for steps.
    Steps(PaneId, Steps),
    /// Rows of a pane that stand for values.
    Values(PaneId, Scale),
    /// Rows of a layer.
    Layer(u16),
    /// A verdict, and where it can be seen.
    Verdict(Evidence),
}

/// How panes are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// A box around each.
    Boxed,
    /// A rule with the title above each.
    Ruled,
}

/// Everything a pane reads.
pub struct Context<'a> {
    /// What the screen remembers.
    pub state: &'a State,
    /// What the trainer published.
    pub snapshot: &'a Snapshot,
    /// Colours and glyphs.
    pub theme: &'a Theme,
    /// Lanes folded by seed.
    pub groups: &'a [Group<'a>],
    /// Moving averages.
    pub derived: &'a Derived,
    /// How panes are framed.
    pub framing: Framing,
    /// Whether lanes are listed elsewhere on the screen, so that charts need no legend.
    pub listed: bool,
    /// What the mouse can point at, filled while drawing.
    pub hits: &'a RefCell<Vec<Hit>>,
    /// Where panes hand over what they draw, while one is exported.
    pub offered: Option<&'a RefCell<Option<Offered>>>,
}

/// Columns to the right of a chart that hold its newest values.
pub const MARGIN: u16 = 7;

impl Context<'_> {
    /// The selected group.
    pub fn selected(&self) -> Option<&Group<'_>> {
        update::selected(self.state, self.groups)
    }

    /// Whether `group` is the selected one.
    pub fn is_selected(&self, group: &Group<'_>) -> bool {
        self.selected().is_some_and(|other| other.id() == group.id())
    }

    /// The ruler of `lane` in the unit of the x axis.
    pub fn ruler<'b>(&self, lane: &'b LaneView) -> Ruler<'b> {
        Ruler::new(self.state.unit, lane)
    }

    /// Values of a quantity at the crosshair, else the newest: mean and deviation over the seeds.
    pub fn value(&self, group: &Group<'_>, key: Key) -> Option<(f64, f64)> {
        self.read(group, |lane| lane.history.series(key))
    }

    /// The same of the moving average with weight `beta`.
    pub fn smooth(&self, group: &Group<'_>, key: Key, beta: f64) -> Option<(f64, f64)> {
        self.read(group, |lane| self.derived.series(lane, key, false, beta))
    }

    fn read(&self, group: &Group<'_>, of: impl Fn(&LaneView) -> Option<Arc<Series>>) -> Option<(f64, f64)> {
        let values = self.values(group, of);
        (!values.is_empty()).then(|| mean_deviation(&values))
    }

    /// The value at the crosshair of each seed of a group that has one.
    fn values(&self, group: &Group<'_>, of: impl Fn(&LaneView) -> Option<Arc<Series>>) -> Vec<f64> {
        let at = |lane: &&LaneView| self.ruler(lane).read(&*of(lane)?, self.state.crosshair);
        group.lanes.iter().filter_map(at).map(|(_, value)| value).collect()
    }

    /// Standard error of a group's mean at the crosshair from those of its seeds, which `key` holds: √Σe²/n.
    pub fn error(&self, group: &Group<'_>, key: Key) -> Option<f64> {
        let errors = self.values(group, |lane| lane.history.series(key));
        let squares: f64 = errors.iter().map(|error| error * error).sum();
        (!errors.is_empty()).then(|| squares.sqrt() / errors.len() as f64)
    }

    /// The group that charts are shown as differences to; `None` where they show values.
    pub fn baseline(&self) -> Option<&Group<'_>> {
        compare::baseline(self.state, self.groups).filter(|_| self.state.difference)
    }

    /// Where the crosshair stands, in words; `newest` without it.
    pub fn place(&self) -> String {
        self.state.crosshair.map_or("newest".to_owned(), |at| self.state.unit.place(at))
    }

    /// The steps shown.
    pub fn steps(&self) -> Steps {
        self.state.steps(self.snapshot)
    }

    /// Columns to the left of every chart over steps: the same for all, so that charts above each other line up.
    pub fn gutter(&self) -> u16 {
        let longest = self
            .selected()
            .map_or(0, |group| group.first().info.sites.iter().map(|name| width(name)).max().unwrap_or(0));
        (longest + 1).clamp(7, 15)
    }

    /// Style of a group's name and marker.
    pub fn lane_style(&self, group: &Group<'_>) -> Style {
        let style = Style::new().fg(self.theme.lane(group.colour));
        if self.is_selected(group) { style.add_modifier(Modifier::BOLD) } else { style }
    }

    /// Hands over what a pane draws, where that is asked for.
    pub fn offer(&self, make: impl FnOnce() -> Offered) {
        if let Some(offered) = self.offered {
            *offered.borrow_mut() = Some(make());
        }
    }

    /// Tells what the mouse points at in `area`.
    pub fn hit(&self, area: Rect, target: Target) {
        self.hits.borrow_mut().push(Hit { area, target });
    }

    /// Frames a pane with its title and notes on what is shown; returns what is inside.
    pub fn frame(&self, pane: PaneId, title: &str, notes: &str, area: Rect, buffer: &mut Buffer) -> Rect {
        let area = area.intersection(buffer.area);
        self.hit(area, Target::Pane(pane));
        let focused = self.state.focus == pane && self.state.overlay.is_none() && !self.state.on_verdict;
        let title_style = if focused { self.theme.accent() } else { self.theme.title() };
        let line =
            if focused { Style::new().fg(self.theme.accent().fg.unwrap_or_default()) } else { self.theme.border() };
        let line =
            if focused && self.theme.tier == Tier::Mono { Style::new().add_modifier(Modifier::BOLD) } else { line };
        let boxed = self.framing == Framing::Boxed && area.width >= 4 && area.height >= 3;
        let [horizontal, vertical] = [self.theme.glyph("─", "-"), self.theme.glyph("│", "|")];
        for x in 0..area.width {
            put(buffer, area, x, 0, horizontal, line);
            if boxed {
                put(buffer, area, x, area.height - 1, horizontal, line);
            }
        }
        if boxed {
            for y in 0..area.height {
                put(buffer, area, 0, y, vertical, line);
                put(buffer, area, area.width - 1, y, vertical, line);
            }
            let corners = [
                (0, 0, "╭"),
                (area.width - 1, 0, "╮"),
                (0, area.height - 1, "╰"),
                (area.width - 1, area.height - 1, "╯"),
            ];
            for (x, y, corner) in corners {
                put(buffer, area, x, y, self.theme.glyph(corner, "+"), line);
            }
        }
        // Where the title is too long its last part is missed least.
        let room = area.width.saturating_sub(6);
        let title =
            if width(title) > room { title.rsplit_once(" · ").map_or(title, |(first, _)| first) } else { title };
        let title = super::format::fit(title, room.into());
        let head = Rect { x: area.x + 1, width: area.width.saturating_sub(2), height: area.height.min(1), ..area };
        // Without colours the focus shows by a mark.
        let focus_mark = if focused && self.theme.tier == Tier::Mono { self.theme.glyph("◂ ", "< ") } else { "" };
        let end = put(buffer, head, if boxed { 1 } else { 0 }, 0, &format!(" {title} {focus_mark}"), title_style);
        let notes = format!(" {notes} ");
        if notes.len() > 2 && end + width(&notes) + 2 <= head.width {
            put_right(buffer, head, head.width - u16::from(boxed), 0, &notes, self.theme.dim());
        }
        if boxed {
            Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 2 }
        } else {
            Rect { y: area.y + area.height.min(1), height: area.height.saturating_sub(1), ..area }
        }
    }

    /// Why a pane has nothing to show: that nothing happened yet, else `otherwise`.
    pub fn nothing(&self, otherwise: &'static str) -> &'static str {
        match self.snapshot.status {
            _ if self.snapshot.lanes.iter().any(|lane| lane.step > 0) => otherwise,
            Status::Starting if self.snapshot.origin != Origin::Training => "reading the records",
            Status::Starting => "starting: data, plugins, models",
            Status::Failed(_) => "nothing to show: the run failed",
            _ => "no step has been taken yet",
        }
    }

    /// Says in the middle of a pane why it is empty.
    pub fn empty(&self, text: &str, area: Rect, buffer: &mut Buffer) {
        let lines = super::format::wrap(text, usize::from(area.width.saturating_sub(2)));
        let top = area.height.saturating_sub(lines.len() as u16) / 2;
        for (index, line) in lines.iter().enumerate() {
            let x = area.width.saturating_sub(width(line)) / 2;
            put(buffer, area, x, top + index as u16, line, self.theme.faint());
        }
    }
}
