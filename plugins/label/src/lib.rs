//! The label family: guesses of the label in place of noise.

#![forbid(unsafe_code)]

pub mod guess;

guesswork_plugin::export!(guess::LabelGuess);
