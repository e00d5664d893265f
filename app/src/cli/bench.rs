//! Timing steps: the table on standard output, what is under way on standard error when someone looks.

use super::{Exit, Failure, print};
use crate::bench::{self, Bench, boundary, boundary_table};
use std::io::{BufReader, IsTerminal, Write, stderr, stdin, stdout};
use std::path::{Path, PathBuf};

/// Measures and prints the table, and writes the figures to `json`; or answers commands until standard input ends.
///
/// # Errors
/// [`Failure`] when a model or method cannot be measured, or something cannot be written.
pub fn bench(bench: &Bench, json: Option<&Path>, serve: bool) -> Result<Exit, Failure> {
    if serve {
        bench::serve(bench, BufReader::new(stdin()), stdout())?;
        return Ok(Exit::Done);
    }
    let looked_at = stderr().is_terminal();
    let report = bench::run(bench, |what| {
        if looked_at {
            // Progress only: nothing is lost when it cannot be shown.
            let _ = write!(stderr(), "\r\x1b[K{what}").and_then(|()| stderr().flush());
        }
    });
    if looked_at {
        let _ = write!(stderr(), "\r\x1b[K");
    }
    let report = report?;
    if let Some(file) = json {
        let failed = |error: std::io::Error| Failure::new(Exit::Failed, format!("{}: {error}", file.display()));
        let text = serde_json::to_string_pretty(&report).map_err(|error| failed(error.into()))?;
        std::fs::write(file, text + "\n").map_err(failed)?;
    }
    print(&report.table())
}

/// Times the calls of one strategy, or of all in a library, and prints a row each.
///
/// # Errors
/// [`Failure`] when there is none of that name, it was refused, or it cannot run on the model.
pub fn plugin_bench(strategy: &Path, plugin_path: &[PathBuf]) -> Result<Exit, Failure> {
    let rows = super::plugins::chosen(strategy, plugin_path)?.iter().map(boundary).collect::<Result<Vec<_>, _>>();
    let rows = rows.map_err(|error| Failure::new(Exit::Plugin, error.to_string()))?;
    print(&boundary_table(&rows))
}
