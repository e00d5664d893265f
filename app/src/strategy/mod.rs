//! The host's side of plugins: finding libraries, reading what they hold, running their strategies.
//!
//! The only place that loads libraries and touches a plugin's pointers. Whatever a library does wrong ends as a
//! [`Refusal`] when it is found and as a [`PluginError`] when it runs. Knows models and kernels; nothing of lanes, faces
//! or records.
//!
//! ```text
//! SearchPath → Catalog → StrategyInfo ─ Params::check ─→ Instance::create → prepare → outputs
//!                                                          each step: propose(Call) → [estimate] → observe
//! ```

mod account;
mod call;
mod catalog;
mod checkpoint;
mod context;
mod discover;
mod draws;
mod events;
mod failure;
mod fit;
mod fpmode;
mod given;
mod grants;
mod guarded;
mod handles;
mod host;
mod image;
mod info;
mod instance;
mod library;
pub mod list;
mod outputs;
mod params;
mod plan;
mod prepare;
pub mod probe;
mod read;
mod records;
mod refusal;
mod scratch;
mod services;
mod sites;
#[cfg(test)]
mod tests;

pub use account::KernelTime;
pub use call::{Call, Inputs, Oracle, Outcome};
pub use catalog::Catalog;
pub use discover::{Candidate, Origin, PATH_VARIABLE, SearchPath};
#[doc(hidden)]
pub use draws::{DrawKind, DrawPlace, Draws};
pub use events::{Events, Level, take_outside_events};
pub use failure::{Element, Failure, Place, PluginError, status_name};
pub use grants::{Offer, Roles, Services, gradient_capable};
pub use image::check as is_library;
pub use info::{Kind, StrategyInfo};
pub use instance::Instance;
pub use outputs::Outputs;
pub use params::{ParamError, ParamKind, ParamSpec, Params, Value};
pub use plan::{CallMode, Direction, Persistent, Plan, SignalAt};
pub use prepare::RunFacts;
pub use refusal::{Refusal, Refused, Unknown};
