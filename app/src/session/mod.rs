//! Lanes on one trainer thread: commands in, snapshots and events out.

pub mod history;
pub mod protocol;
