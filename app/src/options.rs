//! What a run was asked for on the command line, as plain data that the faces and the session read.
//!
//! Knows the workspace, and nothing of how a command line is written or what a session does with it.
#![forbid(unsafe_code)]

use crate::filter::Filter;
use crate::workspace::{Document, WorkspaceError};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where to compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// An accelerator if this build and machine have one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA device of that number.
    Cuda(usize),
    /// The Metal device.
    Metal,
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
            Self::Metal => f.write_str("metal"),
        }
    }
}

/// What to do when a plugin fails in the middle of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnPluginError {
    /// Its lane ends, the others go on.
    #[default]
    Stop,
    /// Its lane leaves the step out and goes on.
    Skip,
    /// The whole run ends.
    Abort,
}

/// How records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// JSON Lines.
    #[default]
    Jsonl,
    /// Comma-separated values.
    Csv,
    /// No records.
    None,
}

/// What both faces are asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunOptions {
    /// The workspace: a file, or the name of a shipped one. The first shipped one when left out.
    pub workspace: Option<PathBuf>,
    /// Apply the workspace's `quick` section, before all that follows.
    pub quick: bool,
    /// Values to set, as `path=value`, in order.
    pub set: Vec<String>,
    /// Seeds in place of the workspace's and of its lanes'.
    pub seeds: Option<Vec<u64>>,
    /// Steps in place of the workspace's.
    pub steps: Option<u64>,
    /// Wall-clock limit in place of the workspace's.
    pub time: Option<Duration>,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Threads of the CPU; all cores when left out.
    pub threads: Option<usize>,
    /// Folders and libraries in which strategies are looked for first.
    pub plugin_path: Vec<PathBuf>,
    /// What to do when a plugin fails.
    pub on_plugin_error: OnPluginError,
}

/// How many colours the screen uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colours {
    /// What the configuration says, else the environment.
    #[default]
    Auto,
    /// 24 bits.
    True,
    /// The palette of 256.
    Ansi256,
    /// The sixteen named ones.
    Ansi16,
    /// None.
    None,
}

/// The ground that the terminal has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ground {
    /// What the configuration says, else the environment.
    #[default]
    Auto,
    /// Dark.
    Dark,
    /// Light.
    Light,
}

/// Where the configuration of the screen is read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Configuration {
    /// The person's own folder.
    #[default]
    Own,
    /// This folder.
    In(PathBuf),
    /// Nowhere: what is built in holds.
    None,
}

/// How the screen is to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Where the configuration is.
    pub configuration: Configuration,
    /// How many colours.
    pub colours: Colours,
    /// The terminal's ground.
    pub ground: Ground,
    /// Only ASCII glyphs.
    pub ascii: bool,
    /// Listen to the mouse.
    pub mouse: bool,
    /// The layout to begin with, by number or name.
    pub layout: Option<String>,
    /// Lines in place of a screen, one report in so much time.
    pub plain: Option<Duration>,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            configuration: Configuration::Own,
            colours: Colours::Auto,
            ground: Ground::Auto,
            ascii: false,
            mouse: true,
            layout: None,
            plain: None,
        }
    }
}

/// Where a run on the screen is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// In a new folder below the user's own for state.
    #[default]
    Default,
    /// In this folder.
    In(PathBuf),
    /// Nowhere.
    Nothing,
}

/// What the screen is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScreenOptions {
    /// What both faces are asked for.
    pub run: RunOptions,
    /// Where the run is kept.
    pub keep: Keep,
    /// Go on with the run that lies where it is kept.
    pub resume: bool,
    /// How the screen looks.
    pub look: Look,
}

/// What a run on disk is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenOptions {
    /// The run: its folder, or its name among those kept by default; the newest of those when left out.
    pub folder: Option<PathBuf>,
    /// Go on training.
    pub resume: bool,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Threads of the CPU; all cores when left out.
    pub threads: Option<usize>,
    /// Folders and libraries in which strategies are looked for before those of the run.
    pub plugin_path: Vec<PathBuf>,
    /// How the screen is to look.
    pub look: Look,
}

/// What a run that another process writes is watched with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AttachOptions {
    /// The run: its folder, or its name among those kept by default; the newest of those when left out.
    pub folder: Option<PathBuf>,
    /// How the screen is to look.
    pub look: Look,
}

/// What the headless face is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchOptions {
    /// What both faces are asked for.
    pub run: RunOptions,
    /// Folder of the run: records and checkpoints go there in place of standard output.
    pub out: Option<PathBuf>,
    /// How records are written.
    pub format: Format,
    /// Go on with the run that lies in `out`.
    pub resume: bool,
    /// Neither progress nor summary.
    pub quiet: bool,
    /// The lanes of the summary table; all when left out. Records hold every lane.
    pub filter: Option<Filter>,
}

impl RunOptions {
    /// The workspace with all that was asked for set, and checked.
    ///
    /// # Errors
    /// [`WorkspaceError`]: no such file, malformed, or something asked for does not fit it.
    pub fn document(&self) -> Result<Document, WorkspaceError> {
        let mut document = match &self.workspace {
            Some(path) => Document::open(path)?,
            None => crate::workspace::EMBEDDED[0].document()?,
        };
        if self.quick {
            document.quicken()?;
        }
        for assignment in &self.set {
            document.set(assignment)?;
        }
        if let Some(seeds) = &self.seeds {
            let seeds = seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
            document.set(&format!("seeds=[{seeds}]"))?;
            document.workspace.lanes.iter_mut().for_each(|lane| lane.seeds = None);
        }
        if let Some(steps) = self.steps {
            document.set(&format!("steps={steps}"))?;
        }
        if let Some(time) = self.time {
            document.set(&format!("seconds={:?}", time.as_secs_f64()))?;
        }
        document.check()?;
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_wins_over_the_file() {
        let options = RunOptions {
            set: vec!["steps=7".into(), "lanes[1].seeds=[5]".into(), "batch=32".into()],
            seeds: Some(vec![3, 4]),
            time: Some(Duration::from_millis(1500)),
            ..RunOptions::default()
        };
        let workspace = options.document().unwrap().workspace;
        assert_eq!((workspace.name.as_str(), workspace.steps, workspace.seconds), ("quickstart", 7, Some(1.5)));
        assert!(workspace.grid().unwrap().iter().all(|run| [3, 4].contains(&run.seed)));
        let steps = RunOptions { steps: Some(9), ..options };
        assert_eq!(steps.document().unwrap().workspace.steps, 9);
        let quick = RunOptions { quick: true, ..steps };
        let workspace = quick.document().unwrap().workspace;
        assert_eq!((workspace.steps, workspace.quick), (9, None));
        let none = RunOptions { steps: Some(0), ..RunOptions::default() };
        assert!(none.document().unwrap_err().to_string().contains("`steps` as set on the command line"));
    }
}
