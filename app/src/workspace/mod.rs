//! The workspace file: its schema; loading, checking, changing, expanding, saving.
//!
//! A workspace is a document that a person writes by hand, so every error names file, line, column, what was expected
//! and the nearest name. Knows nothing of plugins: whether a strategy exists and takes a parameter is `strategy`'s to say.
#![forbid(unsafe_code)]

mod axis;
mod check;
mod diagnostic;
mod document;
mod edit;
mod embedded;
mod facts;
mod grid;
pub mod members;
mod naming;
mod outline;
mod path;
mod quick;
mod reference;
mod rules;
mod save;
pub mod schema;
pub mod sheet;
mod shelf;
mod short;

pub use axis::AxisValue;
pub use diagnostic::{Diagnostic, Place, WorkspaceError};
pub use document::Document;
pub use edit::{EditError, apply_axis, field};
pub use embedded::{EMBEDDED, Embedded};
pub use facts::Settings;
pub use grid::{BACKPROP, LaneRun, MIXTURE, MOST_RUNS};
pub use naming::{Difference, differences};
pub use reference::{about, reference};
pub use rules::{check_lane, check_members};
pub use save::{SaveError, save, to_ron, to_ron_brief};
pub use schema::*;
pub use shelf::{Origin, Shelved, recent_list, remember, shelf};
pub use short::{architecture, setting, token, widths};

use ron::extensions::Extensions;

/// How workspaces are read and written: `clip: 1.0` for an option, `mlp(hidden: [10])` for a variant with a struct.
fn options() -> ron::Options {
    ron::Options::default()
        .with_default_extension(Extensions::IMPLICIT_SOME)
        .with_default_extension(Extensions::UNWRAP_VARIANT_NEWTYPES)
}

/// The way of RON without extensions: `clip: Some(1.0)`, `mlp((hidden: [10]))`.
fn doubly_bracketed() -> ron::Options {
    ron::Options::default()
}
