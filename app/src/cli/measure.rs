//! `guesswork measure`: how a run's lanes guess at their checkpoints, without going on.

use super::{Exit, Failure, print};
use crate::options::DeviceChoice;
use crate::record::folder::{checkpoints_of, read_workspace};
use crate::record::number::Number;
use crate::record::paths::Paths;
use crate::record::place;
use crate::record::replace::replace;
use crate::record::table::{Cells, aligned, rounded};
use crate::record::{Key, LaneId, LaneInfo, Quantity, StepReport};
use crate::session::Experiment;
use crate::session::frozen::{self, Found, Frozen, FrozenError, FrozenLane};
use crate::workspace::{BACKPROP, Scope};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Version of the format.
const SCHEMA: &str = "guesswork-measure/1";

/// What is measured over the guesses of a probe, with the titles of its columns.
const PROBED: [(Quantity, &str); 3] =
    [(Quantity::BiasSquared, "bias²"), (Quantity::Variance, "variance"), (Quantity::ScalarFit, "fit c")];

/// What a measurement at checkpoints is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeasureOptions {
    /// The run: its folder, or its name among those kept by default; the newest of those when left out.
    pub folder: Option<PathBuf>,
    /// Names of the lanes; all when empty.
    pub lanes: Vec<String>,
    /// Guesses that bias, variance and fit come from; as many as the workspace's probes when left out.
    pub guesses: Option<u64>,
    /// A file in place of standard output.
    pub out: Option<PathBuf>,
    /// JSON in place of a table.
    pub json: bool,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Threads of the CPU; all cores when left out.
    pub threads: Option<usize>,
    /// Folders and libraries in which strategies are looked for before those of the run.
    pub plugin_path: Vec<PathBuf>,
}

/// Measures the lanes of a run at their checkpoints and prints what it finds. Nothing of the run is changed.
///
/// # Errors
/// [`Failure`] when there is no such run, lane or checkpoint, the run cannot be rebuilt, or the file cannot be written.
pub fn measure(options: &MeasureOptions) -> Result<Exit, Failure> {
    let folder = place::find(options.folder.as_deref())?;
    if let Some(file) = &options.out {
        apart(file, &folder)?;
    }
    let workspace = read_workspace(&folder)?;
    let experiment = Experiment {
        device: options.device,
        threads: options.threads,
        ..Experiment::of_run(workspace, Paths::read(&folder)?, &options.plugin_path)
    };
    let frozen = frozen::measure(experiment, &checkpoints_of(&folder), &options.lanes, options.guesses)?;
    let text = if options.json { json(&folder, &frozen)? } else { text(&folder, &frozen) };
    match &options.out {
        None => print(&text),
        Some(file) => {
            let failed = |error| Failure::new(Exit::Failed, format!("{}: {error}", file.display()));
            replace(file, text.as_bytes()).map_err(failed)?;
            Ok(Exit::Done)
        }
    }
}

/// Refuses a file within the run's folder, which is only read.
fn apart(file: &Path, folder: &Path) -> Result<(), Failure> {
    let whole = |path: &Path| path.canonicalize().ok();
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.into());
    match (absolute.parent().and_then(whole), whole(folder)) {
        (Some(parent), Some(run)) if parent.starts_with(&run) => {
            let (file, folder) = (file.display(), folder.display());
            let message = format!(
                "--out {file}: lies in the folder of the run, {folder}, which is only read; write it elsewhere"
            );
            Err(Failure::new(Exit::Usage, message))
        }
        _ => Ok(()),
    }
}

/// A table: for each lane a row of the whole model, and one for each layer.
fn text(folder: &Path, frozen: &Frozen) -> String {
    let titles =
        ["lane", "seed", "step", "layer", "loss", "cos(ĝ, g)"].into_iter().chain(PROBED.map(|(_, title)| title));
    let text_columns = ["lane", "layer"];
    let mut table = Cells {
        titles: titles.map(|title| (title.to_owned(), !text_columns.contains(&title))).collect(),
        rows: Vec::new(),
    };
    let mut notes = Vec::new();
    let mut exact = false;
    for lane in &frozen.lanes {
        match &lane.found {
            Found::Measured(info, report) => {
                let reference = lane.strategy == BACKPROP;
                exact |= reference;
                table.rows.push(row(lane, None, report, reference));
                for (site, name) in info.sites.iter().enumerate() {
                    table.rows.push(row(lane, Some((site, name)), report, reference));
                }
            }
            Found::LeftOut(why) => notes.push(format!("{} (seed {}) is left out: {why}", lane.name, lane.seed)),
        }
    }
    if exact {
        notes.push("exact: the estimate is the gradient, there is nothing to measure over guesses".to_owned());
    }
    let guesses = frozen.guesses;
    let mut text = format!("{}: each lane at its checkpoint, on the batch of its next step\n", folder.display());
    let _ = writeln!(text, "bias², variance and fit over {guesses} guesses, over ‖g‖², ± standard error\n");
    text.push_str(&aligned(&table));
    notes.iter().for_each(|note| text.push_str(&format!("{note}\n")));
    text
}

