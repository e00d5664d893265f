//! What keys and mouse mean: terminal events to actions, given what is on the screen.
#![forbid(unsafe_code)]

use super::action::Action;
use super::chart::Steps;
use super::context::{Hit, Target};
use super::keymap::Keymap;
use super::panes::PaneId;
use super::state::State;
use super::view::{Band, HEIGHT};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

/// Turns events into actions; remembers where a drag began.
#[derive(Debug, Default)]
pub struct Input {
    drag: Option<Drag>,
}

/// A drag under way: the chart it began in, and where.
#[derive(Clone, Copy, Debug)]
struct Drag {
    pane: PaneId,
    area: Rect,
    steps: Steps,
    /// Whether the chart has an axis of values.
    values: bool,
    from: Position,
}

/// Columns and rows that a rubber band must be wide or high to count along that axis: a click moves by a cell at most.
const WIDE: u16 = 3;
const HIGH: u16 = 2;

impl Drag {
    fn inside(&self, at: Position) -> Position {
        let clamp = |value: u16, low: u16, high: u16| value.clamp(low, high.saturating_sub(1).max(low));
        Position {
            x: clamp(at.x, self.area.left(), self.area.right()),
            y: clamp(at.y, self.area.top(), self.area.bottom()),
        }
    }

    fn step(&self, at: Position) -> u64 {
        self.steps.step((self.inside(at).x - self.area.left()).into(), self.area.width.into())
    }

    /// What lies between the beginning and `at`.
    fn band(&self, at: Position) -> Band {
        let (from, to) = (self.inside(self.from), self.inside(at));
        let wide = from.x.abs_diff(to.x) >= WIDE;
        let high = self.values && from.y.abs_diff(to.y) >= HIGH;
        let (top, bottom) = (from.y.min(to.y), from.y.max(to.y) + 1);
        Band {
            pane: self.pane,
            across: wide.then(|| (self.step(from), self.step(to))),
            along: high.then(|| (part(self.area, bottom), part(self.area, top))),
        }
    }
}

/// How far above the foot of `area` the upper edge of row `y` lies, in [`HEIGHT`]ths.
fn part(area: Rect, y: u16) -> u16 {
    let below = area.bottom().saturating_sub(y).min(area.height);
    (u32::from(below) * u32::from(HEIGHT) / u32::from(area.height.max(1))) as u16
}

