//! Lines of text with a cursor, and what was there before.
#![forbid(unsafe_code)]

/// Changes that can be taken back.
const REMEMBERED: usize = 400;
/// Blanks of an indent.
const INDENT: usize = 4;

/// A text of lines. Columns count characters.
#[derive(Clone, Debug, PartialEq)]
pub struct Buffer {
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// The column that going up and down keeps to.
    wanted: usize,
    past: Vec<(Vec<Vec<char>>, usize, usize)>,
    /// Whether the last change was typing: it is taken back together with what was typed before it.
    typing: bool,
}

impl Buffer {
    /// With `text`, the cursor at its start.
    pub fn new(text: &str) -> Self {
        let mut lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
        if lines.is_empty() {
            lines.push(Vec::new());
        }
        Self { lines, row: 0, column: 0, wanted: 0, past: Vec::new(), typing: false }
    }

    /// The whole text; every line ends.
    pub fn text(&self) -> String {
        self.lines.iter().flat_map(|line| line.iter().copied().chain(['\n'])).collect()
    }

    /// The lines.
    pub fn lines(&self) -> &[Vec<char>] {
        &self.lines
    }

    /// Line and column of the cursor, from 0.
    pub fn cursor(&self) -> (usize, usize) {
        (self.row, self.column)
    }

    /// Goes to a place, or the nearest that there is.
    pub fn go(&mut self, row: usize, column: usize) {
        self.row = row.min(self.lines.len() - 1);
        self.column = column.min(self.lines[self.row].len());
        (self.wanted, self.typing) = (self.column, false);
    }

    /// Goes so many lines down.
    pub fn down(&mut self, by: isize) {
        let wanted = self.wanted;
        let row = self.row.saturating_add_signed(by).min(self.lines.len() - 1);
        self.go(row, wanted);
        self.wanted = wanted;
    }

    /// Goes so many characters on, over the ends of lines.
    pub fn right(&mut self, by: isize) {
        let (mut row, mut column) = (self.row, self.column);
        for _ in 0..by.unsigned_abs() {
            if by > 0 && column < self.lines[row].len() {
                column += 1;
            } else if by > 0 && row + 1 < self.lines.len() {
                (row, column) = (row + 1, 0);
            } else if by < 0 && column > 0 {
                column -= 1;
            } else if by < 0 && row > 0 {
                row -= 1;
                column = self.lines[row].len();
            }
        }
        self.go(row, column);
    }

    /// Goes to the first character that is no blank; from there to the start of the line.
    pub fn home(&mut self) {
        let indent = self.indent();
        self.go(self.row, if self.column == indent { 0 } else { indent });
    }

    /// Goes to the end of the line.
    pub fn end(&mut self) {
        self.go(self.row, self.lines[self.row].len());
    }

    fn indent(&self) -> usize {
        self.lines[self.row].iter().take_while(|letter| letter.is_whitespace()).count()
    }

    fn remember(&mut self, typing: bool) {
        if !(typing && self.typing) {
            if self.past.len() == REMEMBERED {
                self.past.remove(0);
            }
            self.past.push((self.lines.clone(), self.row, self.column));
        }
        self.typing = typing;
    }

    fn moved(&mut self, row: usize, column: usize) {
        let typing = self.typing;
        self.go(row, column);
        self.typing = typing;
    }

    /// Types a character; controls are left out.
    pub fn insert(&mut self, letter: char) {
        if letter.is_control() {
            return;
        }
        self.remember(!letter.is_whitespace());
        self.lines[self.row].insert(self.column, letter);
        self.moved(self.row, self.column + 1);
    }

    /// Blanks up to the next place of an indent.
    pub fn tab(&mut self) {
        self.remember(false);
        for _ in 0..INDENT - self.column % INDENT {
            self.lines[self.row].insert(self.column, ' ');
            self.column += 1;
        }
        self.moved(self.row, self.column);
    }

    /// A new line, as far in as this one; further after an opening bracket.
    pub fn newline(&mut self) {
        self.remember(false);
        let indent = self.indent().min(self.column);
        let rest = self.lines[self.row].split_off(self.column);
        let opens = self.lines[self.row].iter().rfind(|letter| !letter.is_whitespace());
        let deeper = if opens.is_some_and(|letter| "([{".contains(*letter)) { INDENT } else { 0 };
        let mut line = vec![' '; indent + deeper];
        line.extend(rest.into_iter().skip_while(|letter| *letter == ' '));
        self.lines.insert(self.row + 1, line);
        self.moved(self.row + 1, indent + deeper);
    }

