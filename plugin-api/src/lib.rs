//! The stable interface between Guesswork and its strategy plugins.

pub mod abi;
