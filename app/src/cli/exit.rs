//! How the program ends: exit codes, and the errors that lead to them.

use crate::batch::Ended;
use crate::bench::BenchError;
use crate::data::DataError;
use crate::record::folder::FolderError;
use crate::record::paths::PathsError;
use crate::record::place::PlaceError;
use crate::record::recording::RecordingError;
use crate::session::SessionError;
use crate::workspace::WorkspaceError;
use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: all was done.
    Done,
    /// 1: something failed.
    Failed,
    /// 2: the command line was not understood.
    Usage,
    /// 3: the workspace or the data are invalid.
    Invalid,
    /// 4: a plugin was refused or failed.
    Plugin,
    /// 5: every lane diverged.
    Diverged,
    /// 128 + the signal that ended it: 130 or 143.
    Interrupted(u8),
}

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Invalid => 3,
            Self::Plugin => 4,
            Self::Diverged => 5,
            Self::Interrupted(signal) => 128u8.saturating_add(signal),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What ends the program early: the message for standard error and the code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// How it ends.
    pub exit: Exit,
    /// What is said.
    pub message: String,
}

impl Failure {
    /// With a code and a message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// Standard output could not be written.
    pub(super) fn output(error: std::io::Error) -> Self {
        Self::new(Exit::Failed, format!("standard output: {error}"))
    }
}

impl From<WorkspaceError> for Failure {
    fn from(error: WorkspaceError) -> Self {
        let mut message = error.to_string();
        // `guesswork chek x.ron` reads as a workspace called `chek`.
        if let WorkspaceError::Unknown { name, suggestion: None, .. } = &error
            && let Some(command) = super::arguments::nearest_command(name)
        {
            message.push_str(&format!("\n   did you mean the command `guesswork {command}`?"));
        }
        Self::new(Exit::Invalid, message)
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        let exit = match Ended::of_error(&error) {
            Ended::Invalid => Exit::Invalid,
            Ended::Plugin => Exit::Plugin,
            _ => Exit::Failed,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        let message = error.to_string();
        let exit = match error {
            BenchError::Session { source, .. } | BenchError::Pool(source) => Self::from(*source).exit,
            BenchError::Device(_) | BenchError::Engine(_) | BenchError::Line(_) => Exit::Failed,
        };
        Self::new(exit, message)
    }
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        let exit = if matches!(error, FolderError::Io { .. }) { Exit::Failed } else { Exit::Invalid };
        Self::new(exit, error.to_string())
    }
}

impl From<PathsError> for Failure {
    fn from(error: PathsError) -> Self {
        Self::new(Exit::Failed, error.to_string())
    }
}

impl From<PlaceError> for Failure {
    fn from(error: PlaceError) -> Self {
        Self::new(Exit::Invalid, error.to_string())
    }
}

impl From<RecordingError> for Failure {
    fn from(error: RecordingError) -> Self {
        Self::new(Exit::Failed, error.to_string())
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self::new(Exit::Invalid, error.to_string())
    }
}