    /// Erases the character before the cursor; in an indent, back to the place before.
    pub fn erase(&mut self) {
        if (self.row, self.column) == (0, 0) {
            return;
        }
        self.remember(false);
        if self.column == 0 {
            let line = self.lines.remove(self.row);
            let column = self.lines[self.row - 1].len();
            self.lines[self.row - 1].extend(line);
            return self.moved(self.row - 1, column);
        }
        let blank = self.lines[self.row][..self.column].iter().all(|letter| *letter == ' ');
        let count = if blank { (self.column - 1) % INDENT + 1 } else { 1 };
        self.lines[self.row].drain(self.column - count..self.column);
        self.moved(self.row, self.column - count);
    }

    /// Erases the character under the cursor, or the end of the line.
    pub fn delete(&mut self) {
        if self.column < self.lines[self.row].len() {
            self.remember(false);
            self.lines[self.row].remove(self.column);
        } else if self.row + 1 < self.lines.len() {
            self.remember(false);
            let line = self.lines.remove(self.row + 1);
            self.lines[self.row].extend(line);
        }
    }

    /// Erases the word before the cursor, and the blanks behind it.
    pub fn erase_word(&mut self) {
        self.remember(false);
        let line = &mut self.lines[self.row];
        let mut start = self.column;
        while start > 0 && line[start - 1].is_whitespace() {
            start -= 1;
        }
        while start > 0 && (line[start - 1].is_alphanumeric() || line[start - 1] == '_') {
            start -= 1;
        }
        start = start.min(self.column.saturating_sub(1));
        line.drain(start..self.column);
        self.moved(self.row, start);
    }

    /// Erases the line up to the cursor.
    pub fn erase_line(&mut self) {
        self.remember(false);
        self.lines[self.row].drain(..self.column);
        self.moved(self.row, 0);
    }

    /// Takes the last change back; false when there is none.
    pub fn undo(&mut self) -> bool {
        let Some((lines, row, column)) = self.past.pop() else { return false };
        self.lines = lines;
        self.go(row, column);
        true
    }

    /// Bytes of [`Buffer::text`] before the cursor.
    pub fn offset(&self) -> usize {
        let bytes = |line: &[char]| line.iter().map(|letter| letter.len_utf8()).sum::<usize>();
        let above: usize = self.lines[..self.row].iter().map(|line| bytes(line) + 1).sum();
        above + bytes(&self.lines[self.row][..self.column])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_broken_indented_and_joined() {
        let mut buffer = Buffer::new("(\n    a: [1],\n)\n");
        buffer.go(1, 8);
        buffer.newline();
        assert_eq!(buffer.text(), "(\n    a: [\n        1],\n)\n");
        assert_eq!(buffer.cursor(), (2, 8));
        buffer.erase();
        assert_eq!(buffer.cursor(), (2, 4));
        buffer.erase();
        buffer.erase();
        assert_eq!(buffer.text(), "(\n    a: [1],\n)\n");
        while buffer.undo() {}
        assert_eq!(buffer.text(), "(\n    a: [1],\n)\n");
    }

    #[test]
    fn words_are_taken_back_as_they_were_typed() {
        let mut buffer = Buffer::new("");
        "one two".chars().for_each(|letter| buffer.insert(letter));
        assert!(buffer.undo());
        assert_eq!(buffer.text(), "one \n");
        buffer.erase_word();
        assert_eq!(buffer.text(), "\n");
    }

    #[test]
    fn up_and_down_keep_their_column() {
        let mut buffer = Buffer::new("long line\nab\nlong line\n");
        buffer.go(0, 7);
        buffer.down(1);
        assert_eq!(buffer.cursor(), (1, 2));
        buffer.down(1);
        assert_eq!(buffer.cursor(), (2, 7));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(3), ..ProptestConfig::with_cases(256) })]

        #[test]
        fn no_keys_break_a_text_and_all_can_be_taken_back(text in "[a-z (\\[é\n]{0,40}", keys in prop::collection::vec((0u8..12, any::<char>()), 0..60)) {
            let mut buffer = Buffer::new(&text);
            let first = buffer.text();
            for (key, letter) in keys {
                match key {
                    0 | 1 => buffer.insert(letter),
                    2 => buffer.newline(),
                    3 => buffer.erase(),
                    4 => buffer.delete(),
                    5 => buffer.right(1),
                    6 => buffer.right(-1),
                    7 => buffer.down(1),
                    8 => buffer.down(-1),
                    9 => buffer.erase_word(),
                    10 => buffer.tab(),
                    _ => buffer.erase_line(),
                }
                let (row, column) = buffer.cursor();
                prop_assert!(row < buffer.lines().len() && column <= buffer.lines()[row].len());
                prop_assert!(buffer.text().is_char_boundary(buffer.offset()));
            }
            while buffer.undo() {}
            prop_assert_eq!(buffer.text(), first);
        }
    }
}
