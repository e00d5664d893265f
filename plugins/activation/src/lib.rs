//! The activation family: guesses drawn from the span of the batch's own activations.

#![forbid(unsafe_code)]

pub mod mixing;

guesswork_plugin::export!(mixing::ActivationMixing);
