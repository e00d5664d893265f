//! The engine against mathematics: golden vectors, central differences, Candle's autograd, and its own identities.
#![forbid(unsafe_code)]

mod architectures;
mod at_once;
mod cases;
mod copies;
mod costs;
mod curvature;
mod debias;
mod draws;
mod errors;
mod fixture;
mod golden;
mod graphs;
mod identities;
mod kernels;
mod laws;
mod layers;
mod linear_laws;
mod local;
mod measures;
mod mixture;
mod order;
mod products;
mod proposer;
mod reference;
mod sampled;
mod strategies;
mod strategy_laws;
mod support;
mod threads;
