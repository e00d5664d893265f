//! Whether a lane meets a filter.
#![forbid(unsafe_code)]

use super::{Comparison, Facts, Filter, Span, Wordy};

pub fn holds(filter: &Filter, facts: &impl Facts) -> bool {
    match filter {
        Filter::All(parts) => parts.iter().all(|part| holds(part, facts)),
        Filter::Any(parts) => parts.iter().any(|part| holds(part, facts)),
        Filter::Not(part) => !holds(part, facts),
        Filter::Word { field, differs, pattern } => {
            facts.word(*field).is_some_and(|word| matches(&word, pattern) != *differs)
        }
        Filter::OneOf { field, patterns } => {
            facts.word(*field).is_some_and(|word| patterns.iter().any(|pattern| matches(&word, pattern)))
        }
        Filter::Number { field, comparison, value } => {
            facts.number(field).is_some_and(|number| comparison.holds(number, *value))
        }
        Filter::Within { field, spans } => facts.number(field).is_some_and(|number| {
            spans.iter().any(|span| match *span {
                Span::One(value) => number == value,
                Span::Range(from, to) => from <= number && number < to,
            })
        }),
        Filter::Is(state) => facts.is(*state),
        Filter::Named(text) => facts.word(Wordy::Name).is_some_and(|name| plain(&name).contains(&plain(text))),
    }
}

impl Comparison {
    /// Whether `left` compares so with `right`; a NaN only differs.
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Differs => left != right,
            Self::Below => left < right,
            Self::AtMost => left <= right,
            Self::Above => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

/// Letters without case; `-` and `_` are the same, as people write either.
fn plain(text: &str) -> String {
    text.to_lowercase().replace('-', "_")
}

/// Whether `word` is what `pattern` says, `*` standing for any letters. Linear but for the stars, each of which goes back at
/// most once a letter.
pub fn matches(word: &str, pattern: &str) -> bool {
    let (word, pattern): (Vec<char>, Vec<char>) = (plain(word).chars().collect(), plain(pattern).chars().collect());
    let (mut at, mut place) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < word.len() {
        if place < pattern.len() && pattern[place] == '*' {
            star = Some((place, at));
            place += 1;
        } else if place < pattern.len() && pattern[place] == word[at] {
            (at, place) = (at + 1, place + 1);
        } else if let Some((from, taken)) = star {
            star = Some((from, taken + 1));
            (at, place) = (taken + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern[place..].iter().all(|letter| *letter == '*')
}
