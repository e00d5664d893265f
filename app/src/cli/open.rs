//! Runs on disk: opened at the view they were left at, watched while another process writes them, trained on.

use super::kept::{read_view, write_view};
use super::screen::{Face, code, held, leave, no_screen, train};
use super::{Exit, Failure, print_note};
use crate::options::{Look, OpenOptions, RunOptions};
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
        let (left, view) = leave(&watch, at_its_view(&folder)?)?;
        // A run that cannot be written to can still be looked at.
        if let Err(error) = write_view(&folder, &view) {
            print_note(&[format!("the view is not kept: {}: {error}", folder.display())]);
        }
        match left {
            tui::Exit::TrainOn => {}
            exit => return Ok(code(&exit)),
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
    let asked = RunOptions {
        device: options.device,
        threads: options.threads,
        plugin_path: options.plugin_path.clone(),
        ..RunOptions::default()
    };
    train(experiment, Some(run), Face { shown: at_its_view(&folder)?, plain: None }, &asked, true)
}

/// Watches a run that another process writes.
///
/// # Errors
/// [`Failure`] when there is no such run, its workspace cannot be read, or there is no terminal.
pub fn attach(folder: Option<&Path>) -> Result<Exit, Failure> {
    tui::available().map_err(no_screen)?;
    let folder = place::find(folder)?;
    let watch = Watch::start(&folder, Origin::Attached)?;
    leave(&watch, at_its_view(&folder)?).map(|(exit, _)| code(&exit))
}

/// The screen as the person's configuration has it, at the view the run was left at.
fn at_its_view(folder: &Path) -> Result<TuiOptions, Failure> {
    let (view, notice) = read_view(folder);
    Ok(TuiOptions { view, notice, ..super::look::options(&Look::default())? })
}
