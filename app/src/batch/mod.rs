//! The headless face: a run from start to end, for scripts and job queues.
//!
//! Records go to standard output or a run folder, progress to standard error, the summary table last: to standard output
//! where no records go there, to standard error otherwise. Knows sessions and records; nothing of a screen.
//!
//! | ends | code |
//! |---|---|
//! | all was done, the time limit was reached, or the reader of standard output went away | 0 |
//! | the engine, a lane, or the writing of records or checkpoints failed | 1 |
//! | the workspace, the data, or the run folder do not fit | 3 |
//! | a plugin was refused or failed | 4 |
//! | every lane diverged | 5 |
//! | SIGINT, SIGTERM: checkpoints written where there is a run folder | 130, 143 |
#![forbid(unsafe_code)]

mod interrupt;
mod outcome;
mod progress;

pub use outcome::Ended;

use crate::filter::Filter;
use crate::options::Format;
use crate::record::folder::{FolderError, RunFolder};
use crate::record::jsonl::Host;
use crate::record::paths::PathsError;
use crate::record::recording::{Recording, RecordingError, StreamFormat};
use crate::record::{Observer, table};
use crate::session::{Command, Experiment, Prepared, Session, SessionError};
use interrupt::Interrupt;
use progress::{Display, Progress};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

/// How often progress is looked at, and signals and closed pipes are noticed.
const TICK: Duration = Duration::from_millis(100);

/// Width of the summary table where no terminal says otherwise.
const WIDTH: usize = 100;

/// A run without a screen.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What is run. Its folder and whether it resumes are set by [`run`].
    pub experiment: Experiment,
    /// The run folder; records go to standard output without one.
    pub out: Option<PathBuf>,
    /// Go on with the run in `out`, or start there when it holds none.
    pub resume: bool,
    /// How records are written.
    pub format: Format,
    /// Neither progress nor a summary on standard error.
    pub quiet: bool,
    /// The lanes of the summary table; all of them when `None`.
    pub filter: Option<Filter>,
    /// The command line that begins it, kept in its records.
    pub command: String,
    /// The command line that resumes, to be shown after an interruption.
    pub resume_command: String,
}

/// A run that can be: a session with everything loaded, or what stands in for one in tests.
trait Ready {
    type Trainer: Trainer;

    /// What computes.
    fn host(&self) -> Host;
    /// FLOP of a step of every lane, trials first, as far as they are known.
    fn costs(&self) -> Vec<u64>;
    /// Whether all lanes have the same layers.
    fn alike(&self) -> bool;
    /// Checkpoints go to `folder`; with `resume` the run goes on from those there.
    fn keep(&mut self, folder: PathBuf, resume: bool);
    /// Begins to train.
    fn start(self, observers: Vec<Box<dyn Observer>>) -> Result<Self::Trainer, Failure>;
}

impl Ready for Prepared {
    type Trainer = Session;

    fn host(&self) -> Host {
        Host::new(self.device(), Some(self.threads()))
    }

    fn costs(&self) -> Vec<u64> {
        Prepared::costs(self).to_vec()
    }

    fn alike(&self) -> bool {
        Prepared::alike(self)
    }

    fn keep(&mut self, folder: PathBuf, resume: bool) {
        Prepared::keep(self, folder, resume);
    }

    fn start(self, observers: Vec<Box<dyn Observer>>) -> Result<Session, Failure> {
        Ok(Prepared::start(self, observers)?)
    }
}

/// Loads a run and builds every lane of it once.
fn prepare(experiment: Experiment) -> Result<Prepared, Failure> {
    let mut prepared = Prepared::load(experiment)?;
    prepared.rehearse()?;
    Ok(prepared)
}

/// What a run is driven by: a session, or what stands in for one in tests.
trait Trainer {
    /// Asks it to write checkpoints and end.
    fn stop(&self);
    /// Waits at most so long; true once it has ended.
    fn wait(&self, timeout: Duration) -> bool;
    /// Waits for the end.
    fn join(self) -> Result<Joined, Failure>;
}

