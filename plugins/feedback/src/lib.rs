//! The feedback family: the output error carried to every layer by matrices that are not the network's weights.
//!
//! [`alignment`] keeps a random matrix in place of each weight above, [`direct`] one from the logits to each layer. Both read the
//! output error and no weight, so that neither can build the gradient; the exact scalars of the host say how long a step along
//! the guess is worth, and which way.

#![forbid(unsafe_code)]

pub mod alignment;
pub mod direct;
mod kept;

guesswork_plugin::export!(alignment::FeedbackAlignment, direct::DirectFeedback);
