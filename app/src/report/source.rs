//! The runs of a report: where their records are, and what they say of themselves.

use super::ReportError;
use crate::record::folder::records_of;
use crate::record::jsonl::RunHeader;
use crate::record::place;
use crate::record::read::{Record, read_records};
use crate::workspace::{Document, LossSpec, ModelSpec, Problem, Workspace};
use std::path::{Path, PathBuf};

/// A run on disk.
#[derive(Clone, Debug)]
pub struct Run {
    /// As it was asked for.
    pub path: PathBuf,
    /// Its records.
    pub records: PathBuf,
    /// What it runs.
    pub header: RunHeader,
    /// The workspace of the header, where this program can read it.
    pub workspace: Option<Workspace>,
}

/// The run at `path`: a run folder, one by its name among those kept by default, or a file of records.
///
/// # Errors
/// When there is none, or its records do not begin as a run's do.
pub fn open(path: &Path) -> Result<Run, ReportError> {
    let found = place::find(Some(path))?;
    let records = if found.is_dir() { records_of(&found) } else { found };
    let Some(Record::Run(header)) = read_records(&records)?.next().transpose()? else {
        return Err(ReportError::Empty(records));
    };
    let workspace = Document::parse(&header.workspace, &header.name).ok().map(|document| document.workspace);
    Ok(Run { path: path.into(), records, header: *header, workspace })
}

impl Run {
    /// Short name: the folder's, or the file's without its ending.
    pub fn label(&self) -> String {
        let name = if self.path.is_dir() { self.path.file_name() } else { self.path.file_stem() };
        name.map_or_else(|| self.header.name.clone(), |name| name.to_string_lossy().into_owned())
    }

    /// Whether the sweep has values of the problem whose path begins so.
    fn sweeps(&self, path: &str) -> bool {
        let swept = |workspace: &Workspace| workspace.sweep.iter().any(|axis| axis.path.starts_with(path));
        self.workspace.as_ref().is_some_and(swept)
    }

    /// `mlp 128×3, relu`.
    pub fn model(&self) -> String {
        if self.sweeps("problem.model") {
            return "several networks".to_owned();
        }
        let word = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
        match &self.header.model {
            ModelSpec::Mlp(mlp) => {
                let widths = format!("{:?}", mlp.hidden);
                format!("mlp {}, {}", crate::workspace::widths(&widths), word(&mlp.activation))
            }
            ModelSpec::Conv(conv) => {
                let channels: Vec<String> = conv.layers.iter().map(|layer| layer.channels.to_string()).collect();
                format!("conv {}, {}", channels.join("-"), word(&conv.activation))
            }
            other => format!("{other:?}").split('(').next().unwrap_or("").to_lowercase(),
        }
    }

    /// What it trains, in a line: data, model, loss, batch.
    pub fn problem(&self) -> String {
        let loss = match self.header.loss {
            LossSpec::CrossEntropy => "cross-entropy",
            LossSpec::MeanSquaredError => "mean squared error",
        };
        let limit = self.header.data.limit.map_or_else(String::new, |limit| format!(" (first {limit})"));
        let data = if self.sweeps("problem.data.name") { "several data sets" } else { &self.header.data.name };
        format!("{data}{limit} · {} · {loss} · batch {}", self.model(), self.header.batch)
    }

    /// What two runs must share for lanes of one name to be one group: the problem, and all that is not a lane's.
    pub(super) fn kind(&self) -> (Option<Problem>, u64, u64) {
        let problem = self.workspace.as_ref().map(|workspace| workspace.problem.clone());
        (problem, self.header.steps, self.header.data_seed)
    }
}
