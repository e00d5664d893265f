//! The workbench: a session behind the screen, kept in a run folder.

use super::kept::{Kept, Recorded};
use super::{Exit, Failure};
use crate::options::{Keep, ScreenOptions};
use crate::record::folder::{FolderError, RunFolder};
use crate::record::place;
use crate::session::{Experiment, Session, Source, Status};
use crate::tui::{self, Saved, TuiOptions};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// How long a session may take to fail before the screen opens: most mistakes show while data and plugins are loaded.
const EARLY: Duration = Duration::from_millis(40);

/// Opens the workbench on a workspace and stays until the person quits.
///
/// # Errors
/// [`Failure`] when the workspace is invalid, the run cannot be kept where it was asked for, the session fails, or there is no
/// terminal.
pub fn screen(options: &ScreenOptions) -> Result<Exit, Failure> {
    tui::available().map_err(no_screen)?;
    let experiment = Experiment::from_options(&options.run)?;
    let workspace = &experiment.workspace;
    let (folder, notice) = match (&options.keep, options.resume) {
        (Keep::In(path), true) => (Some(RunFolder::open_or_create(path, workspace)?.0), None),
        (Keep::In(path), false) => (Some(RunFolder::create(path, workspace)?), None),
        (Keep::Nothing, _) => (None, None),
        (Keep::Default, _) => match create_below(workspace) {
            Ok(folder) => (Some(folder), None),
            // A home that cannot be written is no reason to show nothing.
            Err(failure) => (None, Some(format!("this run is not kept: {}", failure.message))),
        },
    };
    train(experiment, folder, TuiOptions { notice, ..TuiOptions::default() })
}

fn create_below(workspace: &crate::workspace::Workspace) -> Result<RunFolder, Failure> {
    Ok(RunFolder::create_below(&place::runs()?, workspace)?)
}

/// Trains `experiment` on the screen, kept in `folder`, from the checkpoints that are there.
pub(super) fn train(
    mut experiment: Experiment,
    folder: Option<RunFolder>,
    options: TuiOptions,
) -> Result<Exit, Failure> {
    experiment.keep_open = true;
    experiment.history = true;
    let kept = Kept::begin(&mut experiment, folder)?;
    let session = Session::start(experiment, kept.observers())?;
    for warning in kept.warnings() {
        session.send(warning);
    }
    let opened = Instant::now();
    while session.snapshot().status == Status::Starting && opened.elapsed() < EARLY {
        session.wait(Duration::from_millis(1));
    }
    if matches!(session.snapshot().status, Status::Failed(_)) {
        session.join()?;
        return Ok(Exit::Failed);
    }
    let shown = show(&Recorded::new(&session, &kept), options);
    session.send(crate::session::Command::Stop);
    let unfinished = session.snapshot().status != Status::Finished;
    let step = session.snapshot().lanes.iter().map(|lane| lane.step).max().unwrap_or(0);
    let ended = session.join();
    let view = shown.as_ref().ok().map(|(_, view)| view);
    let said = kept.end(unfinished || ended.is_err(), step, view);
    super::print_note(&said);
    let exit = shown.map(|(exit, _)| exit)?;
    ended?;
    Ok(exit)
}

/// The screen on `source`: how it ended as an exit code, and how it looked.
pub(super) fn show(source: &dyn Source, options: TuiOptions) -> Result<(Exit, Saved), Failure> {
    let (left, view) = leave(source, options)?;
    let exit = match left {
        tui::Exit::Quit | tui::Exit::TrainOn => Exit::Done,
        tui::Exit::Signal(signal) => Exit::Interrupted(u8::try_from(signal).unwrap_or(0)),
        tui::Exit::Lost => Exit::Interrupted(1),
    };
    Ok((exit, view))
}

/// The screen on `source`: how it ended, and how it looked. A panic of the screen's own is a failure like others: what trains
/// behind it is ended in order.
pub(super) fn leave(source: &dyn Source, options: TuiOptions) -> Result<(tui::Exit, Saved), Failure> {
    match catch_unwind(AssertUnwindSafe(|| tui::run(source, options))) {
        Ok(Ok(left)) => Ok((left.exit, left.view)),
        Ok(Err(error)) => Err(no_screen(error)),
        Err(_) => {
            let message = "the screen failed, which is a fault of this program; what it said stands above";
            Err(Failure::new(Exit::Failed, message))
        }
    }
}

/// The screen cannot be had.
pub(super) fn no_screen(error: std::io::Error) -> Failure {
    let advice = "run it in a terminal, or without a screen: guesswork --batch WORKSPACE.ron";
    Failure::new(Exit::Failed, format!("the screen: {error}; {advice}"))
}

/// Why a run folder cannot be used, where another process holds it: what can be done instead.
pub(super) fn held(error: FolderError) -> Failure {
    let watch = match &error {
        FolderError::Locked { path, .. } => format!("; to watch it: guesswork attach {}", path.display()),
        _ => String::new(),
    };
    let failure = Failure::from(error);
    Failure { message: failure.message + &watch, ..failure }
}
