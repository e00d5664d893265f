//! The activation family: guesses made of the batch's own activations.
//!
//! [`mixing`] mixes the activations of the examples into signals, [`subspace`] keeps weight directions to the principal directions
//! of a layer's input.

#![forbid(unsafe_code)]

pub mod mixing;
pub mod subspace;

guesswork_plugin::export!(mixing::ActivationMixing, subspace::ActivationSubspace);
