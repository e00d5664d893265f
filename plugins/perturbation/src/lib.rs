//! The perturbation family: guesses that know nothing of the network but its shape, and at most its masks.
//!
//! [`weight`] draws a direction in weight space, [`activity`] one at the pre-activations. [`spsa`], [`mezo`] and [`likelihood`] are
//! those of their kind that the literature pairs with differences of losses, and lanes do unless they say otherwise.

#![forbid(unsafe_code)]

pub mod activity;
pub mod likelihood;
pub mod mezo;
pub mod spsa;
pub mod weight;

guesswork_plugin::export!(
    weight::WeightPerturbation,
    activity::ActivityPerturbation,
    spsa::Spsa,
    mezo::Mezo,
    likelihood::LikelihoodRatio
);
