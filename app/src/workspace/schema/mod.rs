//! The document a person writes: problem, lanes, sweep, budget, measurements. Every type here is a piece of the RON file;
//! field docs are what the editor and `guesswork schema` show.

mod lane;
mod model;
mod problem;
mod runs;
mod workspace;

pub use lane::*;
pub use model::*;
pub use problem::*;
pub use runs::*;
pub use workspace::*;

/// The source of the types, in the order in which `guesswork schema` shows them.
pub(super) const SOURCE: &str = concat!(
    include_str!("workspace.rs"),
    include_str!("problem.rs"),
    include_str!("model.rs"),
    include_str!("lane.rs"),
    include_str!("runs.rs"),
);
