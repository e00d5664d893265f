//! How a run ended, as a script sees it.

use crate::record::EndReason;
use crate::record::summary::Summary;
use crate::session::SessionError;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All was done, or as much as was asked for.
    Done,
    /// The engine, a lane or the writing of records failed.
    Failed,
    /// Workspace, data or run folder do not fit.
    Invalid,
    /// A plugin was refused or failed.
    Plugin,
    /// Every lane diverged.
    Diverged,
    /// By the signal of that number.
    Interrupted(u8),
}

impl Ended {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Invalid => 3,
            Self::Plugin => 4,
            Self::Diverged => 5,
            Self::Interrupted(signal) => 128u8.saturating_add(signal),
        }
    }

    /// Of a session that could not start or go on.
    pub fn of_error(error: &SessionError) -> Self {
        match error {
            SessionError::Workspace(_)
            | SessionError::Model(_)
            | SessionError::Memory(_)
            | SessionError::Lane { .. }
            | SessionError::Data(_) => Self::Invalid,
            SessionError::Catalog(_) | SessionError::Plugin { .. } => Self::Plugin,
            SessionError::Device(_)
            | SessionError::Checkpoint(_)
            | SessionError::Records(_)
            | SessionError::Engine(_)
            | SessionError::Step { .. }
            | SessionError::Trainer(_) => Self::Failed,
        }
    }

    /// Of a session that ran: the gravest end of a lane, where divergence of some is a result and of all is none.
    pub fn of_summary(summary: &Summary) -> Self {
        let any =
            |found: fn(&EndReason) -> bool| summary.lanes.iter().any(|lane| lane.reason.as_ref().is_some_and(found));
        let all_diverged = !summary.lanes.is_empty()
            && summary.lanes.iter().all(|lane| matches!(lane.reason, Some(EndReason::Diverged(_))));
        if any(|reason| matches!(reason, EndReason::Failed(_))) {
            Self::Failed
        } else if any(|reason| matches!(reason, EndReason::Plugin(_))) {
            Self::Plugin
        } else if all_diverged {
            Self::Diverged
        } else {
            Self::Done
        }
    }
}
