//! Reading a filter, by recursive descent. Every error names the place of what was not expected, in characters from 1.
//!
//! ```text
//! any    = all { "or" all }
//! all    = one { ["and"] one }
//! one    = ("!" | "not") one | "(" any ")" | field test | state | text
//! test   = ("=" | "!=" | "<" | "<=" | ">" | ">=") value | "in" item { "," item }
//! item   = value [ ".." value ]
//! ```
#![forbid(unsafe_code)]

use super::field::{Field, Numeric, State, Wordy, names};
use super::{Comparison, Filter, Span};
use strsim::damerau_levenshtein;

/// Brackets within brackets, and negations of negations, at most.
const DEPTH: usize = 64;

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct FilterError {
    /// Column of the first character that does not fit, from 1.
    pub column: usize,
    /// Characters that are meant, at least 1.
    pub length: usize,
    /// What was expected.
    pub message: String,
}

impl FilterError {
    /// The text with the place marked below it, for a terminal.
    pub fn marked(&self, text: &str) -> String {
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let (indent, carets) = (" ".repeat(self.column - 1), "^".repeat(self.length));
        format!("{}\n  {line}\n  {indent}{carets}", self.message)
    }
}

/// Reads a filter; a blank text is one that every lane meets.
///
/// # Errors
/// The first place that does not fit.
pub fn parse(text: &str) -> Result<Filter, FilterError> {
    let mut parser = Parser { letters: text.chars().collect(), at: 0, depth: 0 };
    parser.blanks();
    if parser.ended() {
        return Ok(Filter::All(Vec::new()));
    }
    let filter = parser.any()?;
    match parser.ended() {
        true => Ok(filter),
        false => parser.expected("the end, or another condition"),
    }
}

/// Whether a character can stand in a word without quotes.
pub fn is_plain(letter: char) -> bool {
    letter.is_alphanumeric() || "_-*.+/#:%".contains(letter)
}

struct Parser {
    letters: Vec<char>,
    at: usize,
    depth: usize,
}

/// A word and where it begins.
struct Word {
    text: String,
    start: usize,
    quoted: bool,
}

impl Parser {
    fn ended(&self) -> bool {
        self.at >= self.letters.len()
    }

    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn eat(&mut self, text: &str) -> bool {
        let found =
            text.chars().enumerate().all(|(offset, letter)| self.letters.get(self.at + offset) == Some(&letter));
        if found {
            self.at += text.chars().count();
            self.blanks();
        }
        found
    }

    /// Takes the word `text`, when it stands here as a whole.
    fn eat_word(&mut self, text: &str) -> bool {
        let length = text.chars().count();
        let here: String = self.letters.iter().skip(self.at).take(length).collect();
        let whole = !self.letters.get(self.at + length).copied().is_some_and(is_plain);
        let found = whole && here.eq_ignore_ascii_case(text);
        if found {
            self.at += length;
            self.blanks();
        }
        found
    }

    fn fail<T>(&self, start: usize, message: String) -> Result<T, FilterError> {
        Err(FilterError { column: start + 1, length: (self.at.saturating_sub(start)).max(1), message })
    }

    fn expected<T>(&self, what: &str) -> Result<T, FilterError> {
        let found = match self.peek() {
            Some(letter) => format!("expected {what}, found `{letter}`"),
            None => format!("expected {what} after this"),
        };
        Err(FilterError { column: self.at + 1, length: 1, message: found })
    }

    fn any(&mut self) -> Result<Filter, FilterError> {
        self.depth += 1;
        if self.depth > DEPTH {
            return self.fail(self.at, format!("more than {DEPTH} brackets within each other"));
        }
        let mut parts = vec![self.all()?];
        while self.eat_word("or") {
            parts.push(self.all()?);
        }
        self.depth -= 1;
        Ok(one_or(parts, Filter::Any))
    }

    fn all(&mut self) -> Result<Filter, FilterError> {
        let mut parts = vec![self.one()?];
        loop {
            let joined = self.eat_word("and");
            let more = self.peek().is_some_and(|letter| letter != ')');
            let alternative = {
                let (at, found) = (self.at, self.eat_word("or"));
                self.at = at;
                found
            };
            if !joined && (!more || alternative) {
                return Ok(one_or(parts, Filter::All));
            }
            parts.push(self.one()?);
        }
    }

    fn one(&mut self) -> Result<Filter, FilterError> {
        if self.eat("!") || self.eat_word("not") {
            self.depth += 1;
            if self.depth > DEPTH {
                return self.fail(self.at, format!("more than {DEPTH} negations of each other"));
            }
            let part = self.one()?;
            self.depth -= 1;
            return Ok(Filter::Not(Box::new(part)));
        }
        if self.peek() == Some('(') {
            let start = self.at;
            self.eat("(");
            let inside = self.any()?;
            if self.ended() {
                return Err(FilterError {
                    column: start + 1,
                    length: 1,
                    message: "this bracket is not closed".to_owned(),
                });
            }
            if !self.eat(")") {
                return self.expected("`)`");
            }
            return Ok(inside);
        }
        const WHAT: &str = "a condition: a field, a state or part of a name";
        let word = self.word(WHAT)?;
        if !word.quoted && ["or", "and", "in"].contains(&word.text.to_lowercase().as_str()) {
            return self.fail(word.start, format!("expected {WHAT}, found `{}`", word.text));
        }
        self.condition(word)
    }