/// What a run came to, besides its records.
#[derive(Clone, Debug, Default)]
struct Joined {
    /// Whether it was cut off.
    interrupted: bool,
    /// Why a checkpoint could not be written.
    unsaved: Option<String>,
}

impl Trainer for Session {
    fn stop(&self) {
        self.send(Command::Stop);
    }

    fn wait(&self, timeout: Duration) -> bool {
        Session::wait(self, timeout)
    }

    fn join(self) -> Result<Joined, Failure> {
        let summary = Session::join(self)?;
        Ok(Joined { interrupted: summary.interrupted, unsaved: summary.unsaved })
    }
}

/// Why a run ended without a result.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    ended: Ended,
    message: String,
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        Self { ended: Ended::of_error(&error), message: error.to_string() }
    }
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        let ended = if matches!(error, FolderError::Io { .. }) { Ended::Failed } else { Ended::Invalid };
        Self { ended, message: error.to_string() }
    }
}

impl From<PathsError> for Failure {
    fn from(error: PathsError) -> Self {
        Self { ended: Ended::Failed, message: error.to_string() }
    }
}

impl From<RecordingError> for Failure {
    fn from(error: RecordingError) -> Self {
        Self { ended: Ended::Failed, message: error.to_string() }
    }
}

/// The streams and signals of the process, or what stands in for them in tests.
struct Surroundings<'a> {
    /// Where records may go.
    records: Box<dyn Write + Send>,
    /// Where the summary may go.
    out: &'a mut dyn Write,
    out_width: usize,
    display: Display<'a>,
    error_width: usize,
    interrupt: Interrupt,
}

/// Runs to the end, whatever that is, and says how it ended. Never panics on a closed stream.
pub fn run(batch: Batch) -> Ended {
    let (out, error) = (io::stdout().is_terminal(), io::stderr().is_terminal());
    // Records that scroll through the same terminal would tear a progress bar apart.
    let streams = batch.out.is_none() && batch.format != Format::None;
    let columns = || crossterm::terminal::size().map_or(WIDTH, |(columns, _)| usize::from(columns).max(60));
    let width = |terminal: bool| if terminal { columns() } else { WIDTH };
    let (mut stdout, mut stderr) = (io::stdout(), io::stderr());
    let display = match (batch.quiet, error && !(out && streams)) {
        (true, _) => Display::quiet(&mut stderr),
        (false, true) => Display::bar(&mut stderr),
        (false, false) => Display::lines(&mut stderr),
    };
    let interrupt = Interrupt::listen();
    drive(
        batch,
        Surroundings {
            records: Box::new(io::stdout()),
            out: &mut stdout,
            out_width: width(out),
            display,
            error_width: width(error),
            interrupt,
        },
        prepare,
    )
}

/// [`run`] in any surroundings, with whatever `prepare` makes of the experiment.
fn drive<R: Ready>(
    batch: Batch,
    mut around: Surroundings<'_>,
    prepare: impl FnOnce(Experiment) -> Result<R, Failure>,
) -> Ended {
    match attempt(batch, &mut around, prepare) {
        Ok(ended) => ended,
        Err(failure) => {
            around.display.error(&failure.message);
            failure.ended
        }
    }
}

