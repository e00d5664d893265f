//! Commands about strategies.

use super::{Exit, Failure};
use crate::strategy::{Catalog, Origin, SearchPath, StrategyInfo, list};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The strategies that are found, and what was refused with the reason.
///
/// # Errors
/// [`Failure`] when standard output cannot be written.
pub fn plugin_list(plugin_path: &[PathBuf]) -> Result<Exit, Failure> {
    super::print(&list::list(&Catalog::standard(plugin_path, None)))
}

/// What a strategy says of itself, or each of a library's.
///
/// # Errors
/// [`Failure`] when there is none of that name, it was refused, or standard output cannot be written.
pub fn plugin_info(strategy: &Path, plugin_path: &[PathBuf]) -> Result<Exit, Failure> {
    let texts: Vec<String> = chosen(strategy, plugin_path)?.iter().map(|info| list::info(info)).collect();
    super::print(&texts.join("\n"))
}

/// The strategy of that name, or all of the library in that file.
pub(super) fn chosen(strategy: &Path, plugin_path: &[PathBuf]) -> Result<Vec<Arc<StrategyInfo>>, Failure> {
    let refused = |text: String| Failure::new(Exit::Plugin, text);
    match Catalog::standard(plugin_path, None).get(&strategy.to_string_lossy()) {
        Ok(info) => return Ok(vec![Arc::clone(info)]),
        Err(unknown) if !strategy.is_file() => return Err(refused(unknown.to_string())),
        Err(_) => {}
    }
    let mut path = SearchPath::default();
    path.push(strategy.to_owned(), Origin::Named);
    let catalog = Catalog::load(&path);
    match catalog.refused.first() {
        Some(refusal) => Err(refused(format!("{}: {}", strategy.display(), refusal.reason))),
        None => Ok(catalog.strategies),
    }
}
