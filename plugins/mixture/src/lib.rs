//! The mixture family: guesses made of other guesses.
//!
//! [`momentum`] mixes the estimate of the step before with a fresh direction, [`mixture`] adds the guesses of the other families
//! at chosen weights.

#![forbid(unsafe_code)]

pub mod mixture;
pub mod momentum;
mod parts;

guesswork_plugin::export!(mixture::Mixture, momentum::Momentum);
