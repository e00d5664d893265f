//! `guesswork check`: whether a workspace is sound, and what it would run.

use super::{Exit, Failure, print};
use crate::data::Dataset;
use crate::options::RunOptions;
use crate::workspace::{LaneRun, ModelSpec, Problem, Workspace};
use std::fmt::Write;

/// Runs that are listed by name; the rest are counted.
const LISTED: usize = 40;

/// Reads and checks the workspace and its data, and prints what it would run.
///
/// # Errors
/// [`Failure`] with everything that is wrong.
pub fn check(options: &RunOptions) -> Result<Exit, Failure> {
    let document = options.document()?;
    let workspace = &document.workspace;
    let Problem::Network(problem) = &workspace.problem;
    let data = Dataset::load(&problem.data, document.folder.as_deref(), workspace.data_seed)?;
    if problem.batch > data.train.count {
        let message = format!(
            "{}: `batch: {}` is more than the {} training examples of `{}`",
            document.label, problem.batch, data.train.count, data.name
        );
        return Err(Failure::new(Exit::Invalid, message));
    }
    let runs = workspace.grid().map_err(crate::workspace::WorkspaceError::from)?;
    let examples = match &data.validation {
        Some(apart) => format!("{} + {} + {}", data.train.count, apart.count, data.test.count),
        None => format!("{} + {}", data.train.count, data.test.count),
    };
    let mut text = format!("{}: sound\n", document.label);
    let _ = writeln!(text, "  data    {} ({examples} examples, {})", data.name, data.source);
    let _ = writeln!(text, "  model   {}", model(&problem.model));
    let _ = writeln!(text, "  steps   {} of {} examples", workspace.steps, problem.batch);
    text.push_str(&listing(workspace, &runs));
    print(&text)
}

fn model(model: &ModelSpec) -> String {
    match model {
        ModelSpec::Mlp(mlp) => {
            let hidden: Vec<String> = mlp.hidden.iter().map(ToString::to_string).collect();
            format!("mlp, hidden {}", if hidden.is_empty() { "none".into() } else { hidden.join("-") })
        }
        ModelSpec::Conv(conv) => {
            let channels: Vec<String> = conv.layers.iter().map(|layer| layer.channels.to_string()).collect();
            format!("conv, channels {}", channels.join("-"))
        }
        ModelSpec::Mixer(mixer) => format!("mixer, {} blocks of width {}", mixer.blocks, mixer.width),
    }
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
