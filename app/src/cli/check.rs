//! `guesswork check`: whether a workspace is sound, and what it would run.

use super::{Exit, Failure, print};
use crate::data::Dataset;
use crate::options::RunOptions;
use crate::session::{Experiment, Prepared, SessionError};
use crate::workspace::{Document, LaneRun, Problem, Workspace};
use std::fmt::Write;

/// Runs that are listed by name; the rest are counted.
const LISTED: usize = 40;

/// Reads the workspace and its data, loads the strategies and builds every lane once, and prints what it would run.
///
/// # Errors
/// [`Failure`] with what is wrong.
pub fn check(options: &RunOptions) -> Result<Exit, Failure> {
    let document = options.document()?;
    let workspace = &document.workspace;
    let Problem::Network(problem) = &workspace.problem;
    let data = Dataset::load(&problem.data, document.folder.as_deref(), workspace.data_seed)?;
    let runs = workspace.grid().map_err(crate::workspace::WorkspaceError::from)?;
    let experiment = Experiment::of_document(&document, options);
    let mut prepared = Prepared::with_data(experiment, &data).map_err(|error| of(&document, error))?;
    prepared.rehearse().map_err(|error| of(&document, error))?;
    let examples = match &data.validation {
        Some(apart) => format!("{} + {} + {}", data.train.count, apart.count, data.test.count),
        None => format!("{} + {}", data.train.count, data.test.count),
    };
    let mut text = format!("{}: sound\n", document.label);
    let _ = writeln!(text, "  data    {} ({examples} examples, {})", data.name, data.source);
    let _ = writeln!(text, "  model   {}", prepared.model());
    let _ = writeln!(text, "  steps   {} of {} examples", workspace.steps, problem.batch);
    text.push_str(&listing(workspace, &runs));
    print(&text)
}

/// The failure, with the workspace that it is about.
fn of(document: &Document, error: SessionError) -> Failure {
    let failure = Failure::from(error);
    Failure { message: format!("{}: {}", document.label, failure.message), ..failure }
}

fn listing(workspace: &Workspace, runs: &[LaneRun]) -> String {
    let mut names: Vec<(&str, usize)> = Vec::new();
    for run in runs {
        match names.last_mut() {
            Some((name, seeds)) if *name == run.name => *seeds += 1,
            _ => names.push((&run.name, 1)),
        }
    }
    let trials = workspace.tune.as_ref().map_or(0, |tune| tune.values.len() * names.len());
    let mut text = format!("  runs    {}", runs.len());
    if trials > 0 {
        let _ = write!(text, ", after {trials} trials");
    }
    text.push('\n');
    for (name, seeds) in names.iter().take(LISTED) {
        let times = if *seeds > 1 { format!(" × {seeds} seeds") } else { String::new() };
        let _ = writeln!(text, "    {name}{times}");
    }
    if names.len() > LISTED {
        let _ = writeln!(text, "    and {} more", names.len() - LISTED);
    }
    text
}
