//! A line of text being typed, with a cursor.
#![forbid(unsafe_code)]

/// A line of text with a cursor, counted in characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    text: String,
    cursor: usize,
}

impl Line {
    /// With `text` typed already.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { cursor: text.chars().count(), text }
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What stands before the cursor.
    pub fn before(&self) -> &str {
        &self.text[..self.byte(self.cursor)]
    }

    /// What stands behind it.
    pub fn after(&self) -> &str {
        &self.text[self.byte(self.cursor)..]
    }

    fn byte(&self, place: usize) -> usize {
        self.text.char_indices().nth(place).map_or(self.text.len(), |(byte, _)| byte)
    }

    /// Types a character.
    pub fn insert(&mut self, character: char) {
        if !character.is_control() {
            self.text.insert(self.byte(self.cursor), character);
            self.cursor += 1;
        }
    }

    /// Erases the character before the cursor; false when there is none.
    pub fn erase(&mut self) -> bool {
        let Some(place) = self.cursor.checked_sub(1) else { return false };
        self.text.remove(self.byte(place));
        self.cursor = place;
        true
    }

    /// Erases the word before the cursor, and the blanks behind it.
    pub fn erase_word(&mut self) {
        let before = self.before().trim_end();
        let kept = before.rfind(char::is_whitespace).map_or(0, |place| place + 1);
        let (kept, after) = (before[..kept].to_owned(), self.after().to_owned());
        self.cursor = kept.chars().count();
        self.text = kept + &after;
    }

    /// Moves the cursor.
    pub fn move_by(&mut self, by: i8) {
        self.cursor = self.cursor.saturating_add_signed(by.into()).min(self.text.chars().count());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_erasing_and_moving() {
        let mut line = Line::new("εn");
        line.move_by(-1);
        line.insert('x');
        assert_eq!((line.before(), line.after()), ("εx", "n"));
        assert!(line.erase() && line.erase() && !line.erase());
        assert_eq!(line.text(), "n");
        line.move_by(127);
        line.insert('\n');
        assert_eq!(line.text(), "n");
    }

    #[test]
    fn words_are_erased_backwards() {
        let mut line = Line::new("export loss  ");
        line.erase_word();
        assert_eq!(line.text(), "export ");
        line.erase_word();
        assert_eq!((line.text(), line.before()), ("", ""));
        line.erase_word();
        assert_eq!(line.text(), "");
    }
}