    fn condition(&mut self, word: Word) -> Result<Filter, FilterError> {
        let end = self.at;
        self.blanks();
        let signs = [
            ("!=", Comparison::Differs),
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("==", Comparison::Equal),
            ("=", Comparison::Equal),
            ("<", Comparison::Below),
            (">", Comparison::Above),
        ];
        let sign_at = self.at;
        let sign = signs.iter().find(|(sign, _)| self.eat(sign)).map(|(_, comparison)| *comparison);
        if let Some(comparison) = sign {
            let field = self.field(&word)?;
            return self.comparison(field, comparison, sign_at);
        }
        let field = if word.quoted { None } else { Field::named(&word.text) };
        if let Some(field) = field {
            if self.eat_word("in") {
                return self.membership(field);
            }
            let column = word.start + 1;
            let message = format!("`{}` is compared with something: {0}=…, {0}>…, {0} in …", word.text);
            return Err(FilterError { column, length: end - word.start, message });
        }
        if !word.quoted && self.eat_word("in") {
            return self.field(&word).and_then(|field| self.membership(field));
        }
        match State::named(&word.text).filter(|_| !word.quoted) {
            Some(state) => Ok(Filter::Is(state)),
            None => Ok(Filter::Named(word.text)),
        }
    }

    fn field(&self, word: &Word) -> Result<Field, FilterError> {
        if let Some(field) = Field::named(&word.text).filter(|_| !word.quoted) {
            return Ok(field);
        }
        let known = names();
        let near = known.iter().map(|name| (damerau_levenshtein(&word.text.to_lowercase(), name), *name)).min();
        let near = near.filter(|(distance, name)| *distance <= name.len().max(word.text.len()).div_ceil(3));
        let hint = match near {
            Some((_, name)) => format!("did you mean `{name}`?"),
            None => format!("the fields are {}, params.KEY", known.join(", ")),
        };
        let message = format!("there is no field `{}`; {hint}", word.text);
        Err(FilterError { column: word.start + 1, length: word.text.chars().count().max(1), message })
    }

    fn comparison(&mut self, field: Field, comparison: Comparison, sign_at: usize) -> Result<Filter, FilterError> {
        match field {
            Field::Number(field) => {
                let value = self.number(&field)?;
                Ok(Filter::Number { field, comparison, value })
            }
            Field::Word(field) => {
                let differs = match comparison {
                    Comparison::Equal => false,
                    Comparison::Differs => true,
                    other => {
                        let message =
                            format!("`{}` is a word: compare it with = or !=, not {}", field.name(), other.sign());
                        return Err(FilterError { column: sign_at + 1, length: other.sign().len(), message });
                    }
                };
                let pattern = self.pattern(field)?;
                Ok(Filter::Word { field, differs, pattern })
            }
        }
    }

    fn membership(&mut self, field: Field) -> Result<Filter, FilterError> {
        match field {
            Field::Word(field) => {
                let mut patterns = vec![self.pattern(field)?];
                while self.eat(",") {
                    patterns.push(self.pattern(field)?);
                }
                Ok(Filter::OneOf { field, patterns })
            }
            Field::Number(field) => {
                let mut spans = vec![self.span(&field)?];
                while self.eat(",") {
                    spans.push(self.span(&field)?);
                }
                Ok(Filter::Within { field, spans })
            }
        }
    }

    fn pattern(&mut self, field: Wordy) -> Result<String, FilterError> {
        let word = self.word(&format!("a word for `{}`", field.name()))?;
        self.blanks();
        Ok(word.text)
    }

    fn number(&mut self, field: &Numeric) -> Result<f64, FilterError> {
        let what = format!("a number for `{}`", field.name());
        let word = self.word(&what)?;
        let value = number(&word.text);
        match value {
            Some(value) => {
                self.blanks();
                Ok(value)
            }
            None => self.fail(word.start, format!("expected {what}, found `{}`", word.text)),
        }
    }

    fn span(&mut self, field: &Numeric) -> Result<Span, FilterError> {
        let what = format!("a number or a range for `{}`", field.name());
        let word = self.word(&what)?;
        let span = match word.text.split_once("..") {
            Some((from, to)) => number(from).zip(number(to)).map(|(from, to)| Span::Range(from, to)),
            None => number(&word.text).map(Span::One),
        };
        match span {
            Some(Span::Range(from, to)) if from >= to => {
                self.fail(word.start, format!("the range `{}` is empty: its end is left out", word.text))
            }
            Some(span) => {
                self.blanks();
                Ok(span)
            }
            None => self.fail(word.start, format!("expected {what}, as 0..3, found `{}`", word.text)),
        }
    }

    /// A word, in quotes or of plain characters; blanks after it are left.
    fn word(&mut self, what: &str) -> Result<Word, FilterError> {
        let start = self.at;
        if self.peek() == Some('"') {
            self.at += 1;
            let mut text = String::new();
            loop {
                match self.peek() {
                    None => return self.fail(start, "this quote is not closed".to_owned()),
                    Some('"') => break,
                    Some('\\') if self.letters.get(self.at + 1).is_some_and(|next| matches!(next, '"' | '\\')) => {
                        text.push(self.letters[self.at + 1]);
                        self.at += 2;
                    }
                    Some(letter) => {
                        text.push(letter);
                        self.at += 1;
                    }
                }
            }
            self.at += 1;
            return Ok(Word { text, start, quoted: true });
        }
        while self.peek().is_some_and(is_plain) {
            self.at += 1;
        }
        if self.at == start {
            return self.expected(what);
        }
        Ok(Word { text: self.letters[start..self.at].iter().collect(), start, quoted: false })
    }
}

/// A finite number.
fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

fn one_or(mut parts: Vec<Filter>, list: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.len() {
        1 => parts.remove(0),
        _ => list(parts),
    }
}
