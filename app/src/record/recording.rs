//! Everything that is kept of one run: its sinks, opened for a new run or for one that goes on, and its summary.
//!
//! Both faces use it: the screen with a run folder, batch with a run folder or a stream.
#![forbid(unsafe_code)]

use super::checkpoint::CheckpointError;
use super::csv::Csv;
use super::folder::RunFolder;
use super::jsonl::{Host, JsonLines, RunHeader};
use super::log::Log;
use super::observers::{Continued, Shared};
use super::output::{Watch, WriteFailure};
use super::read::{ReadError, replay};
use super::replace::replace;
use super::summary::Summary;
use super::tally::{Standing, Tally};
use super::truncate::{Kept, truncate_after};
use super::{LaneId, Level, Message, Observer};
use crate::filter::Filter;
use crate::workspace::Workspace;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a recording cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// A file cannot be opened.
    #[error("cannot open {}: {error}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// The records so far cannot be read or cut.
    #[error(transparent)]
    Records(#[from] ReadError),
    /// A checkpoint cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A lane has a checkpoint but no records.
    #[error("{}: the start of lane {lane}, which has a checkpoint, is not recorded; delete the checkpoint to start it anew", path.display())]
    Unrecorded {
        /// The records.
        path: PathBuf,
        /// The lane.
        lane: LaneId,
    },
}

/// A form of records on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamFormat {
    /// [`super::jsonl`].
    JsonLines,
    /// [`super::csv`].
    Csv,
}

/// A sink that can also write down how the run came out.
trait Sink: Observer {
    fn summary(&mut self, _summary: &Summary) {}
}

impl<W: Write + Send> Sink for JsonLines<W> {
    fn summary(&mut self, summary: &Summary) {
        self.record("summary", summary);
    }
}

impl<W: Write + Send> Sink for Csv<W> {}

impl<W: Write + Send> Sink for Log<W> {}

/// The sinks of a run.
pub struct Recording {
    folder: Option<RunFolder>,
    tally: Shared<Tally>,
    sinks: Vec<Shared<Box<dyn Sink>>>,
    watches: Vec<Watch>,
    kept: Kept,
}

impl Recording {
    /// Keeps nothing but the summary.
    pub fn none(workspace: &Workspace) -> Self {
        let tuned = workspace.tune.as_ref().map(|tune| tune.over.as_str());
        let tally = Shared::new(Tally::new(&workspace.name, tuned));
        Self { folder: None, tally, sinks: Vec::new(), watches: Vec::new(), kept: Kept::default() }
    }

    /// Writes to `stream` in that form; `target` names it in errors.
    pub fn stream(
        workspace: &Workspace,
        host: Host,
        stream: impl Write + Send + 'static,
        target: &str,
        format: StreamFormat,
    ) -> Self {
        let mut recording = Self::none(workspace);
        match format {
            StreamFormat::JsonLines => {
                let sink = JsonLines::new(stream, target, &RunHeader::new(workspace, host));
                recording.add(sink.watch(), sink);
            }
            StreamFormat::Csv => {
                let sink = Csv::new(stream, target, &workspace.measure);
                recording.add(sink.watch(), sink);
            }
        }
        recording
    }

    /// Writes to a run folder: `records.jsonl`, `log.txt`, with `csv` also `records.csv`.
    ///
    /// Records that are there already are cut back to the checkpoints (see [`super::truncate`]) and told to the summary and
    /// the table again, so that the run goes on as if it had never stopped. The steps of lanes without a checkpoint go.
    ///
    /// # Errors
    /// When a file cannot be opened, or what is there cannot be read.
    pub fn folder(workspace: &Workspace, host: Host, folder: &RunFolder, csv: bool) -> Result<Self, RecordingError> {
        let mut recording = Self::none(workspace);
        recording.folder = Some(folder.clone());
        let path = folder.records();
        let positions = folder.positions()?;
        recording.kept = truncate_after(&path, &positions)?;
        if let Some(&lane) = positions.keys().find(|lane| !recording.kept.started.contains(lane)) {
            return Err(RecordingError::Unrecorded { path, lane });
        }
        let resumed = recording.kept.header;
        if resumed {
            replay(&path, &mut recording.tally)?;
        }
        if csv {
            let path = folder.csv();
            let mut sink = Csv::create(open(&path, false)?, path.display().to_string(), &workspace.measure);
            if resumed {
                replay(&folder.records(), &mut sink)?;
            }
            recording.add(sink.watch(), sink);
        }
        let (file, target) = (open(&path, resumed)?, path.display().to_string());
        let sink = match resumed {
            true => JsonLines::append(file, target),
            false => JsonLines::create(file, target, &RunHeader::new(workspace, host)),
        };
        recording.add(sink.watch(), sink);
        let path = folder.log();
        let mut log = Log::append(open(&path, true)?, path.display().to_string());
        if resumed {
            log.message(&Message { lane: None, step: None, level: Level::Info, text: "resumed".into() });
        }
        // A log that cannot be written does not stop a run: it is not watched.
        recording.sinks.push(Shared::new(Box::new(log)));
        Ok(recording)
    }

