//! Guesswork: a terminal workbench for research on guessing gradients.
//!
//! `ARCHITECTURE.md` draws the house; the modules below are its floors, each using only those further down.
#![deny(unsafe_code)]

pub mod batch;
pub mod bench;
pub mod cli;
pub mod data;
pub mod estimate;
pub mod filter;
pub mod kernel;
pub mod measure;
pub mod model;
pub mod objective;
pub mod options;
pub mod picture;
pub mod record;
pub mod report;
pub mod session;
pub mod strategy;
pub mod tui;
pub mod workspace;