/// The row of a lane's whole model, or of a site by its number and name.
fn row(lane: &FrozenLane, site: Option<(usize, &String)>, report: &StepReport, reference: bool) -> Vec<String> {
    let key = |quantity| site.map_or(Key::whole(quantity), |(site, _)| Key::site(quantity, site));
    let number = |quantity| report.get(key(quantity)).map_or_else(String::new, rounded);
    let mut row = match site {
        None => vec![lane.name.clone(), lane.seed.to_string(), report.step.to_string(), "whole".to_owned()],
        Some((_, name)) => vec![String::new(), String::new(), String::new(), name.clone()],
    };
    row.push(number(Quantity::Loss));
    row.push(number(Quantity::Cosine));
    row.extend(PROBED.map(|(quantity, _)| {
        let error = quantity.error().and_then(|error| report.get(key(error)));
        match (report.get(key(quantity)), error) {
            (Some(value), Some(error)) => format!("{} ± {}", rounded(value), rounded(error)),
            (Some(value), None) => rounded(value),
            (None, _) if reference => "exact".to_owned(),
            (None, _) => String::new(),
        }
    }));
    row
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    run: String,
    guesses: u64,
    lanes: Vec<LanePart<'a>>,
}

#[derive(Serialize)]
struct LanePart<'a> {
    lane: LaneId,
    name: &'a str,
    seed: u64,
    strategy: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<&'a str>,
    #[serde(flatten)]
    measured: Option<Measured<'a>>,
}

#[derive(Serialize)]
struct Measured<'a> {
    scope: Option<Scope>,
    step: u64,
    layers: &'a [String],
    /// By the names that step records have for them.
    #[serde(flatten)]
    whole: BTreeMap<&'static str, Number>,
    sites: BTreeMap<&'static str, Vec<Option<Number>>>,
}

/// Everything that was found, for programs.
fn json(folder: &Path, frozen: &Frozen) -> Result<String, Failure> {
    let document = Document {
        schema: SCHEMA,
        run: folder.display().to_string(),
        guesses: frozen.guesses,
        lanes: frozen.lanes.iter().map(LanePart::of).collect(),
    };
    let failed = |error: serde_json::Error| Failure::new(Exit::Failed, format!("the measurements as JSON: {error}"));
    Ok(serde_json::to_string_pretty(&document).map_err(failed)? + "\n")
}

impl<'a> LanePart<'a> {
    fn of(lane: &'a FrozenLane) -> Self {
        let FrozenLane { lane, name, seed, strategy, found } = lane;
        let (measured, left_out) = match found {
            Found::Measured(info, report) => (Some(Measured::of(info, report)), None),
            Found::LeftOut(why) => (None, Some(why.as_str())),
        };
        Self { lane: *lane, name, seed: *seed, strategy, left_out, measured }
    }
}

impl<'a> Measured<'a> {
    fn of(info: &'a LaneInfo, report: &StepReport) -> Self {
        let whole = report.values.iter().filter(|(key, _)| key.site.is_none());
        let whole = whole.map(|(key, value)| (key.quantity.name(), Number(*value))).collect();
        let of_sites: Vec<Quantity> = Quantity::ALL
            .into_iter()
            .filter(|quantity| report.values.iter().any(|(key, _)| key.site.is_some() && key.quantity == *quantity))
            .collect();
        let values = |quantity: Quantity| {
            let sites = 0..info.sites.len();
            let values: Vec<Option<Number>> =
                sites.map(|site| report.get(Key::site(quantity, site)).map(Number)).collect();
            (quantity.name(), values)
        };
        let sites = of_sites.into_iter().map(values).collect();
        Self { scope: info.scope, step: report.step, layers: &info.sites, whole, sites }
    }
}

impl From<FrozenError> for Failure {
    fn from(error: FrozenError) -> Self {
        match error {
            FrozenError::Session(error) => Self::from(*error),
            FrozenError::Lane { .. } | FrozenError::NoCheckpoint { .. } => Self::new(Exit::Invalid, error.to_string()),
        }
    }
}