fn attempt<R: Ready>(
    batch: Batch,
    around: &mut Surroundings<'_>,
    prepare: impl FnOnce(Experiment) -> Result<R, Failure>,
) -> Result<Ended, Failure> {
    let Batch { experiment, out, resume, format, quiet, filter, command, resume_command } = batch;
    let (workspace, paths) = (experiment.workspace.clone(), experiment.paths());
    // First of all: what is refused leaves no folder and no record behind.
    let mut ready = prepare(experiment)?;
    let host = ready.host().by(command);
    if format == Format::Csv && !ready.alike() {
        let message = "the sweep's networks have different layers, which have no common columns in one table; write records with \
                       --format jsonl, or make a table of the lanes afterwards: guesswork report RUN --format csv";
        return Err(Failure { ended: Ended::Invalid, message: message.into() });
    }
    let folder = match (&out, resume) {
        (Some(path), true) => Some(RunFolder::open_or_create(path, &workspace)?.0),
        (Some(path), false) => Some(RunFolder::create(path, &workspace)?),
        (None, _) => None,
    };
    if let Some(folder) = &folder {
        paths.write(folder.path())?;
    }
    let records = std::mem::replace(&mut around.records, Box::new(io::sink()));
    let recording = match (&folder, format) {
        (Some(folder), _) => Recording::folder(&workspace, host, folder, format == Format::Csv)?,
        (None, Format::Jsonl) => {
            Recording::stream(&workspace, host, records, "standard output", StreamFormat::JsonLines)
        }
        (None, Format::Csv) => Recording::stream(&workspace, host, records, "standard output", StreamFormat::Csv),
        (None, Format::None) => Recording::none(&workspace),
    };
    if let Some(folder) = &folder {
        ready.keep(folder.checkpoints(), recording.is_resumed());
        if !folder.is_locked() {
            let path = folder.path().display();
            around.display.warn(&format!("{path}: this file system cannot lock; keep other runs out of it yourself"));
        }
    }
    recording.warnings().iter().for_each(|warning| around.display.warn(warning));

    let progress = Progress::new(&workspace, &ready.costs(), recording.standing());
    around.display.begin(&progress, recording.is_resumed(), folder.as_ref().map(RunFolder::path));
    let mut observers = recording.observers();
    observers.push(Box::new(progress.observer()));
    let trainer = ready.start(observers)?;
    wait(&trainer, &progress, &recording, around);
    let joined = trainer.join();
    around.display.finish(&progress);
    let (summary, written) = recording.finish(joined.as_ref().map_or(true, |joined| joined.interrupted));
    let Joined { interrupted, unsaved } = joined?;

    if let Err(failure) = &written {
        if failure.is_closed_pipe() {
            return Ok(Ended::Done);
        }
        around.display.error(&failure.to_string());
    }
    let shown = match &filter {
        Some(filter) => recording.summary_where(summary.interrupted, filter),
        None => summary.clone(),
    };
    if let Some(filter) = filter.as_ref().filter(|_| shown.lanes.is_empty() && !summary.lanes.is_empty()) {
        around.display.warn(&format!("no lane of {} meets the filter `{filter}`", summary.lanes.len()));
    }
    if folder.is_none() && format != Format::None {
        if !quiet {
            around.display.text(&table::text(&shown, around.error_width));
        }
    } else {
        // Who closed the pipe does not want the table.
        let text = table::text(&shown, around.out_width);
        let _ = around.out.write_all(text.as_bytes()).and_then(|()| around.out.flush());
    }
    if interrupted {
        around.display.note(&match folder {
            Some(_) => format!("interrupted; continue with: {resume_command}"),
            None => "interrupted; nothing is kept to continue from without --out DIR".into(),
        });
    } else if let (Some(_), true) = (&folder, summary.was_cut_off_by_time()) {
        around.display.note(&format!("the time is up; continue with: {resume_command}"));
    }
    if let Some(text) = &unsaved {
        around.display.error(text);
    }
    let signal = around.interrupt.signal().filter(|_| interrupted);
    Ok(match (written.is_err() || unsaved.is_some(), signal) {
        (true, _) => Ended::Failed,
        (false, Some(signal)) => Ended::Interrupted(signal),
        (false, None) => Ended::of_summary(&summary),
    })
}

/// Waits for the end; asks for it on a signal, or when nobody takes the records any more.
fn wait(trainer: &impl Trainer, progress: &Progress, recording: &Recording, around: &mut Surroundings<'_>) {
    let mut stopping = false;
    loop {
        if !stopping {
            let signal = around.interrupt.signal().is_some();
            if signal {
                around.display.note("stopping after this step; once more ends at once");
            }
            stopping = signal || recording.failure().is_some();
            if stopping {
                trainer.stop();
            }
        }
        if trainer.wait(TICK) {
            return;
        }
        around.display.update(progress);
    }
}

#[cfg(test)]
mod tests;
