//! Runs on disk: opened at the view they were left at, watched while another process writes them, trained on.

use super::kept::{read_view, write_view};
use super::screen::{Face, code, held, leave, no_screen, ready, train};
use super::{Exit, Failure, print_note};
use crate::options::{AttachOptions, Look, OpenOptions, RunOptions};
use crate::record::folder::{RunFolder, read_workspace};
use crate::record::paths::Paths;
use crate::record::place;
use crate::session::{Experiment, Origin, Watch};
use crate::tui::{self, Saved, TuiOptions};
use std::path::Path;

/// Opens a run that was kept; with `resume`, or when the person says so, goes on training it.
///
/// # Errors
/// [`Failure`] when there is no such run, it cannot be read or written, or there is no terminal.
pub fn open(options: &OpenOptions) -> Result<Exit, Failure> {
    screen_or_lines(&options.look)?;
    let folder = place::find(options.folder.as_deref())?;
    if !options.resume {
        let watch = Watch::start(&folder, Origin::Opened)?;
        let (left, view) = look_at(&watch, &folder, &options.look)?;
        // A run that cannot be written to can still be looked at.
        if let Some(view) = view
            && let Err(error) = write_view(&folder, &view)
        {
            print_note(&[format!("the view is not kept: {}: {error}", folder.display())]);
        }
        match left {
            tui::Exit::TrainOn => {}
            exit => return Ok(code(&exit)),
        }
    }
    let workspace = read_workspace(&folder)?;
    let run = RunFolder::open(&folder, &workspace).map_err(held)?;
    let experiment = Experiment {
        device: options.device,
        threads: options.threads,
        ..Experiment::of_run(workspace, Paths::read(&folder)?, &options.plugin_path)
    };
    let asked = RunOptions {
        device: options.device,
        threads: options.threads,
        plugin_path: options.plugin_path.clone(),
        ..RunOptions::default()
    };
    let face = Face { shown: at_its_view(&folder, &options.look)?, plain: options.look.plain };
    train(ready(experiment, options.look.plain)?, Some(run), face, &asked, true)
}

/// Watches a run that another process writes.
///
/// # Errors
/// [`Failure`] when there is no such run, its workspace cannot be read, or there is no terminal.
pub fn attach(options: &AttachOptions) -> Result<Exit, Failure> {
    screen_or_lines(&options.look)?;
    let folder = place::find(options.folder.as_deref())?;
    let watch = Watch::start(&folder, Origin::Attached)?;
    look_at(&watch, &folder, &options.look).map(|(exit, _)| code(&exit))
}

/// Whether there is a terminal, where one is needed.
fn screen_or_lines(look: &Look) -> Result<(), Failure> {
    if look.plain.is_some() { Ok(()) } else { tui::available().map_err(no_screen) }
}

/// Shows a run on disk, on the screen or in lines: how that ended, and how the screen looked.
fn look_at(watch: &Watch, folder: &Path, look: &Look) -> Result<(tui::Exit, Option<Saved>), Failure> {
    let shown = at_its_view(folder, look)?;
    match look.plain {
        Some(every) => tui::plain::run(watch, shown, every).map(|exit| (exit, None)).map_err(no_screen),
        None => leave(watch, shown).map(|(exit, view)| (exit, Some(view))),
    }
}

/// The screen as it was asked for, at the view the run was left at; a layout that was asked for goes before that of the view.
fn at_its_view(folder: &Path, look: &Look) -> Result<TuiOptions, Failure> {
    let (view, notice) = read_view(folder);
    let asked = super::look::options(look)?;
    let view = view.map(|view| if look.layout.is_some() { view.in_layout(asked.layout) } else { view });
    Ok(TuiOptions { view, notice, ..asked })
}
