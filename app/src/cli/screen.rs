//! The workbench: a session behind the screen.

use super::{Exit, Failure};
use crate::options::{Look, RunOptions};
use crate::session::{Experiment, Session, Status};
use crate::strategy::{Catalog, list};
use crate::tui::{self, Draft, TuiOptions};
use crate::workspace::Document;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a session may take to fail before the screen opens: most mistakes show while data and plugins are loaded.
const EARLY: Duration = Duration::from_millis(40);

/// Opens the workbench on a workspace and stays until the person quits.
///
/// # Errors
/// [`Failure`] when the workspace is invalid, the session fails, or there is no terminal.
pub fn screen(options: &RunOptions, look: &Look) -> Result<Exit, Failure> {
    let shown = super::look::options(look)?;
    let mut experiment = Experiment::from_options(options)?;
    let mut first = true;
    loop {
        match train(experiment, first, shown.clone(), look.plain)? {
            Next::Done(exit) => return Ok(exit),
            Next::Open(draft) => (experiment, first) = (in_place(&draft, options)?, false),
        }
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
fn in_place(draft: &Draft, options: &RunOptions) -> Result<Experiment, Failure> {
    let mut document = Document::parse(&draft.text, &draft.label)?;
    document.check()?;
    let file = draft.path.as_deref().or(options.workspace.as_deref());
    document.folder = file.and_then(Path::parent).map(Path::to_owned);
    Ok(Experiment::of_document(&document, options))
}

/// Trains on the screen until the person leaves it. A `first` session that fails at once never opens the screen; the failure of
/// a later one is shown there.
fn train(mut experiment: Experiment, first: bool, shown: TuiOptions, plain: Option<Duration>) -> Result<Next, Failure> {
    experiment.keep_open = true;
    experiment.history = true;
    let session = Session::start(experiment, Vec::new())?;
    let opened = Instant::now();
    while session.snapshot().status == Status::Starting && opened.elapsed() < EARLY {
        session.wait(Duration::from_millis(1));
    }
    if first && matches!(session.snapshot().status, Status::Failed(_)) {
        session.join()?;
        return Ok(Next::Done(Exit::Failed));
    }
    let shown = match plain {
        Some(every) => tui::plain::run(&session, shown, every),
        None => tui::run(&session, shown),
    };
    session.send(crate::session::Command::Stop);
    let ended = session.join();
    let exit = shown.map_err(|error| {
        let advice = "run it in a terminal, or without a screen: guesswork --batch WORKSPACE.ron";
        Failure::new(Exit::Failed, format!("the screen: {error}; {advice}"))
    })?;
    if let tui::Exit::Open(draft) = exit {
        return Ok(Next::Open(draft));
    }
    ended?;
    Ok(Next::Done(match exit {
        tui::Exit::Signal(signal) => Exit::Interrupted(u8::try_from(signal).unwrap_or(0)),
        tui::Exit::Lost => Exit::Interrupted(1),
        tui::Exit::Quit | tui::Exit::Open(_) => Exit::Done,
    }))
}

/// The strategies that are found, and what was refused with the reason.
///
/// # Errors
/// [`Failure`] when standard output cannot be written.
pub fn plugin_list(plugin_path: &[PathBuf]) -> Result<Exit, Failure> {
    super::print(&list::list(&Catalog::standard(plugin_path, None)))
}

/// What one strategy says of itself.
///
/// # Errors
/// [`Failure`] when there is none of that name, or standard output cannot be written.
pub fn plugin_info(name: &str, plugin_path: &[PathBuf]) -> Result<Exit, Failure> {
    let catalog = Catalog::standard(plugin_path, None);
    let info = catalog.get(name).map_err(|error| Failure::new(Exit::Plugin, error.to_string()))?;
    super::print(&list::info(info))
}