impl Input {
    /// The action of `event`, if it has one.
    pub fn action(&mut self, event: &Event, state: &State, hits: &[Hit]) -> Option<Action> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => of_key(key, &state.keymap, state.overlay.is_some()),
            Event::Mouse(mouse) => self.of_mouse(mouse, state, hits),
            _ => None,
        }
    }

    fn of_mouse(&mut self, mouse: &MouseEvent, state: &State, hits: &[Hit]) -> Option<Action> {
        let at = Position { x: mouse.column, y: mouse.row };
        let under = || hits.iter().rev().filter(|hit| hit.area.contains(at));
        let pane = || under().find_map(|hit| if let Target::Pane(pane) = hit.target { Some(pane) } else { None });
        let values = || under().find_map(|hit| if let Target::Values(..) = hit.target { Some(hit.area) } else { None });
        let chart = || {
            under().find_map(|hit| match hit.target {
                Target::Steps(pane, steps) => {
                    Some(Drag { pane, area: hit.area, steps, values: values().is_some(), from: at })
                }
                _ => None,
            })
        };
        match mouse.kind {
            MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
                let closer = mouse.kind == MouseEventKind::ScrollUp;
                let scroll = Action::Scroll(if closer { -3 } else { 3 });
                if state.overlay.is_some() {
                    return Some(scroll);
                }
                // Beside the chart, or with a key held, the wheel is for values.
                match (chart(), values().zip(pane())) {
                    (Some(chart), _) if mouse.modifiers.is_empty() || !chart.values => {
                        Some(Action::Magnify { at: chart.step(at), closer })
                    }
                    (_, Some((area, pane))) => {
                        let part = (part(area, at.y) + part(area, at.y + 1)) / 2;
                        Some(Action::MagnifyValues { pane, part, closer })
                    }
                    _ => Some(scroll),
                }
            }
            _ if state.overlay.is_some() => None,
            MouseEventKind::ScrollLeft => Some(Action::Pan(-1)),
            MouseEventKind::ScrollRight => Some(Action::Pan(1)),
            MouseEventKind::Down(MouseButton::Left) => {
                let verdict =
                    under().find_map(|hit| if let Target::Verdict(found) = hit.target { Some(found) } else { None });
                if let Some(evidence) = verdict {
                    return Some(Action::Look(evidence));
                }
                self.drag = chart();
                let lane = under().find_map(|hit| if let Target::Lane(lane) = hit.target { Some(lane) } else { None });
                let layer =
                    under().find_map(|hit| if let Target::Layer(layer) = hit.target { Some(layer) } else { None });
                let step = self.drag.map(|drag| drag.step(at));
                Some(Action::Point { pane: pane(), lane, step, layer })
            }
            MouseEventKind::Drag(MouseButton::Left) => {
                let drag = self.drag?;
                let band = drag.band(at);
                if band.across.is_none() && band.along.is_none() {
                    return Some(Action::Point { pane: None, lane: None, step: Some(drag.step(at)), layer: None });
                }
                Some(Action::Stretch(band))
            }
            MouseEventKind::Up(MouseButton::Left) => {
                let drag = self.drag.take()?;
                let band = drag.band(at);
                (state.band.is_some() || band.across.is_some() || band.along.is_some()).then_some(Action::Window(band))
            }
            MouseEventKind::Down(MouseButton::Right) => Some(Action::Back),
            _ => None,
        }
    }
}

