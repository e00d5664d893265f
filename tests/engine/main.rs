//! The engine against mathematics: golden vectors, central differences, Candle's autograd, and its own identities.
#![forbid(unsafe_code)]

mod fixture;
mod identities;
mod laws;
mod draws;
mod golden;
mod graphs;
mod kernels;
mod layers;
mod reference;
mod support;
