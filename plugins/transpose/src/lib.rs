//! The transpose family: noise at layers above, carried down through the network's own weights and masks, so that the
//! guess lies in the subspace that the true signal must lie in.
//!
//! [`weight`] carries fresh noise down one layer or a few, [`downstream`] masks it first as the layer above would, and
//! [`jacobian`] carries one draw from the logits down through every layer. All can divide their bias out at scope `example-layer`.

#![forbid(unsafe_code)]

mod debias;
mod descent;
pub mod downstream;
pub mod jacobian;
pub mod weight;

guesswork_plugin::export!(weight::WeightTranspose, downstream::Downstream, jacobian::JacobianTranspose);
