//! The feedback family: an error carried to every layer by matrices that are not the network's weights.
//!
//! [`alignment`] keeps a random matrix in place of each weight above, [`direct`] one from the logits to each layer, [`learned`] one that learns from the exact scalars; [`local`] has a
//! classifier on each layer, whose own error comes back through its own weights. They read the labels or the output error and no
//! weight of the network, so that none can build the gradient; the exact scalars of the host say how long a step along the guess
//! is worth, and which way.

#![forbid(unsafe_code)]

pub mod alignment;
pub mod direct;
mod kept;
pub mod learned;
pub mod local;

guesswork_plugin::export!(
    alignment::FeedbackAlignment,
    direct::DirectFeedback,
    learned::LearnedFeedback,
    local::LocalLoss
);
