//! `guesswork report` and `guesswork compare`: runs on disk as pages and numbers.

use super::batch::{arguments, typed};
use super::{Exit, Failure, print, print_note};
use crate::filter::Filter;
use crate::report::{self, Format, Report, ReportError, Unit};
use std::path::{Path, PathBuf};

/// What a report is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReportOptions {
    /// The runs.
    pub runs: Vec<PathBuf>,
    /// Its form.
    pub format: Format,
    /// The folder it is written to; standard output without one.
    pub out: Option<PathBuf>,
    /// The lanes; all of them when left out.
    pub filter: Option<Filter>,
    /// What horizontal axes count.
    pub unit: Unit,
}

/// Makes a report of runs.
///
/// # Errors
/// [`Failure`] when a run cannot be found or read, or the report cannot be written.
pub fn report(options: &ReportOptions) -> Result<Exit, Failure> {
    let ReportOptions { runs, format, out, filter, unit } = options;
    let report = gather(runs, *unit, filter.clone())?;
    match out {
        None => print(&report::print(&report, *format)?),
        Some(folder) => {
            let written = report::write(&report, *format, folder)?;
            print_note(&[format!("{} with {} figures; numbers beside it", written.main.display(), written.figures)]);
            Ok(Exit::Done)
        }
    }
}

/// Puts two runs side by side.
///
/// # Errors
/// As [`report()`].
pub fn compare(first: &Path, second: &Path, filter: Option<&Filter>) -> Result<Exit, Failure> {
    let one = |run: &Path| gather(&[run.to_owned()], Unit::Steps, filter.cloned());
    print(&report::compare(&one(first)?, &one(second)?))
}

fn gather(runs: &[PathBuf], unit: Unit, filter: Option<Filter>) -> Result<Report, Failure> {
    let runs: Result<Vec<_>, ReportError> = runs.iter().map(|run| report::open(run)).collect();
    Ok(Report::new(runs?, unit, filter, typed(arguments()))?)
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        let exit = match error {
            ReportError::Write { .. } | ReportError::Picture { .. } => Exit::Failed,
            _ => Exit::Invalid,
        };
        Self::new(exit, error.to_string())
    }
}
