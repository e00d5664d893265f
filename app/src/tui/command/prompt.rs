//! The command line while it is open: the text, what could complete it, the commands before it, what was wrong with it.
#![forbid(unsafe_code)]

use super::super::action::Action;
use super::complete::{self, Offer, World};
use super::line::Line;

/// Commands that are remembered.
const MOST: usize = 200;

/// The open command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// What is typed.
    pub line: Line,
    /// What could stand in place of its last word.
    pub offers: Vec<Offer>,
    /// The offer that tab put into the line.
    pub chosen: Option<usize>,
    /// What was wrong with the line as it was entered.
    pub error: Option<String>,
    /// Where the last word begins.
    stem: usize,
    /// How far back in the commands before: 0 is the line itself.
    back: usize,
    /// The line as it was before looking back.
    draft: String,
}

impl Prompt {
    /// Opens with `text` typed.
    pub fn new(text: &str, world: World<'_>) -> Self {
        let mut prompt = Self { line: Line::new(text), ..Self::default() };
        prompt.refresh(world);
        prompt
    }

    fn refresh(&mut self, world: World<'_>) {
        (self.stem, self.offers) = complete::offers(self.line.before(), world);
        self.chosen = None;
    }

    /// Applies an action of typing. True when the line is to be closed: erased past its beginning.
    pub fn edit(&mut self, action: &Action, history: &[String], world: World<'_>) -> bool {
        if let Action::Complete = action {
            self.complete(world);
            return false;
        }
        match *action {
            Action::Type(character) => self.line.insert(character),
            Action::Erase if !self.line.erase() => return self.line.text().is_empty(),
            Action::EraseWord => self.line.erase_word(),
            Action::EraseAll => self.line = Line::default(),
            Action::Cursor(by) => self.line.move_by(by),
            Action::Scroll(by) => {
                self.recall(if by < 0 { self.back + 1 } else { self.back.saturating_sub(1) }, history);
            }
            Action::Erase => {}
            _ => return false,
        }
        self.error = None;
        self.refresh(world);
        false
    }

    /// The command `back` before this one.
    fn recall(&mut self, back: usize, history: &[String]) {
        if self.back == 0 {
            self.draft = self.line.text().to_owned();
        }
        self.back = back.min(history.len());
        let text = if self.back == 0 { &self.draft } else { &history[history.len() - self.back] };
        self.line = Line::new(text.clone());
    }

    /// Types what all offers share; where nothing more is shared, one offer after another.
    fn complete(&mut self, world: World<'_>) {
        let typed = self.line.before().get(self.stem..).unwrap_or("").to_owned();
        let shared = complete::common(&self.offers).to_owned();
        if let [only] = self.offers.as_slice() {
            let end = if only.word.ends_with('/') { "" } else { " " };
            let text = format!("{}{end}", only.word);
            self.replace(&text);
            self.refresh(world);
        } else if self.chosen.is_none() && shared.len() > typed.len() && shared.starts_with(&typed) {
            self.replace(&shared);
            self.refresh(world);
        } else if !self.offers.is_empty() {
            let next = self.chosen.map_or(0, |chosen| (chosen + 1) % self.offers.len());
            let text = self.offers[next].word.clone();
            self.replace(&text);
            self.chosen = Some(next);
        }
        self.error = None;
    }

    /// Puts `word` where the last word stands.
    fn replace(&mut self, word: &str) {
        let (before, after) = (self.line.before(), self.line.after().to_owned());
        let mut line = Line::new(format!("{}{word}", before.get(..self.stem).unwrap_or(before)));
        let here = line.text().chars().count();
        if !after.is_empty() {
            line = Line::new(format!("{}{after}", line.text()));
            while line.before().chars().count() > here {
                line.move_by(-1);
            }
        }
        self.line = line;
    }
}

/// Remembers a command that was entered; one entered again moves to the end.
pub fn remember(history: &mut Vec<String>, text: &str) {
    let text = text.trim();
    if text.is_empty() {
        return;
    }
    history.retain(|other| other != text);
    history.push(text.to_owned());
    if history.len() > MOST {
        history.remove(0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::config::layouts::Layouts;
    use super::*;
    use crate::session::protocol::Snapshot;

    fn with<T>(work: impl FnOnce(World<'_>) -> T) -> T {
        work(World { snapshot: &Snapshot::default(), layouts: &Layouts::default(), selected: None })
    }

    fn typed(text: &str) -> Prompt {
        with(|world| Prompt::new(text, world))
    }

    fn press(prompt: &mut Prompt, actions: &[Action], history: &[String]) {
        for action in actions {
            with(|world| prompt.edit(action, history, world));
        }
    }

    #[test]
    fn tab_types_what_is_shared_then_goes_around() {
        let mut prompt = typed("zoom-");
        press(&mut prompt, &[Action::Complete], &[]);
        assert_eq!(prompt.line.text(), "zoom-in");
        press(&mut prompt, &[Action::Complete], &[]);
        assert_eq!(prompt.line.text(), "zoom-out");
        press(&mut prompt, &[Action::Complete], &[]);
        assert_eq!(prompt.line.text(), "zoom-in");
        let mut only = typed("redr");
        press(&mut only, &[Action::Complete], &[]);
        assert_eq!(only.line.text(), "redraw ");
    }

    #[test]
    fn up_recalls_and_down_comes_back_to_what_was_typed() {
        let history = ["pause".to_owned(), "step 9".to_owned()];
        let mut prompt = typed("lay");
        press(&mut prompt, &[Action::Scroll(-1)], &history);
        assert_eq!(prompt.line.text(), "step 9");
        press(&mut prompt, &[Action::Scroll(-1), Action::Scroll(-1)], &history);
        assert_eq!(prompt.line.text(), "pause");
        press(&mut prompt, &[Action::Scroll(1), Action::Scroll(1)], &history);
        assert_eq!(prompt.line.text(), "lay");
    }

    #[test]
    fn erasing_past_the_beginning_closes() {
        let mut prompt = typed("a");
        assert!(!with(|world| prompt.edit(&Action::Erase, &[], world)));
        assert!(with(|world| prompt.edit(&Action::Erase, &[], world)));
    }

    #[test]
    fn completing_in_the_middle_keeps_what_follows() {
        let mut prompt = typed("redr now");
        press(&mut prompt, &[Action::Cursor(-4), Action::Complete], &[]);
        assert_eq!((prompt.line.before(), prompt.line.after()), ("redraw ", " now"));
    }

    #[test]
    fn a_command_is_remembered_once() {
        let mut history = Vec::new();
        for text in ["pause", "step", " ", "pause "] {
            remember(&mut history, text);
        }
        assert_eq!(history, ["step", "pause"]);
    }
}
