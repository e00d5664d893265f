//! The workbench: a session behind the screen.

use super::{Exit, Failure};
use crate::options::{Look, RunOptions};
use crate::session::{Experiment, Session, Status};
use crate::strategy::{Catalog, list};
use crate::tui;
use std::path::PathBuf;
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
    experiment.keep_open = true;
    experiment.history = true;
    let session = Session::start(experiment, Vec::new())?;
    let opened = Instant::now();
    while session.snapshot().status == Status::Starting && opened.elapsed() < EARLY {
        session.wait(Duration::from_millis(1));
    }
    if matches!(session.snapshot().status, Status::Failed(_)) {
        session.join()?;
        return Ok(Exit::Failed);
    }
    let shown = match look.plain {
        Some(every) => tui::plain::run(&session, shown, every),
        None => tui::run(&session, shown),
    };
    session.send(crate::session::Command::Stop);
    let ended = session.join();
    let exit = shown.map_err(|error| {
        let advice = "run it in a terminal, or without a screen: guesswork --batch WORKSPACE.ron";
        Failure::new(Exit::Failed, format!("the screen: {error}; {advice}"))
    })?;
    ended?;
    Ok(match exit {
        tui::Exit::Quit => Exit::Done,
        tui::Exit::Signal(signal) => Exit::Interrupted(u8::try_from(signal).unwrap_or(0)),
        tui::Exit::Lost => Exit::Interrupted(1),
    })
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
