//! Why a file, or a strategy in it, cannot be used. A refusal is data: it is listed and never stops the program.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use thiserror::Error;

/// A reason to refuse a file or a strategy. The text is a sentence without the file's name, and says what to do where
/// that is not plain.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Nothing is there.
    #[error("there is no such file or folder")]
    Missing,
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// The file is something else.
    #[error("not a dynamic library: {0}")]
    NotALibrary(String),
    /// The file is for another system or processor.
    #[error("not for this machine: {0}; build it here")]
    OtherPlatform(String),
    /// The file ends early.
    #[error("cut off: it has {length} bytes, and its headers speak of {needed}; copy or build it again")]
    Truncated {
        /// Bytes there are.
        length: u64,
        /// Bytes there should be at least.
        needed: u64,
    },
    /// The system's loader refused it.
    #[error("the system's loader refused it: {0}")]
    Loader(String),
    /// A process that loaded it did not live.
    #[error("{0}; the file is damaged or its start-up code fails: build it again")]
    Crashes(String),
    /// The entry symbol is missing.
    #[error("it does not export `{symbol}`, so it is no guesswork plugin (Rust: `export!`; C: define the function)")]
    NoEntry {
        /// The symbol.
        symbol: String,
    },
    /// It speaks another major version.
    #[error(
        "it speaks version {found} of the plugin interface, and this host version {expected}; build it against that"
    )]
    Major {
        /// Major version of the plugin.
        found: u32,
        /// Major version of the host.
        expected: u32,
    },
    /// The layout of the records differs.
    #[error(
        "the layout fingerprint is {found:016x}, this host's draft of the interface has {expected:016x}; \
         build it against this version's headers"
    )]
    Fingerprint {
        /// Fingerprint of the plugin.
        found: u64,
        /// Fingerprint of the host.
        expected: u64,
    },
    /// A record is smaller than the first version of the interface had it.
    #[error("{what}: struct_size is {found}, and version 1.0 has {expected} bytes; set it to the record's size")]
    Short {
        /// Which record.
        what: String,
        /// Its `struct_size`.
        found: u64,
        /// Smallest size.
        expected: u64,
    },
    /// A must-understand flag is unknown.
    #[error(
        "{what}: it sets the must-understand flags {bits:#x}, which this host does not know; a newer guesswork is needed"
    )]
    Flags {
        /// Which record.
        what: String,
        /// The unknown bits.
        bits: u64,
    },
    /// A field holds something it may not.
    #[error("{what}: {problem}")]
    Malformed {
        /// Which field of which record.
        what: String,
        /// What is wrong.
        problem: String,
    },
    /// `init` failed.
    #[error("its init failed with status {code}: {text}")]
    Init {
        /// Status.
        code: i32,
        /// The plugin's words.
        text: String,
    },
    /// It holds no strategy.
    #[error("it holds no strategy")]
    Empty,
    /// The id is the host's.
    #[error("the id `{0}` is the host's own; choose another")]
    Reserved(String),
    /// The id is taken by a library earlier in the search order.
    #[error("the id `{id}` is already taken by {}, which comes first in the search order", first.display())]
    Duplicate {
        /// The id.
        id: String,
        /// Library of the strategy that is used.
        first: PathBuf,
    },
}

impl Refusal {
    /// A field holds something it may not.
    pub(super) fn malformed(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Malformed { what: what.into(), problem: problem.into() }
    }
}

/// One thing that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}{}: {reason}", path.display(), strategy.as_ref().map(|id| format!(", strategy `{id}`")).unwrap_or_default())]
pub struct Refused {
    /// The file.
    pub path: PathBuf,
    /// The strategy, when only that is refused: its id, or `#2` where the id cannot be read.
    pub strategy: Option<String>,
    /// Why.
    pub reason: Refusal,
}

/// A strategy's name that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unknown {
    /// No library has it.
    #[error("no strategy is called `{id}`{}", suggestion(nearest, known))]
    Strategy {
        /// The name asked for.
        id: String,
        /// The nearest name there is.
        nearest: Option<String>,
        /// All names there are.
        known: Vec<String>,
    },
    /// It is the host's own: no library has it.
    #[error("`{id}` is built in and no library's")]
    BuiltIn {
        /// The name asked for.
        id: String,
    },
    /// A library has it, but it was refused.
    #[error("the strategy `{id}` cannot be used: {refused}")]
    Refused {
        /// The name asked for.
        id: String,
        /// Where it was found and why it was refused.
        refused: Box<Refused>,
    },
}

fn suggestion(nearest: &Option<String>, known: &[String]) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None if known.is_empty() => {
            "; no plugin was found (see `guesswork plugin list`, and name a folder with --plugin-path)".into()
        }
        None => format!("; there are {}", known.join(", ")),
    }
}

/// The nearest of `candidates` to `word`, when it is near enough to be a slip.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let scored = candidates.into_iter().map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate));
    let (distance, candidate) = scored.min_by_key(|&(distance, _)| distance)?;
    let prefix = word.len() >= 3 && candidate.starts_with(word);
    (prefix || distance <= 1 + word.chars().count() / 4).then(|| candidate.to_owned())
}
