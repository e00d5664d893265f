//! What is known of a strategy before it runs: its metadata as its library declares them.
#![forbid(unsafe_code)]

use super::grants::{Roles, Services};
use super::library::Callable;
use super::params::ParamSpec;
use crate::workspace::ScalarSource;
use guesswork_plugin::abi;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Step h of the differences of losses, where a strategy is made for those and the lane says nothing.
const DIFFERENCE: f64 = 0.001;

/// What a strategy writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A guess E_l of the signal at each site.
    Signal,
    /// A direction V_l in weight space.
    Weight,
    /// The estimate ĝ_l itself.
    Estimate,
    /// The next point, by asking oracles.
    Search,
}

impl Kind {
    /// The kind of a `GW_KIND_*`.
    pub(super) fn read(code: u32) -> Option<Self> {
        Some(match code {
            abi::GW_KIND_SIGNAL => Self::Signal,
            abi::GW_KIND_WEIGHT => Self::Weight,
            abi::GW_KIND_ESTIMATE => Self::Estimate,
            abi::GW_KIND_SEARCH => Self::Search,
            _ => return None,
        })
    }

    /// Its name in records and on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Weight => "weight",
            Self::Estimate => "estimate",
            Self::Search => "search",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// One usable strategy.
#[derive(Clone, Debug, Serialize)]
pub struct StrategyInfo {
    /// Stable identity.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Version of the strategy.
    pub version: String,
    /// One or two sentences.
    pub description: String,
    /// One line of Unicode mathematics.
    pub formula: String,
    /// Where it comes from.
    pub citation: String,
    /// SPDX expression.
    pub licence: String,
    /// What it writes.
    pub kind: Kind,
    /// Mask of supported data types, bit `GW_F32`, `GW_F64`.
    pub dtypes: u32,
    /// Mask of supported devices, bit `GW_CPU`….
    pub devices: u32,
    /// `GW_STRATEGY_*`.
    pub flags: u64,
    /// Inputs without which it cannot run.
    pub needs: Roles,
    /// Inputs it uses when granted.
    pub wants: Roles,
    /// Services without which it cannot run.
    pub services: Services,
    /// Its parameters.
    pub params: Vec<ParamSpec>,
    /// The file it was loaded from.
    pub library: PathBuf,
    /// What the library was built with.
    pub sdk: String,
    /// Version of the interface the library was built against.
    pub abi: (u32, u32),
    /// How to call it.
    #[serde(skip)]
    pub(super) callable: Arc<Callable>,
}

impl StrategyInfo {
    /// Names of the supported data types.
    pub fn dtype_names(&self) -> Vec<&'static str> {
        names(self.dtypes, &["f32", "f64"])
    }

    /// Names of the supported devices.
    pub fn device_names(&self) -> Vec<&'static str> {
        names(self.devices, &["cpu", "cuda", "metal"])
    }

    /// Where the scalars of a lane come from that does not say: differences of losses, or none, where the strategy is made for those.
    pub fn own_source(&self) -> ScalarSource {
        let has = |flag| self.flags & flag != 0;
        match (has(abi::GW_STRATEGY_DIFFERENCES), has(abi::GW_STRATEGY_UNSCALED)) {
            (true, _) => ScalarSource::Central(DIFFERENCE),
            (false, true) => ScalarSource::None,
            (false, false) => ScalarSource::Tangent,
        }
    }

    /// Names of the flags that are set.
    pub fn flag_names(&self) -> Vec<&'static str> {
        names(self.flags as u32, &["deterministic", "stateless", "linear", "differences", "unscaled"])
    }
}

fn names(mask: u32, all: &[&'static str]) -> Vec<&'static str> {
    all.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1).map(|(_, name)| *name).collect()
}
