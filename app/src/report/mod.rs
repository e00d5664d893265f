//! Reports of runs on disk: tables, curves, heatmaps and rank plots as a page, with the numbers beside it.
//!
//! ```text
//! run folders ─ source ─→ runs ─ gather ─→ lanes with series ─ groups ─→ groups over seeds
//!                                                               │
//!                              figures ─→ pictures ─────────────┴─→ page (Markdown, HTML), JSON, CSV
//! ```
//!
//! Every number of a table is the summary's, found by the same [`crate::record::tally::Tally`] from the same records. Knows
//! records and pictures; nothing of sessions or screens.
#![forbid(unsafe_code)]

mod axes;
mod compare;
mod figures;
mod gather;
mod groups;
mod heat;
mod html;
mod markdown;
mod numbers;
mod palette;
mod series;
mod shown;
mod source;
mod tables;
mod unit;
mod write;

pub use compare::compare;
pub use groups::{Group, Report};
pub use source::{Run, open};
pub use unit::Unit;
pub use write::{Format, Written, print, write};

use crate::record::place::PlaceError;
use crate::record::read::ReadError;
use std::io;
use std::path::PathBuf;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// No such run.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Its records cannot be read.
    #[error(transparent)]
    Records(#[from] ReadError),
    /// The records hold no run.
    #[error("{}: no records of a run: it is empty, or does not begin with a `run` record", .0.display())]
    Empty(PathBuf),
    /// No lane is left.
    #[error("no lane of {lanes} meets the filter `{filter}`")]
    Filtered {
        /// Lanes of all runs.
        lanes: usize,
        /// The filter.
        filter: String,
    },
    /// No lane has started.
    #[error("{}: no lane has started yet", .0.display())]
    NoLane(PathBuf),
    /// A file cannot be written.
    #[error("{}: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// A picture cannot be drawn.
    #[error("the figure `{figure}`: {reason}")]
    Picture {
        /// Its file's stem.
        figure: String,
        /// Why.
        reason: String,
    },
}
