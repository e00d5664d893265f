//! The workspace file: its schema; loading, checking, saving.

pub mod schema;

pub use schema::*;
