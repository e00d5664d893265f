//! How a strategy and its messages stand in records.
#![forbid(unsafe_code)]

use super::report::{Level, StrategyCard};
use crate::strategy::{self, StrategyInfo};

impl From<&StrategyInfo> for StrategyCard {
    fn from(info: &StrategyInfo) -> Self {
        Self {
            name: info.name.clone(),
            version: info.version.clone(),
            kind: info.kind.name().to_owned(),
            formula: info.formula.clone(),
            description: info.description.clone(),
            citation: info.citation.clone(),
            library: info.library.display().to_string(),
        }
    }
}

impl From<strategy::Level> for Level {
    fn from(level: strategy::Level) -> Self {
        match level {
            strategy::Level::Error => Self::Error,
            strategy::Level::Warn => Self::Warn,
            strategy::Level::Info => Self::Info,
            strategy::Level::Debug => Self::Debug,
        }
    }
}