/// In an overlay letters are text; else the key bindings decide.
fn of_key(key: &KeyEvent, keymap: &Keymap, overlay: bool) -> Option<Action> {
    let control = key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    match key.code {
        _ if !overlay => keymap.action(key).cloned(),
        KeyCode::Char('w') if control => Some(Action::EraseWord),
        KeyCode::Char('u') if control => Some(Action::EraseAll),
        KeyCode::Char('s') if control => Some(Action::Save),
        KeyCode::Char('r') if control => Some(Action::Run),
        KeyCode::Char('t') if control => Some(Action::Undo),
        _ if control => keymap.action(key).cloned(),
        KeyCode::Char(character) => Some(Action::Type(character)),
        KeyCode::Backspace => Some(Action::Erase),
        KeyCode::Delete => Some(Action::Delete),
        KeyCode::BackTab => Some(Action::FocusPrevious),
        KeyCode::Enter => Some(Action::Accept),
        KeyCode::Tab => Some(Action::Complete),
        KeyCode::Left => Some(Action::Cursor(-1)),
        KeyCode::Right => Some(Action::Cursor(1)),
        KeyCode::Home => Some(Action::Cursor(i8::MIN)),
        KeyCode::End => Some(Action::Cursor(i8::MAX)),
        KeyCode::Esc => Some(Action::Back),
        KeyCode::Up => Some(Action::Scroll(-1)),
        KeyCode::Down => Some(Action::Scroll(1)),
        KeyCode::PageUp => Some(Action::Scroll(-10)),
        KeyCode::PageDown => Some(Action::Scroll(10)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::chart::Scale;
    use super::super::state::Overlay;
    use super::*;

    fn press(code: KeyCode) -> Event {
        Event::Key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn mouse(kind: MouseEventKind, column: u16, row: u16) -> Event {
        Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
    }

    #[test]
    fn letters_are_text_in_an_overlay() {
        let mut state = State::default();
        let mut input = Input::default();
        assert_eq!(input.action(&press(KeyCode::Char('q')), &state, &[]), Some(Action::Quit));
        state.overlay = Some(Overlay::Help { query: String::new(), scroll: 0 });
        assert_eq!(input.action(&press(KeyCode::Char('q')), &state, &[]), Some(Action::Type('q')));
        assert_eq!(input.action(&press(KeyCode::Esc), &state, &[]), Some(Action::Back));
    }

    fn chart() -> [Hit; 3] {
        let steps = Steps { first: 0, last: 99, log: false };
        let canvas = Rect::new(10, 1, 100, 8);
        [
            Hit { area: Rect::new(0, 0, 120, 10), target: Target::Pane(PaneId::Loss) },
            Hit {
                area: Rect { x: 1, width: 109, ..canvas },
                target: Target::Values(PaneId::Loss, Scale::linear(0.0, 8.0)),
            },
            Hit { area: canvas, target: Target::Steps(PaneId::Loss, steps) },
        ]
    }

    #[test]
    fn a_click_points_and_a_drag_zooms() {
        let hits = chart();
        let (state, mut input) = (State::default(), Input::default());
        let down = input.action(&mouse(MouseEventKind::Down(MouseButton::Left), 20, 4), &state, &hits);
        let expected = Action::Point { pane: Some(PaneId::Loss), lane: None, step: Some(10), layer: None };
        assert_eq!(down, Some(expected));
        assert_eq!(input.action(&mouse(MouseEventKind::Up(MouseButton::Left), 21, 4), &state, &hits), None);
        input.action(&mouse(MouseEventKind::Down(MouseButton::Left), 20, 4), &state, &hits);
        let up = input.action(&mouse(MouseEventKind::Up(MouseButton::Left), 200, 4), &state, &hits);
        assert_eq!(up, Some(Action::Window(Band { pane: PaneId::Loss, across: Some((10, 99)), along: None })));
    }

    #[test]
    fn a_rubber_band_is_drawn_in_both_axes_and_in_each() {
        let (hits, mut state, mut input) = (chart(), State::default(), Input::default());
        let mut drag = |to: (u16, u16), state: &State| {
            input.action(&mouse(MouseEventKind::Down(MouseButton::Left), 20, 3), state, &hits);
            let stretch = input.action(&mouse(MouseEventKind::Drag(MouseButton::Left), to.0, to.1), state, &hits);
            (stretch, input.action(&mouse(MouseEventKind::Up(MouseButton::Left), to.0, to.1), state, &hits))
        };
        // Rows 3 to 6 of 8 rows from 1: between a quarter and three quarters of the height.
        let both = Band { pane: PaneId::Loss, across: Some((10, 50)), along: Some((2500, 7500)) };
        assert_eq!(drag((60, 6), &state), (Some(Action::Stretch(both)), Some(Action::Window(both))));
        let high = Band { across: None, ..both };
        assert_eq!(drag((21, 6), &state), (Some(Action::Stretch(high)), Some(Action::Window(high))));
        // A band drawn and taken back ends where it began: the release must clear it.
        state.band = Some(both);
        let none = Band { across: None, along: None, ..both };
        assert_eq!(drag((20, 3), &state).1, Some(Action::Window(none)));
    }

    #[test]
    fn the_wheel_zooms_around_what_it_points_at() {
        let (hits, state, mut input) = (chart(), State::default(), Input::default());
        let up = |column| mouse(MouseEventKind::ScrollUp, column, 4);
        assert_eq!(input.action(&up(20), &state, &hits), Some(Action::Magnify { at: 10, closer: true }));
        let values = Action::MagnifyValues { pane: PaneId::Loss, part: 5625, closer: true };
        assert_eq!(input.action(&up(4), &state, &hits), Some(values.clone()));
        let mut held = up(20);
        if let Event::Mouse(event) = &mut held {
            event.modifiers = KeyModifiers::CONTROL;
        }
        assert_eq!(input.action(&held, &state, &hits), Some(values));
        assert_eq!(input.action(&up(119), &state, &hits), Some(Action::Scroll(-3)));
    }
}
