//! What a run leaves behind: the description of what happened, and the sinks that write it.
//!
//! [`report`] says what happened; the sinks ([`jsonl`], [`csv`], [`log`]) and the [`summary`] are observers of it;
//! [`checkpoint`] keeps a lane's state, [`folder`] keeps all of a run's files together, and [`recording`] opens the sinks
//! of a run, new or resumed. `docs/records.md` describes every field.

pub mod checkpoint;
pub mod csv;
pub mod facts;
pub mod folder;
pub mod follow;
pub mod jsonl;
pub mod log;
pub mod number;
pub mod observers;
pub mod output;
pub mod paths;
pub mod place;
pub mod quantity;
pub mod read;
pub mod recording;
pub mod replace;
pub mod report;
pub mod summary;
pub mod table;
pub mod tally;
pub mod time;
pub mod truncate;

pub use quantity::{Key, Quantity};
pub use report::*;
