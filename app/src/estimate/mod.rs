//! From guesses to an update: mixtures of guesses, scopes, directional derivatives, combination of guesses, optimizers.
//!
//! Works on directions as plain tensors and knows nothing of where they came from: no plugin, no measurement, no file.

pub mod at_once;
mod combine;
pub mod cost;
mod difference;
pub mod directions;
pub mod estimator;
mod form;
pub mod mixture;
pub mod optimizer;
pub mod scalars;
pub mod schedule;
pub mod settings;

pub use directions::{Directions, Point};
pub use estimator::Estimator;
pub use mixture::Mixture;
pub use optimizer::Optimizer;
pub use scalars::Scalars;
pub use schedule::factor;
pub use settings::{GuessKind, Settings, SettingsError};
