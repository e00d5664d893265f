//! What a run leaves behind: the description of what happened, and the sinks that write it.

pub mod report;

pub use report::*;
