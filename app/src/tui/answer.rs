//! What an action does while an overlay is open: a form, a prompt, a list, a question. Without one, `update` is asked.
#![forbid(unsafe_code)]

use super::action::Action;
use super::browser::Wanted;
use super::command::{self, complete::World, prompt};
use super::editor::text::{self, Request};
use super::editor::{self, Outcome};
use super::lanes::shown;
use super::overlay::{help, palette};
use super::state::{Overlay, State, Window};
use super::update::{Effect, resized, selected, update};
use crate::session::protocol::{Command, Origin, Snapshot};

/// Does what was asked about, once the answer is yes.
pub fn perform(state: &mut State, action: Action, snapshot: &Snapshot) -> Vec<Effect> {
    match action {
        Action::Reset => {
            (state.crosshair, state.window) = (None, Window::All);
            state.values.clear();
            vec![Effect::Send(Command::Reset)]
        }
        Action::Stop => vec![Effect::Send(Command::Stop)],
        Action::TogglePause => vec![Effect::TrainOn],
        Action::Quit if snapshot.origin == Origin::Training => vec![Effect::Send(Command::Stop), Effect::Quit],
        Action::Quit => vec![Effect::Quit],
        Action::DropLane => {
            let lanes = shown(state, snapshot);
            let ids =
                selected(state, &lanes).map(|group| group.lanes.iter().map(|lane| lane.info.lane).collect::<Vec<_>>());
            ids.unwrap_or_default().into_iter().map(|id| Effect::Send(Command::Drop(id))).collect()
        }
        other => update(state, other, snapshot),
    }
}

/// What an action does while an overlay is open.
pub fn in_overlay(state: &mut State, action: Action, snapshot: &Snapshot) -> Vec<Effect> {
    let Some(overlay) = state.overlay.as_mut() else { return Vec::new() };
    match (overlay, action) {
        (_, Action::Resize(width, height)) => return resized(state, width, height),
        (Overlay::Editor(text), action) if action != Action::Redraw && action != Action::Suspend => {
            let quits = action == Action::Quit;
            let asked = text::reduce(text, if quits { &Action::Back } else { &action });
            return match asked {
                Some(Request::Save { path, over }) => vec![Effect::Save { path, over }],
                Some(Request::Run(draft)) => vec![Effect::Open(draft)],
                Some(Request::Close) => {
                    state.overlay = None;
                    if quits { update(state, Action::Quit, snapshot) } else { Vec::new() }
                }
                None => Vec::new(),
            };
        }
        (_, Action::Back) => state.overlay = None,
        (_, Action::Redraw) => return vec![Effect::Redraw],
        (_, Action::Suspend) => return vec![Effect::Suspend],
        (Overlay::Lane(_), Action::Quit) => {
            state.overlay = None;
            return update(state, Action::Quit, snapshot);
        }
        (Overlay::Browser(_), Action::Quit) => {
            state.overlay = None;
            return update(state, Action::Quit, snapshot);
        }
        (Overlay::Browser(browser), action) => match browser.reduce(&action) {
            Some(Wanted::Session) => return vec![Effect::EditSession(None)],
            Some(Wanted::Edit(item)) => return vec![Effect::Edit(item)],
            None => {}
        },
        (Overlay::Lane(form), action) => {
            if let Outcome::Send(commands) = editor::reduce(form, action) {
                state.overlay = None;
                return commands.into_iter().map(Effect::Send).collect();
            }
        }
        (Overlay::Confirm { action: asked, .. }, answer) => {
            let asked = asked.clone();
            let again = answer == Action::Quit && asked == Action::Quit;
            match answer {
                Action::Accept | Action::Type('y' | 'Y') => {
                    state.overlay = None;
                    return perform(state, asked, snapshot);
                }
                _ if again => {
                    state.overlay = None;
                    return perform(state, asked, snapshot);
                }
                Action::Type(_) | Action::Erase | Action::Quit => state.overlay = None,
                _ => {}
            }
        }
        (Overlay::Menu(_), Action::Quit) => {
            state.overlay = None;
            return update(state, Action::Quit, snapshot);
        }
        (Overlay::Menu(menu), action) => {
            let (chosen, typed) = (menu.choose(&action), matches!(action, Action::Type(_) | Action::Erase));
            if chosen.is_some() || typed {
                state.overlay = None;
            }
            return chosen.map_or_else(Vec::new, |chosen| update(state, chosen, snapshot));
        }
        (Overlay::Command(prompt), Action::Accept) => {
            let text = prompt.line.text().to_owned();
            match command::read(&text) {
                Ok(found) => {
                    prompt::remember(&mut state.history, &text);
                    state.overlay = None;
                    return found.map_or_else(Vec::new, |action| update(state, action, snapshot));
                }
                Err(error) => prompt.error = Some(error),
            }
        }
        (_, Action::Quit) => {
            state.overlay = None;
            return update(state, Action::Quit, snapshot);
        }
        (Overlay::Command(prompt), action) => {
            let world = World { snapshot, layouts: &state.layouts, selected: state.selected };
            let close = prompt.edit(&action, &state.history, world);
            if close {
                state.overlay = None;
            }
        }
        (Overlay::Help { query, scroll }, Action::Type(character)) => {
            query.push(character);
            *scroll = 0;
        }
        (Overlay::Help { query, scroll }, Action::Erase) => {
            query.pop();
            *scroll = 0;
        }
        (Overlay::Help { query, scroll }, Action::Scroll(by)) => {
            // Scrolling ends where the last row is in view.
            let shown = usize::from(state.size.1.saturating_sub(4));
            let most = help::rows(&state.keymap, query, state.size.0, false).len().saturating_sub(shown);
            *scroll = scroll.saturating_add_signed(by.into()).min(most);
        }
        (Overlay::Help { .. }, Action::Accept) => state.overlay = None,
        (Overlay::Palette { query, chosen }, Action::Type(character)) => {
            query.push(character);
            *chosen = 0;
        }
        (Overlay::Palette { query, chosen }, Action::Erase) => {
            query.pop();
            *chosen = 0;
        }
        (Overlay::Palette { query, chosen }, Action::Scroll(by)) => {
            *chosen = chosen
                .saturating_add_signed(by.into())
                .min(palette::matches(&state.layouts, &state.keymap, query).len().saturating_sub(1));
        }
        (Overlay::Palette { query, chosen }, Action::Accept) => {
            let found =
                palette::matches(&state.layouts, &state.keymap, query).into_iter().nth(*chosen).map(|line| line.action);
            state.overlay = None;
            if let Some(action) = found {
                return update(state, action, snapshot);
            }
        }
        _ => {}
    }
    Vec::new()
}
