//! Errors of a workspace as a person reads them: place, message, the line with a caret, a hint.

use ron::error::{Error, Position, SpannedError};
use std::fmt::{Display, Formatter, Write};
use std::path::PathBuf;

/// Why a workspace cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// The file cannot be read.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// No file and no shipped workspace of this name.
    #[error("no workspace file `{name}`{}; the shipped ones are {shipped}", match .suggestion {
        Some(suggestion) => format!(" (did you mean `{suggestion}`?)"),
        None => String::new(),
    })]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest shipped one.
        suggestion: Option<String>,
        /// All shipped ones.
        shipped: String,
    },
    /// The content is wrong: everything that was found.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<Diagnostic>),
    /// A change asked for on the command line cannot be made.
    #[error(transparent)]
    Edit(#[from] super::EditError),
}

/// A place in a text; lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
    /// Characters from there that are meant, at least 1.
    pub length: usize,
}

impl Place {
    /// The place of the bytes `span` of `text`, cut at the end of its first line.
    pub(super) fn of(text: &str, span: std::ops::Range<usize>) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let meant = text.get(span).unwrap_or("").lines().next().unwrap_or("");
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            length: meant.chars().count().max(1),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file's name.
    pub file: String,
    /// Where, when that is known.
    pub place: Option<Place>,
    /// The line at that place.
    pub excerpt: String,
    /// What is wrong, and what was expected.
    pub message: String,
    /// The next step.
    pub hint: Option<String>,
}

impl Diagnostic {
    pub(super) fn new(file: &str, text: &str, place: Option<Place>, message: String, hint: Option<String>) -> Self {
        let excerpt = place.and_then(|place| text.lines().nth(place.line - 1)).unwrap_or("").to_string();
        Self { file: file.into(), place, excerpt, message, hint }
    }

    /// What RON's reader says, in this program's words.
    pub(super) fn from_ron(file: &str, text: &str, error: &SpannedError) -> Self {
        let (message, hint) = words(text, error);
        // The reader may stand at the blank before the value it refuses, or behind its sign.
        let place = offset(text, error).map(|start| {
            let start = if before(text, error) == Some('-') { start - 1 } else { start };
            let blank = text[start..].len() - text[start..].trim_start_matches([' ', '\t']).len();
            let end = offset_of(text, error.span.end).unwrap_or(text.len());
            Place::of(text, start + blank..end.max(start + blank))
        });
        Self::new(file, text, place, message, hint)
    }
}

impl Display for Diagnostic {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let Some(Place { line, column, .. }) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(Place { line, column, length }) = self.place
            && !self.excerpt.is_empty()
        {
            let number = line.to_string();
            let gutter = " ".repeat(number.len());
            // Tabs stay tabs, so that the caret stands below its character.
            let before = self.excerpt.chars().take(column - 1);
            let indent: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            let room = self.excerpt.chars().count().saturating_sub(column - 1).max(1);
            let carets = "^".repeat(length.min(room));
            write!(f, "\n {gutter} |\n {number} | {}\n {gutter} | {indent}{carets}", self.excerpt)?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\n   {hint}"),
            None => Ok(()),
        }
    }
}

