//! The perturbation family: guesses that know nothing of the network but its shape, and at most its masks.
//!
//! [`weight`] draws a direction in weight space, [`activity`] one at the pre-activations.

#![forbid(unsafe_code)]

pub mod activity;
pub mod weight;

guesswork_plugin::export!(weight::WeightPerturbation, activity::ActivityPerturbation);
