//! All that the screen remembers between frames. What the trainer knows is in the snapshot, not here.
#![forbid(unsafe_code)]

use super::action::Action;
use super::browser::Browser;
use super::chart::{Scale, Steps};
use super::command::prompt::Prompt;
use super::config::layouts::Layouts;
use super::editor::LaneForm;
use super::editor::text::TextEditor;
use super::keymap::Keymap;
use super::overlay::menu::Menu;
use super::panes::{self, PaneId};
use super::perf::Figures;
use super::progress::{Ruler, Unit};
use super::rank::By;
pub use super::view::Window;
use super::view::{Band, Trail, Values, View};
use crate::filter::Filter;
use crate::record::LaneId;
use crate::session::protocol::Snapshot;
use std::sync::Arc;

/// Weights of the past a step, for the moving average; 0 is none.
pub const SMOOTHING: [f64; 6] = [0.0, 0.6, 0.9, 0.97, 0.99, 0.997];

/// What lies over the panes and takes the keys.
#[derive(Clone, Debug, PartialEq)]
pub enum Overlay {
    /// The help screen.
    Help {
        /// What was typed to search.
        query: String,
        /// First line shown.
        scroll: usize,
    },
    /// The palette.
    Palette {
        /// What was typed.
        query: String,
        /// The chosen line.
        chosen: usize,
    },
    /// A menu.
    Menu(Menu),
    /// The command line.
    Command(Prompt),
    /// The form of a lane.
    Lane(Box<LaneForm>),
    /// The browser of workspaces.
    Browser(Box<Browser>),
    /// The text of a workspace.
    Editor(Box<TextEditor>),
    /// A question to be answered with yes or no.
    Confirm {
        /// The question.
        question: String,
        /// What a yes does.
        action: Action,
    },
}

/// The state of the screen.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// The layout, counted from 1.
    pub layout: u8,
    /// The focused pane.
    pub focus: PaneId,
    /// Whether the focused pane has the full screen.
    pub zoomed: bool,
    /// The selected lane: the first of its seeds.
    pub selected: Option<LaneId>,
    /// The layer pointed at.
    pub layer: Option<u16>,
    /// The crosshair's place along x, in units of [`State::unit`].
    pub crosshair: Option<u64>,
    /// The part of the run shown.
    pub window: Window,
    /// Unit of the x axis.
    pub unit: Unit,
    /// Charts whose values do not follow the data.
    pub values: Vec<Values>,
    /// The baseline: the first lane of its group.
    pub pinned: Option<LaneId>,
    /// Show charts as differences to the baseline.
    pub difference: bool,
    /// What lanes are ranked by: an index into [`super::rank::METRICS`].
    pub metric: usize,
    /// Which of a lane's values counts for its rank.
    pub ranked_by: By,
    /// The views before and after this one.
    pub trail: Trail,
    /// The rubber band under way.
    pub band: Option<Band>,
    /// The scales that charts had when last drawn: what a place on the screen meant.
    pub scales: Vec<(PaneId, Scale)>,
    /// Logarithmic steps.
    pub log_x: bool,
    /// Panes with logarithmic values.
    pub log_y: Vec<PaneId>,
    /// Index into [`SMOOTHING`].
    pub smoothing: usize,
    /// Leave the outermost values out of the range.
    pub robust: bool,
    /// Cosines with their sign.
    pub signed: bool,
    /// Lines of the log scrolled back.
    pub log_back: usize,
    /// What lies over the panes.
    pub overlay: Option<Overlay>,
    /// The layouts of keys 1 to 9.
    pub layouts: Arc<Layouts>,
    /// Which keys do what.
    pub keymap: Arc<Keymap>,
    /// Commands entered so far, oldest first.
    pub history: Vec<String>,
    /// Whether the verdict line has the focus, and not a pane.
    pub on_verdict: bool,
    /// Verdicts whose evidence was shown one after the other.
    pub verdict: usize,
    /// The lanes that are shown; all of them when `None`.
    pub filter: Option<Arc<Filter>>,
    /// What the screen itself costs, when that is shown.
    pub perf: Option<Figures>,
    /// Something to say until the next key.
    pub notice: Option<String>,
    /// Number of the last refusal that was seen.
    pub refusal: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            size: (80, 24),
            layout: 1,
            focus: PaneId::Loss,
            zoomed: false,
            selected: None,
            layer: None,
            crosshair: None,
            window: Window::All,
            unit: Unit::Steps,
            values: Vec::new(),
            pinned: None,
            difference: false,
            metric: 0,
            ranked_by: By::Best,
            trail: Trail::default(),
            band: None,
            scales: Vec::new(),
            log_x: false,
            log_y: vec![PaneId::Cosine, PaneId::NormRatio, PaneId::Variance, PaneId::Curvature],
            smoothing: 2,
            robust: true,
            signed: false,
            log_back: 0,
            overlay: None,
            layouts: Arc::default(),
            keymap: Arc::default(),
            history: Vec::new(),
            on_verdict: false,
            verdict: 0,
            filter: None,
            perf: None,
            notice: None,
            refusal: 0,
        }
    }
}

/// The last step any lane took.
pub fn last_step(snapshot: &Snapshot) -> u64 {
    snapshot.lanes.iter().map(|lane| lane.step).max().unwrap_or(0).saturating_sub(1)
}

impl State {
    /// Weight of the past a step.
    pub fn beta(&self) -> f64 {
        SMOOTHING.get(self.smoothing).copied().unwrap_or(0.0)
    }

    /// The furthest place along x that any lane has come to: where its last step began.
    pub fn end(&self, snapshot: &Snapshot) -> u64 {
        let ends = snapshot.lanes.iter().map(|lane| Ruler::new(self.unit, lane).at(lane.step.saturating_sub(1)));
        ends.max().unwrap_or(0)
    }

    /// The part of the x axis shown.
    pub fn steps(&self, snapshot: &Snapshot) -> Steps {
        let end = self.end(snapshot).max(1);
        let (first, last) = match self.window {
            Window::All => (0, end),
            Window::Tail(span) => (end.saturating_sub(span.saturating_sub(1)), end),
            Window::Fixed(first, last) => (first, last.max(first.saturating_add(1))),
        };
        Steps { first, last, log: self.log_x }
    }

    /// The view as the trail keeps it.
    pub fn view(&self) -> View {
        View { window: self.window, unit: self.unit, values: self.values.clone() }
    }

    /// Range of values chosen for `pane`.
    pub fn values_of(&self, pane: PaneId) -> Option<Values> {
        self.values.iter().find(|values| values.pane == pane).copied()
    }

    /// Whether `pane` has logarithmic values.
    pub fn is_log(&self, pane: PaneId) -> bool {
        self.log_y.contains(&pane) && !self.is_difference(pane)
    }

    /// Whether `pane` shows differences to the baseline, which have both signs.
    pub fn is_difference(&self, pane: PaneId) -> bool {
        self.difference && self.pinned.is_some() && panes::compares(pane)
    }
}
