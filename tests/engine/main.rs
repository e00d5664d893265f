//! The engine against exact identities, statistical laws and golden vectors.

mod fixture;
mod identities;
mod laws;
