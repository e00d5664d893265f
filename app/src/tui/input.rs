//! What keys and mouse mean: terminal events to actions, given what is on the screen.
#![forbid(unsafe_code)]

use super::action::Action;
use super::chart::Steps;
use super::context::{Hit, Target};
use super::keymap::Keymap;
use super::state::State;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

/// Turns events into actions; remembers where a drag began.
#[derive(Debug, Default)]
pub struct Input {
    drag: Option<(Rect, Steps, u64)>,
}

impl Input {
    /// The action of `event`, if it has one.
    pub fn action(&mut self, event: &Event, state: &State, hits: &[Hit]) -> Option<Action> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => of_key(key, &state.keymap, state.overlay.is_some()),
            Event::Mouse(mouse) => self.of_mouse(mouse, state, hits),
            Event::Resize(width, height) => Some(Action::Resize(*width, *height)),
            _ => None,
        }
    }

    fn of_mouse(&mut self, mouse: &MouseEvent, state: &State, hits: &[Hit]) -> Option<Action> {
        let at = Position { x: mouse.column, y: mouse.row };
        let under = || hits.iter().rev().filter(|hit| hit.area.contains(at));
        let steps = || {
            under().find_map(|hit| match hit.target {
                Target::Steps(steps) => Some((hit.area, steps)),
                _ => None,
            })
        };
        let step_in = |area: Rect, steps: &Steps| {
            let x = mouse.column.clamp(area.left(), area.right().saturating_sub(1)) - area.left();
            steps.step(x.into(), area.width.into())
        };
        match mouse.kind {
            MouseEventKind::ScrollUp => Some(Action::Scroll(-3)),
            MouseEventKind::ScrollDown => Some(Action::Scroll(3)),
            _ if state.overlay.is_some() => None,
            MouseEventKind::Down(MouseButton::Left) => {
                let chart = steps();
                self.drag = chart.map(|(area, steps)| (area, steps, step_in(area, &steps)));
                let pane = under().find_map(|hit| if let Target::Pane(pane) = hit.target { Some(pane) } else { None });
                let lane = under().find_map(|hit| if let Target::Lane(lane) = hit.target { Some(lane) } else { None });
                let layer =
                    under().find_map(|hit| if let Target::Layer(layer) = hit.target { Some(layer) } else { None });
                let step = chart.map(|(area, steps)| step_in(area, &steps));
                Some(Action::Point { pane, lane, step, layer })
            }
            MouseEventKind::Drag(MouseButton::Left) => {
                let (area, steps, _) = self.drag?;
                Some(Action::Point { pane: None, lane: None, step: Some(step_in(area, &steps)), layer: None })
            }
            MouseEventKind::Up(MouseButton::Left) => {
                let (area, steps, from) = self.drag.take()?;
                let to = step_in(area, &steps);
                // A click moves by a cell at most; a rubber band is wider.
                let column = |step| steps.column(step, area.width.into());
                let wide = column(from)?.abs_diff(column(to)?) >= 3;
                wide.then_some(Action::Window(from, to))
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
        _ if control => keymap.action(key).cloned(),
        KeyCode::Char(character) => Some(Action::Type(character)),
        KeyCode::Backspace => Some(Action::Erase),
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
    use super::super::panes::PaneId;
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

    #[test]
    fn a_click_points_and_a_drag_zooms() {
        let steps = Steps { first: 0, last: 99, log: false };
        let hits = [
            Hit { area: Rect::new(0, 0, 120, 10), target: Target::Pane(PaneId::Loss) },
            Hit { area: Rect::new(10, 1, 100, 8), target: Target::Steps(steps) },
        ];
        let (state, mut input) = (State::default(), Input::default());
        let down = input.action(&mouse(MouseEventKind::Down(MouseButton::Left), 20, 4), &state, &hits);
        let expected = Action::Point { pane: Some(PaneId::Loss), lane: None, step: Some(10), layer: None };
        assert_eq!(down, Some(expected));
        assert_eq!(input.action(&mouse(MouseEventKind::Up(MouseButton::Left), 21, 4), &state, &hits), None);
        input.action(&mouse(MouseEventKind::Down(MouseButton::Left), 20, 4), &state, &hits);
        let up = input.action(&mouse(MouseEventKind::Up(MouseButton::Left), 200, 40), &state, &hits);
        assert_eq!(up, Some(Action::Window(10, 99)));
    }
}
