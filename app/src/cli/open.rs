//! Runs on disk: opened at the view they were left at, watched while another process writes them, trained on.

use super::kept::{read_view, write_view};
use super::screen::{held, leave, no_screen, show, train};
use super::{Exit, Failure, print_note};
use crate::options::OpenOptions;
use crate::record::folder::{RunFolder, read_workspace};
use crate::record::paths::Paths;
use crate::record::place;
use crate::session::{Experiment, Origin, Watch};
use crate::tui::{self, TuiOptions};
use std::path::Path;

/// Opens a run that was kept; with `resume`, or when the person says so, goes on training it.
///
/// # Errors
/// [`Failure`] when there is no such run, it cannot be read or written, or there is no terminal.
pub fn open(options: &OpenOptions) -> Result<Exit, Failure> {
    tui::available().map_err(no_screen)?;
    let folder = place::find(options.folder.as_deref())?;
    if !options.resume {
        let watch = Watch::start(&folder, Origin::Opened)?;
        let (left, view) = leave(&watch, at_its_view(&folder))?;
        // A run that cannot be written to can still be looked at.
        if let Err(error) = write_view(&folder, &view) {
            print_note(&[format!("the view is not kept: {}: {error}", folder.display())]);
        }
        match left {
            tui::Exit::TrainOn => {}
            tui::Exit::Quit => return Ok(Exit::Done),
            tui::Exit::Signal(signal) => return Ok(Exit::Interrupted(u8::try_from(signal).unwrap_or(0))),
            tui::Exit::Lost => return Ok(Exit::Interrupted(1)),
        }
    }
    let workspace = read_workspace(&folder)?;
    let run = RunFolder::open(&folder, &workspace).map_err(held)?;
    let paths = Paths::read(&folder)?;
    let experiment = Experiment {
        beside: paths.beside,
        device: options.device,
        threads: options.threads,
        plugin_paths: [options.plugin_path.clone(), paths.plugin_paths].concat(),
        ..Experiment::new(workspace)
    };
    train(experiment, Some(run), at_its_view(&folder))
}

/// Watches a run that another process writes.
///
/// # Errors
/// [`Failure`] when there is no such run, its workspace cannot be read, or there is no terminal.
pub fn attach(folder: Option<&Path>) -> Result<Exit, Failure> {
    tui::available().map_err(no_screen)?;
    let folder = place::find(folder)?;
    let watch = Watch::start(&folder, Origin::Attached)?;
    show(&watch, at_its_view(&folder)).map(|(exit, _)| exit)
}

fn at_its_view(folder: &Path) -> TuiOptions {
    let (view, notice) = read_view(folder);
    TuiOptions { view, notice, ..TuiOptions::default() }
}
