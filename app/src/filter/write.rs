//! A filter as text that reads back as the same filter.
#![forbid(unsafe_code)]

use super::parse::is_plain;
use super::{Comparison, Filter, Span};
use std::fmt::{Formatter, Result};

pub fn filter(filter: &Filter, f: &mut Formatter<'_>) -> Result {
    match filter {
        Filter::All(parts) => list(parts, " ", f),
        Filter::Any(parts) => list(parts, " or ", f),
        Filter::Not(part) => {
            f.write_str("!")?;
            inner(part, f)
        }
        Filter::Word { field, differs, pattern } => {
            write!(f, "{}{}{}", field.name(), if *differs { "!=" } else { "=" }, quoted(pattern))
        }
        Filter::Number { field, comparison, value } => {
            write!(f, "{}{}{}", field.name(), comparison.sign(), number(*value))
        }
        Filter::OneOf { field, patterns } => {
            let words: Vec<String> = patterns.iter().map(|pattern| quoted(pattern)).collect();
            write!(f, "{} in {}", field.name(), words.join(","))
        }
        Filter::Within { field, spans } => {
            let words: Vec<String> = spans.iter().map(span).collect();
            write!(f, "{} in {}", field.name(), words.join(","))
        }
        Filter::Is(state) => f.write_str(state.name()),
        Filter::Named(text) => f.write_str(&named(text)),
    }
}

fn list(parts: &[Filter], between: &str, f: &mut Formatter<'_>) -> Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        inner(part, f)?;
    }
    Ok(())
}

/// A part of a list or of a negation: lists stand in brackets.
fn inner(part: &Filter, f: &mut Formatter<'_>) -> Result {
    match part {
        Filter::All(_) | Filter::Any(_) => {
            f.write_str("(")?;
            filter(part, f)?;
            f.write_str(")")
        }
        _ => filter(part, f),
    }
}

fn span(span: &Span) -> String {
    match span {
        Span::One(value) => number(*value),
        Span::Range(from, to) => format!("{}..{}", number(*from), number(*to)),
    }
}

/// The shortest decimal that reads back as the same number.
fn number(value: f64) -> String {
    let text = format!("{value}");
    if text.len() > 12 { format!("{value:e}") } else { text }
}

/// A pattern, in quotes where it would read as something else.
fn quoted(text: &str) -> String {
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { format!("\"{}\"", escaped(text)) }
}

/// A part of a name: quotes also where it would read as a state or a connective.
fn named(text: &str) -> String {
    let taken = super::State::named(text).is_some()
        || super::Field::named(text).is_some()
        || ["or", "and", "not", "in"].contains(&text.to_lowercase().as_str());
    if taken { format!("\"{}\"", escaped(text)) } else { quoted(text) }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

impl Comparison {
    /// How it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Differs => "!=",
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Above => ">",
            Self::AtLeast => ">=",
        }
    }
}
