//! All strategies that a run can use, and everything that was found and cannot be used, with the reason.
#![forbid(unsafe_code)]

use super::discover::{Candidate, SearchPath};
use super::info::StrategyInfo;
use super::library::{self, Loaded};
use super::probe;
use super::refusal::{Refusal, Refused, Unknown, nearest};
use crate::workspace::{BACKPROP, MIXTURE};
use std::path::Path;
use std::sync::Arc;

/// The strategies found, in search order.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Usable ones; no id twice.
    pub strategies: Vec<Arc<StrategyInfo>>,
    /// Unusable files and strategies.
    pub refused: Vec<Refused>,
    /// Things a person should know that kept nothing from being used.
    pub notes: Vec<String>,
}

impl Catalog {
    /// Loads every library on `path`. Never fails: what cannot be used is listed in [`Catalog::refused`].
    pub fn load(path: &SearchPath) -> Self {
        let (candidates, refused) = path.candidates();
        let mut catalog = Self { refused, ..Self::default() };
        for Candidate { path, origin } in &candidates {
            let tried = if origin.is_own() { Ok(()) } else { probe::check(path) };
            catalog.add(path, tried.and_then(|()| library::load(path)));
        }
        catalog
    }

    /// Loads what a run finds; see [`SearchPath::standard`].
    pub fn standard(named: &[std::path::PathBuf], workspace: Option<&Path>) -> Self {
        Self::load(&SearchPath::standard(named, workspace))
    }

    fn add(&mut self, path: &Path, outcome: Result<Loaded, Refusal>) {
        let loaded = match outcome {
            Ok(loaded) => loaded,
            Err(reason) => {
                self.refused.push(Refused { path: path.to_owned(), strategy: None, reason });
                return;
            }
        };
        self.refused.extend(loaded.refused);
        self.notes.extend(loaded.notes);
        for info in loaded.strategies {
            match self.strategies.iter().find(|other| other.id == info.id) {
                None => self.strategies.push(info),
                Some(first) => {
                    let reason = Refusal::Duplicate { id: info.id.clone(), first: first.library.clone() };
                    self.refused.push(Refused { path: path.to_owned(), strategy: Some(info.id.clone()), reason });
                }
            }
        }
    }

    /// The strategy called `id`.
    ///
    /// # Errors
    /// When there is none: says which name is near, or why the one there is was refused.
    pub fn get(&self, id: &str) -> Result<&Arc<StrategyInfo>, Unknown> {
        if let Some(info) = self.strategies.iter().find(|info| info.id == id) {
            return Ok(info);
        }
        if let Some(refused) = self.refused.iter().find(|refused| refused.strategy.as_deref() == Some(id)) {
            return Err(Unknown::Refused { id: id.to_owned(), refused: Box::new(refused.clone()) });
        }
        if [BACKPROP, MIXTURE].contains(&id) {
            return Err(Unknown::BuiltIn { id: id.to_owned() });
        }
        let known: Vec<String> = self.strategies.iter().map(|info| info.id.clone()).collect();
        let candidates = known.iter().map(String::as_str).chain([BACKPROP, MIXTURE]);
        Err(Unknown::Strategy { id: id.to_owned(), nearest: nearest(id, candidates), known: known.clone() })
    }
}
