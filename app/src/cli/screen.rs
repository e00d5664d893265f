//! The workbench: a session behind the screen, kept in a run folder.

use super::kept::{Kept, Recorded};
use super::{Exit, Failure};
use crate::options::{Keep, RunOptions, ScreenOptions};
use crate::record::folder::{FolderError, RunFolder};
use crate::record::place;
use crate::session::{Experiment, Prepared, Session, Source};
use crate::tui::{self, Draft, Early, Saved, TuiOptions};
use crate::workspace::{Document, Workspace};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

/// What a person waits for before the screen opens.
const LOADING: &str = "loading data and strategies";

/// Trains on the screen until the person leaves it.
///
/// # Errors
/// [`Failure`] when the workspace is invalid, the run cannot be kept where it was asked for, the session fails, or there is no
/// terminal.
pub fn screen(options: &ScreenOptions) -> Result<Exit, Failure> {
    let shown = super::look::options(&options.look)?;
    if options.look.plain.is_none() {
        tui::available().map_err(no_screen)?;
    }
    let mut ready = ready(Experiment::from_options(&options.run)?, options.look.plain)?;
    let workspace = &ready.prepared.experiment_mut().workspace;
    let (folder, notice) = match (&options.keep, options.resume) {
        (Keep::In(path), true) => (Some(RunFolder::open_or_create(path, workspace)?.0), None),
        (Keep::In(path), false) => (Some(RunFolder::create(path, workspace)?), None),
        (Keep::Nothing, _) => (None, None),
        (Keep::Default, _) => create_below(workspace),
    };
    let face = Face { shown: TuiOptions { notice, ..shown }, plain: options.look.plain };
    train(ready, folder, face, &options.run, options.keep != Keep::Nothing)
}

/// A session that can be: everything is loaded and every lane was built once, before there is a folder or a screen.
pub(super) struct Ready {
    prepared: Prepared,
    /// What the strategies print meanwhile, for the screen's log.
    printed: Option<Early>,
}

/// Loads `experiment` and builds every lane of it once.
///
/// # Errors
/// [`Failure`] when it cannot be. What strategies printed on the way is let out then.
pub(super) fn ready(experiment: Experiment, plain: Option<Duration>) -> Result<Ready, Failure> {
    let printed = if plain.is_none() { Some(Early::hold(LOADING).map_err(no_screen)?) } else { None };
    let mut prepared = Prepared::load(Experiment { keep_open: true, history: true, ..experiment })?;
    prepared.rehearse()?;
    Ok(Ready { prepared, printed })
}

/// A new folder among those kept by default. A home that cannot be written is no reason to show nothing: then why it is not kept.
fn create_below(workspace: &Workspace) -> (Option<RunFolder>, Option<String>) {
    let created = place::runs().map_err(Failure::from);
    match created.and_then(|runs| Ok(RunFolder::create_below(&runs, workspace)?)) {
        Ok(folder) => (Some(folder), None),
        Err(failure) => (None, Some(format!("this run is not kept: {}", failure.message))),
    }
}

/// What a session is shown with.
#[derive(Clone)]
pub(super) struct Face {
    pub(super) shown: TuiOptions,
    /// Lines in place of the screen, a report in so much time.
    pub(super) plain: Option<Duration>,
}

/// Trains what is `ready` behind `face`, kept in `folder`, from the checkpoints that are there; then whatever workspace the person
/// opened in its place, `keep`ing that in a folder of its own.
pub(super) fn train(
    ready: Ready,
    folder: Option<RunFolder>,
    mut face: Face,
    run: &RunOptions,
    keep: bool,
) -> Result<Exit, Failure> {
    let Ready { mut prepared, printed } = ready;
    let mut kept = Kept::begin(prepared.experiment_mut(), folder)?;
    let mut trainer = prepared.start(kept.observers())?;
    if let Some(printed) = printed {
        printed.leave_to_the_screen();
    }
    loop {
        let draft = match session(trainer, &kept, &face)? {
            Next::Done(exit) => return Ok(exit),
            Next::Open(draft) => draft,
        };
        let mut experiment = Experiment { keep_open: true, history: true, ..in_place(&draft, run)? };
        let folder;
        (folder, face.shown.notice) = if keep { create_below(&experiment.workspace) } else { (None, None) };
        face.shown.view = None;
        kept = Kept::begin(&mut experiment, folder)?;
        // One that cannot be is told on the screen, where it was asked for.
        trainer = Session::start(experiment, kept.observers())?;
    }
}

/// What comes after a session.
enum Next {
    /// The end.
    Done(Exit),
    /// Another one.
    Open(Box<Draft>),
}

/// The experiment of a workspace that was edited on the screen; where and how it computes is as it was asked for.
fn in_place(draft: &Draft, run: &RunOptions) -> Result<Experiment, Failure> {
    let mut document = Document::parse(&draft.text, &draft.label)?;
    document.check()?;
    let file = draft.path.as_deref().or(run.workspace.as_deref());
    document.folder = file.and_then(Path::parent).map(Path::to_owned);
    Ok(Experiment::of_document(&document, run))
}

/// One session, from its first frame to its end.
fn session(session: Session, kept: &Kept, face: &Face) -> Result<Next, Failure> {
    for warning in kept.warnings() {
        session.send(warning);
    }
    let source = Recorded::new(&session, kept);
    let shown = match face.plain {
        Some(every) => tui::plain::run(&source, face.shown.clone(), every).map(|exit| (exit, None)).map_err(no_screen),
        None => leave(&source, face.shown.clone()).map(|(exit, view)| (exit, Some(view))),
    };
    session.send(crate::session::Command::Stop);
    let step = session.snapshot().lanes.iter().map(|lane| lane.step).max().unwrap_or(0);
    let ended = session.join();
    let unfinished = ended.as_ref().map_or(true, |summary| summary.interrupted);
    let view = shown.as_ref().ok().and_then(|(_, view)| view.as_ref());
    let said = kept.end(unfinished, step, view);
    super::print_note(&said);
    match shown?.0 {
        tui::Exit::Open(draft) => Ok(Next::Open(draft)),
        exit => {
            ended?;
            Ok(Next::Done(code(&exit)))
        }
    }
}

/// How the screen ended, as an exit code.
pub(super) fn code(exit: &tui::Exit) -> Exit {
    match exit {
        tui::Exit::Quit | tui::Exit::TrainOn | tui::Exit::Open(_) => Exit::Done,
        tui::Exit::Signal(signal) => Exit::Interrupted(u8::try_from(*signal).unwrap_or(0)),
        tui::Exit::Lost => Exit::Interrupted(1),
    }
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
