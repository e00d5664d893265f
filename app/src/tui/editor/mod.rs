//! Forms over the panes: a lane that is added, copied or changed; the text of a workspace.
//!
//! ```text
//! key ─→ reduce ─→ form (what was typed) ─→ rows (which fields, what they mean)
//!                      │                └─→ faults, settings, commands
//!                      └─→ commands to the trainer
//! ```
#![forbid(unsafe_code)]

pub mod assign;
pub mod field;
mod fill;
pub mod lane;
mod reader;
pub mod reduce;
mod render;
mod rows;
pub mod text;
mod words;

#[cfg(test)]
mod tests;

pub use lane::{LaneForm, Purpose};
pub use reduce::{Outcome, reduce};
pub use render::render;
