//! Commands about strategies.

use super::{Exit, Failure};
use crate::strategy::{Catalog, list};
use std::path::PathBuf;

/// The strategies that are found, and what was refused with the reason.
///
/// # Errors
/// [`Failure`] when standard output cannot be written.
pub fn plugin_list(plugin_path: &[PathBuf]) -> Result<Exit, Failure> {
    super::print(&list::list(&Catalog::standard(plugin_path, None)))
}

/// What one strategy says of itself.
///
/// # Errors
/// [`Failure`] when there is none of that name, or standard output cannot be written.
pub fn plugin_info(name: &str, plugin_path: &[PathBuf]) -> Result<Exit, Failure> {
    let catalog = Catalog::standard(plugin_path, None);
    let info = catalog.get(name).map_err(|error| Failure::new(Exit::Plugin, error.to_string()))?;
    super::print(&list::info(info))
}
