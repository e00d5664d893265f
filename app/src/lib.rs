//! Guesswork: a terminal workbench for research on guessing gradients.
//!
//! `ARCHITECTURE.md` draws the house; the modules below are its floors, each using only those further down.
#![deny(unsafe_code)]

pub mod cli;
pub mod data;
pub mod options;
pub mod record;
pub mod workspace;
