//! Times training steps: the lane that trains, on synthetic data, with its strategy's library loaded.
//!
//! Methods are measured in turns, round by round, so that what else the machine does falls on all of them alike; only
//! medians and ratios mean anything. [`run`] prints a table and gives the figures as data; [`serve`] answers commands, a
//! line each, so that another program can take turns with it (`benches/peers/run.py`).
#![forbid(unsafe_code)]

mod boundary;
mod case;
mod measure;
mod memory;
mod report;
mod serve;

pub use boundary::{Boundary, boundary, boundary_table};
pub use case::{Method, Model, defaults};
pub use measure::run;
pub use memory::Memory;
pub use report::{Machine, Report, Row};
pub use serve::serve;

use crate::options::DeviceChoice;
use crate::session::{DeviceError, SessionError};
use std::path::PathBuf;
use std::time::Duration;

/// What is measured, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Bench {
    /// The models.
    pub models: Vec<Model>,
    /// The methods; backpropagation runs in any case, as the measure of the others.
    pub methods: Vec<Method>,
    /// Rounds of turns.
    pub rounds: usize,
    /// A method's turn takes about so long, and at least two steps.
    pub turn: Duration,
    /// Threads of the pool; all cores when `None`.
    pub threads: Option<usize>,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Folders and libraries in which strategies are looked for first.
    pub plugin_paths: Vec<PathBuf>,
}

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The lane cannot be built or failed.
    #[error("{model} {method}: {source}")]
    Session {
        /// The model.
        model: String,
        /// The method.
        method: String,
        /// What was wrong.
        source: Box<SessionError>,
    },
    /// The device cannot be had.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The pool cannot be made.
    #[error(transparent)]
    Pool(Box<SessionError>),
    /// A kernel failed.
    #[error("the engine failed: {0}")]
    Engine(#[from] candle_core::Error),
    /// A line of the protocol could not be read or answered.
    #[error("the commands cannot be read or answered: {0}")]
    Line(#[from] std::io::Error),
}
