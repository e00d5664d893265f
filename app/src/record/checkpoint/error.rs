//! Why a checkpoint cannot be written or used.

use std::io;
use std::path::PathBuf;

/// Why a checkpoint cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be written.
    #[error("cannot write the checkpoint {}: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// A tensor cannot be stored, or not be brought to the device.
    #[error("checkpoint {}: tensor `{name}`: {error}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Candle's words.
        error: Box<candle_core::Error>,
    },
    /// There is none.
    #[error("no checkpoint at {}; the lane starts at step 0 unless one is there", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the checkpoint {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// The file is damaged: cut off, or not what was written.
    #[error("the checkpoint {} is damaged: {why}; delete it to start the lane anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How it shows.
        why: String,
    },
    /// The file is whole but not this lane's.
    #[error("the checkpoint {} is of {found}, expected {expected}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: String,
        /// What was asked for.
        expected: String,
    },
}

impl CheckpointError {
    /// Whether the file before it may serve in its place.
    pub(super) fn is_loss(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Damaged { .. } | Self::Read { .. })
    }
}
