//! The browser of workspaces: those in the folder, those opened lately, the shipped ones, and the session as it is now.
#![forbid(unsafe_code)]

mod render;
#[cfg(test)]
mod tests;

pub use render::render;

use super::action::Action;
use crate::workspace::Shelved;

/// The list over the panes.
#[derive(Clone, Debug, PartialEq)]
pub struct Browser {
    /// What there is.
    pub items: Vec<Shelved>,
    /// What was typed to search.
    pub query: String,
    /// The chosen line.
    pub chosen: usize,
}

/// A line of the list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Choice<'a> {
    /// The lanes as they run now.
    Session,
    /// A workspace.
    Shelved(&'a Shelved),
}

/// What is to be done after a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// Edit the session as it is now.
    Session,
    /// Edit this workspace.
    Edit(Shelved),
}

impl Browser {
    /// Over what there is.
    pub fn new(items: Vec<Shelved>) -> Self {
        Self { items, query: String::new(), chosen: 0 }
    }

    /// The lines that hold every word of what was typed.
    pub fn lines(&self) -> Vec<Choice<'_>> {
        let words: Vec<String> = self.query.split_whitespace().map(str::to_lowercase).collect();
        let holds = |text: &str| words.iter().all(|word| text.to_lowercase().contains(word.as_str()));
        let session = holds("this session as it is now").then_some(Choice::Session);
        let shelved = self.items.iter().filter(|item| holds(&format!("{} {}", item.path.display(), item.about)));
        session.into_iter().chain(shelved.map(Choice::Shelved)).collect()
    }

    /// Applies `action`.
    pub fn reduce(&mut self, action: &Action) -> Option<Wanted> {
        match action {
            Action::Type(letter) => {
                self.query.push(*letter);
                self.chosen = 0;
            }
            Action::Erase => {
                self.query.pop();
                self.chosen = 0;
            }
            Action::EraseWord | Action::EraseAll => {
                self.query.clear();
                self.chosen = 0;
            }
            Action::Scroll(by) => {
                let most = self.lines().len().saturating_sub(1);
                self.chosen = self.chosen.saturating_add_signed((*by).into()).min(most);
            }
            Action::Accept => {
                return self.lines().get(self.chosen).map(|line| match line {
                    Choice::Session => Wanted::Session,
                    Choice::Shelved(item) => Wanted::Edit((*item).clone()),
                });
            }
            _ => {}
        }
        None
    }
}