    fn add(&mut self, watch: Watch, sink: impl Sink + 'static) {
        self.watches.push(watch);
        self.sinks.push(Shared::new(Box::new(sink)));
    }

    /// The observers for the session. To be taken once.
    pub fn observers(&self) -> Vec<Box<dyn Observer>> {
        let continued = |inner: Box<dyn Observer>| -> Box<dyn Observer> {
            match self.kept.started.is_empty() {
                true => inner,
                false => Box::new(Continued::new(inner, self.kept.started.clone())),
            }
        };
        let mut observers = vec![continued(Box::new(self.tally.clone()))];
        observers.extend(self.sinks.iter().map(|sink| continued(Box::new(sink.clone()))));
        observers
    }

    /// Whether the run goes on from records that were there.
    pub fn is_resumed(&self) -> bool {
        self.kept.header
    }

    /// What a person should know of the records that were there, a sentence each: records that are missing.
    pub fn warnings(&self) -> Vec<String> {
        let sentence = |(lane, (from, to)): (&usize, &(u64, u64))| {
            format!("the records of lane {lane} stop at step {from}, before its checkpoint at step {to}")
        };
        self.kept.gaps.iter().map(sentence).collect()
    }

    /// The first failure to write, once there is one.
    pub fn failure(&self) -> Option<&WriteFailure> {
        self.watches.iter().find_map(Watch::failure)
    }

    /// How things stand.
    pub fn summary(&self, interrupted: bool) -> Summary {
        self.tally.lock().summary(interrupted)
    }

    /// Where the lanes of a run that goes on stand, trials of its tuning stage among them.
    pub fn standing(&self) -> Vec<Standing> {
        self.tally.lock().standing()
    }

    /// How the lanes that meet `filter` stand.
    pub fn summary_where(&self, interrupted: bool, filter: &Filter) -> Summary {
        self.tally.lock().summary_where(interrupted, filter)
    }

    /// Writes the summary where there is a place for it, puts everything on the disk, and returns it. To be called when
    /// the session has ended.
    ///
    /// # Errors
    /// When a sink has failed or `summary.json` cannot be written.
    pub fn finish(&self, interrupted: bool) -> (Summary, Result<(), WriteFailure>) {
        let summary = self.summary(interrupted);
        for sink in &self.sinks {
            let mut sink = sink.lock();
            sink.summary(&summary);
            sink.sync();
        }
        let mut result = self.failure().map_or(Ok(()), |failure| Err(failure.clone()));
        if let Some(folder) = &self.folder {
            result = result.and(write_summary(&folder.summary(), &summary));
        }
        (summary, result)
    }
}

fn write_summary(path: &Path, summary: &Summary) -> Result<(), WriteFailure> {
    let written = serde_json::to_string_pretty(summary)
        .map_err(io::Error::from)
        .and_then(|text| replace(path, format!("{text}\n").as_bytes()));
    written.map_err(|error| WriteFailure {
        target: path.display().to_string(),
        kind: error.kind(),
        message: error.to_string(),
    })
}

fn open(path: &Path, append: bool) -> Result<File, RecordingError> {
    let mut options = OpenOptions::new();
    options.create(true).append(append).write(true).truncate(!append);
    options.open(path).map_err(|error| RecordingError::Open { path: path.into(), error })
}