/// Message and hint for an error of RON's reader.
pub(super) fn words(text: &str, error: &SpannedError) -> (String, Option<String>) {
    match &error.code {
        Error::NoSuchStructField { expected, found, .. } => {
            (format!("unknown field `{found}`"), Some(nearest(found, expected, "fields")))
        }
        Error::NoSuchEnumVariant { expected, found, .. } => {
            (format!("unknown value `{found}`"), Some(nearest(found, expected, "values")))
        }
        Error::MissingStructField { field, outer } => {
            let outer = outer.as_ref().map_or_else(String::new, |outer| format!(" of `{outer}`"));
            (format!("the field `{field}`{outer} is missing"), None)
        }
        Error::DuplicateStructField { field, .. } => (format!("the field `{field}` stands here a second time"), None),
        Error::IntegerOutOfBounds if at(text, error) == Some('-') || before(text, error) == Some('-') => {
            ("expected a whole number that is not negative".into(), None)
        }
        Error::IntegerOutOfBounds => ("this number is too large".into(), None),
        Error::ExpectedInteger => ("expected a whole number".into(), None),
        Error::ExpectedFloat => ("expected a number".into(), None),
        Error::ExpectedBoolean => ("expected `true` or `false`".into(), None),
        Error::ExpectedString => ("expected text in quotes".into(), Some("write it as \"…\"".into())),
        Error::ExpectedStringEnd => ("text without a closing quote".into(), None),
        Error::ExpectedComma if at(text, error) == Some('.') => ("expected a whole number".into(), None),
        Error::ExpectedComma => ("expected a comma or the end of the list".into(), None),
        Error::ExpectedIdentifier => {
            match field_before(text, error).map(|field| (field, super::reference::words_of(field))) {
                Some((field, words)) if !words.is_empty() => {
                    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                    (format!("expected a word as the value of `{field}`"), Some(format!("write {}", words.join(", "))))
                }
                _ => ("expected a name".into(), Some("fields are written `name: value`".into())),
            }
        }
        Error::ExpectedMap => ("expected `{`".into(), Some("maps are written { \"key\": value }".into())),
        Error::ExpectedArray => ("expected a list".into(), Some("lists are written [one, another]".into())),
        Error::ExpectedNamedStructLike(_) | Error::ExpectedStructLike if text.trim().is_empty() => (
            "the file is empty".into(),
            Some("a workspace begins with `(`; `guesswork schema` lists its fields".into()),
        ),
        Error::ExpectedNamedStructLike(name) => ("expected `(`".into(), super::reference::form(name)),
        Error::ExpectedStructLike => ("expected `(`".into(), None),
        Error::TrailingCharacters => ("nothing may follow here".into(), None),
        Error::Eof => ("the text ends too early: a bracket is not closed".into(), None),
        other => {
            let text = other.to_string();
            let mut letters = text.chars();
            let first = letters.next().map(|letter| letter.to_lowercase().to_string()).unwrap_or_default();
            (first + letters.as_str(), None)
        }
    }
}

/// The byte at which the reader stood.
fn offset(text: &str, error: &SpannedError) -> Option<usize> {
    offset_of(text, error.span.start)
}

fn offset_of(text: &str, Position { line, col }: Position) -> Option<usize> {
    let start = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum::<usize>();
    let ends = text[start..].char_indices().map(|(offset, _)| offset).chain([text.len() - start]);
    ends.into_iter().nth(col.checked_sub(1)?).map(|column| start + column)
}

fn at(text: &str, error: &SpannedError) -> Option<char> {
    text[offset(text, error)?..].chars().next()
}

/// The field whose value the reader was to read, where it stands at its beginning.
fn field_before<'a>(text: &'a str, error: &SpannedError) -> Option<&'a str> {
    let field = text[..offset(text, error)?].trim_end().strip_suffix(':')?.trim_end();
    let start = field.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |place| place + 1);
    Some(&field[start..]).filter(|field| !field.is_empty())
}

fn before(text: &str, error: &SpannedError) -> Option<char> {
    text[..offset(text, error)?].chars().next_back()
}

/// `did you mean …?` when a name is near, and all names otherwise.
pub(super) fn nearest<T: AsRef<str>>(found: &str, names: &[T], what: &str) -> String {
    let mut text = String::new();
    if let Some(name) = suggestion(found, names) {
        let _ = write!(text, "did you mean `{name}`? ");
    }
    let names: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match names.as_slice() {
        [] => text.push_str(&format!("there are no {what} here")),
        names => text.push_str(&format!("the {what} are {}", names.join(", "))),
    }
    text
}

/// The name that `found` was most likely meant to be.
pub(super) fn suggestion<'a, T: AsRef<str>>(found: &str, names: &'a [T]) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    names
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&plain(found), &plain(name.as_ref())), name.as_ref()))
        .min()
        .filter(|(distance, name)| *distance <= name.chars().count().max(found.chars().count()).div_ceil(3))
        .map(|(_, name)| name)
}
