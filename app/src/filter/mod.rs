//! A small language that says which lanes are meant: `strategy=weight-transpose scope=example* lr>0.001 seed in 0..3 !diverged`.
//!
//! | written | holds of a lane |
//! |---|---|
//! | `name=TEXT`, `strategy=TEXT`, `scope=TEXT`, `optimizer=TEXT`, … | whose word is that one; `*` stands for any letters; case does not count |
//! | `lr>0.001`, `test_accuracy>=0.8`, `guesses=4` | whose number compares so: `=` `!=` `<` `<=` `>` `>=` |
//! | `seed in 0..3`, `guesses in 1,2,4`, `scope in layer,batch` | whose value is one of these; `0..3` is 0, 1, 2 |
//! | `diverged`, `running`, `done`, `failed`, `dropped`, `ended`, `trial`, `backprop` | that stands so |
//! | `weight` | any other word: whose name holds it |
//! | `a b` | both; `a or b`: one of them; `!a`: not a; `(…)` groups |
//!
//! A lane of which a number was never measured does not meet a comparison with it. The same filter serves the screen's lanes, the
//! target of a run, what a grid leaves out and the summary of a batch: all are asked through [`Facts`].
#![forbid(unsafe_code)]

mod evaluate;
mod field;
mod parse;
#[cfg(test)]
mod tests;
mod write;

pub use field::{Field, Numeric, State, Wordy};
pub use parse::{FilterError, parse};

/// A filter, read.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Every one of these.
    All(Vec<Filter>),
    /// One of these.
    Any(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// A word compared with a pattern.
    Word {
        /// Of what.
        field: Wordy,
        /// Whether it is to differ.
        differs: bool,
        /// The pattern: `*` stands for any letters.
        pattern: String,
    },
    /// A number compared with another.
    Number {
        /// Of what.
        field: Numeric,
        /// How.
        comparison: Comparison,
        /// With what.
        value: f64,
    },
    /// A word that is one of several.
    OneOf {
        /// Of what.
        field: Wordy,
        /// The patterns.
        patterns: Vec<String>,
    },
    /// A number that lies in one of several ranges.
    Within {
        /// Of what.
        field: Numeric,
        /// The ranges.
        spans: Vec<Span>,
    },
    /// How a lane stands.
    Is(State),
    /// A name that holds this text.
    Named(String),
}

/// How two numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    Differs,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
}

/// A number, or all from the first to below the second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Span {
    /// This one.
    One(f64),
    /// From the first, below the second.
    Range(f64, f64),
}

/// Something that a filter asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// A word.
    Word(Wordy),
    /// A number.
    Number(&'a Numeric),
    /// A state.
    State(State),
}

/// What a filter asks of a lane.
pub trait Facts {
    /// A word; `None` where the lane has none of that sort.
    fn word(&self, field: Wordy) -> Option<String>;
    /// A number; `None` where it was never measured or has no meaning.
    fn number(&self, field: &Numeric) -> Option<f64>;
    /// Whether it stands so.
    fn is(&self, state: State) -> bool;
}

impl Filter {
    /// Everything that it asks for, in order.
    pub fn asks(&self) -> Vec<Asked<'_>> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::asks).collect(),
            Self::Not(part) => part.asks(),
            Self::Word { field, .. } | Self::OneOf { field, .. } => vec![Asked::Word(*field)],
            Self::Number { field, .. } | Self::Within { field, .. } => vec![Asked::Number(field)],
            Self::Is(state) => vec![Asked::State(*state)],
            Self::Named(_) => vec![Asked::Word(Wordy::Name)],
        }
    }

    /// Whether a lane meets it.
    pub fn holds(&self, facts: &impl Facts) -> bool {
        evaluate::holds(self, facts)
    }
}

impl std::str::FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        parse(text)
    }
}

impl std::fmt::Display for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write::filter(self, f)
    }
}
