//! The mixture family: guesses made of what was found before.
//!
//! [`momentum`] mixes the estimate of the step before with a fresh direction. The sum of several strategies is no plugin: a lane
//! whose strategy is `mixture` adds any of them, those of other libraries too.

#![forbid(unsafe_code)]

pub mod momentum;

guesswork_plugin::export!(momentum::Momentum);
