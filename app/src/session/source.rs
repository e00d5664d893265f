//! Where a face gets what it shows, and where its commands go: a session that trains, a run on disk, a made-up one.
#![forbid(unsafe_code)]

use super::Session;
use super::protocol::{Command, Snapshot};
use std::sync::Arc;

/// Where a face gets what it shows, and where its commands go.
pub trait Source {
    /// The newest snapshot. Called often; must not wait.
    fn snapshot(&self) -> Arc<Snapshot>;
    /// Hands a command to the trainer; false when it cannot take it now, or there is no trainer.
    fn send(&self, command: Command) -> bool;
}

impl Source for Session {
    fn snapshot(&self) -> Arc<Snapshot> {
        Session::snapshot(self)
    }

    fn send(&self, command: Command) -> bool {
        Session::send(self, command)
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn snapshot(&self) -> Arc<Snapshot> {
        (**self).snapshot()
    }

    fn send(&self, command: Command) -> bool {
        (**self).send(command)
    }
}
