//! How a call of a plugin can fail, and where it did.
#![forbid(unsafe_code)]

use guesswork_plugin::abi;
use std::fmt;
use thiserror::Error;

/// A failed call, with its place.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{place}: {failure}")]
pub struct PluginError {
    /// Where.
    pub place: Box<Place>,
    /// What.
    pub failure: Failure,
}

impl PluginError {
    /// Whether memory of the host may have been damaged, so that the whole run must stop.
    pub fn fatal_for_run(&self) -> bool {
        matches!(self.failure, Failure::Redzone { .. } | Failure::InputWritten { .. })
    }

    /// Whether the instance can be called again: it neither panicked nor may have damaged memory.
    pub fn leaves_usable(&self) -> bool {
        !self.fatal_for_run() && !matches!(self.failure, Failure::Panic(_) | Failure::Poisoned(_))
    }

    /// Whether the run was cancelled while the call was under way, which is no fault.
    pub fn cancelled(&self) -> bool {
        matches!(&self.failure, Failure::Error { code, .. } if *code == abi::GW_CANCELLED)
    }
}

/// Where a call failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Id of the strategy.
    pub strategy: String,
    /// Function of the plugin: `propose`.
    pub function: &'static str,
    /// Name of the site, in call mode `layer` or when an output is at fault.
    pub site: Option<String>,
    /// Step of the lane, once there is one.
    pub step: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "strategy `{}`, {}", self.strategy, self.function)?;
        if let Some(site) = &self.site {
            write!(formatter, ", site `{site}`")?;
        }
        if let Some(step) = self.step {
            write!(formatter, ", step {step}")?;
        }
        Ok(())
    }
}

/// An element of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Which output: `signal`, `weight direction`, ….
    pub output: &'static str,
    /// Name of the site.
    pub site: String,
    /// Guess, from 0.
    pub guess: usize,
    /// Row within the guess.
    pub row: usize,
    /// Column.
    pub column: usize,
}

impl fmt::Display for Element {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { output, site, guess, row, column } = self;
        write!(formatter, "the {output} of site `{site}`, guess {guess}, row {row}, column {column}")
    }
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum Failure {
    /// The plugin returned an error.
    #[error("{text} (status {})", status_name(*code))]
    Error {
        /// Its status.
        code: i32,
        /// Its words.
        text: String,
    },
    /// The plugin panicked; the instance is not called again.
    #[error("the plugin panicked: {0}")]
    Panic(String),
    /// A call after a panic or after memory was damaged.
    #[error("the instance failed before and is not called again: {0}")]
    Poisoned(String),
    /// A call before `prepare`.
    #[error("the instance is not prepared for a model")]
    Unprepared,
    /// The combination of strategy and run has no meaning or is not offered.
    #[error("refused: {0}")]
    Unsupported(String),
    /// The plan that `prepare` returned is not valid.
    #[error("its plan is not valid: {0}")]
    Plan(String),
    /// An output was not asked for, or holds elements that were not written.
    #[error("{}", unwritten(output, site, *guess, *at))]
    Unwritten {
        /// Which output: `signal`, `weight direction`, ….
        output: &'static str,
        /// Name of the site.
        site: String,
        /// Guess, from 0.
        guess: usize,
        /// Row and column of the first unwritten element; `None` when the output was not asked for at all.
        at: Option<(usize, usize)>,
    },
    /// An output holds NaN or an infinity.
    #[error("it wrote {value} into {at}")]
    NonFinite {
        /// What was written.
        value: f64,
        /// The first such element.
        at: Box<Element>,
    },
    /// Memory beside an output was written.
    #[error(
        "it wrote {distance} elements {side} the {output} of site `{site}`; the memory of this process is no longer \
         trusted"
    )]
    Redzone {
        /// Which output: `signal`, `weight direction`, ….
        output: &'static str,
        /// Name of the site, or of the persistent matrix.
        site: String,
        /// `before` or `past the end of`.
        side: &'static str,
        /// How far from the output, in elements, from 1.
        distance: usize,
    },
    /// An input was written.
    #[error("it wrote to its input {input}; the memory of this process is no longer trusted")]
    InputWritten {
        /// Which input.
        input: String,
    },
    /// The host itself failed.
    #[error("the host failed: {0}")]
    Host(String),
}

fn unwritten(output: &str, site: &str, guess: usize, at: Option<(usize, usize)>) -> String {
    let whole = format!("it left the {output} of site `{site}`, guess {guess}");
    match at {
        Some((row, column)) => format!("{whole}, row {row}, column {column} unwritten"),
        None => format!("{whole} unwritten: it never asked for it"),
    }
}

/// Name of a status code.
pub fn status_name(code: i32) -> String {
    match code {
        abi::GW_OK => "GW_OK".into(),
        abi::GW_ERROR => "GW_ERROR".into(),
        abi::GW_INVALID_ARGUMENT => "GW_INVALID_ARGUMENT".into(),
        abi::GW_NOT_GRANTED => "GW_NOT_GRANTED".into(),
        abi::GW_UNSUPPORTED => "GW_UNSUPPORTED".into(),
        abi::GW_WRONG_STATE => "GW_WRONG_STATE".into(),
        abi::GW_PANIC => "GW_PANIC".into(),
        abi::GW_CANCELLED => "GW_CANCELLED".into(),
        abi::GW_BUDGET => "GW_BUDGET".into(),
        other => format!("{other}"),
    }
}
