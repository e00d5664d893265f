//! Examples and batches: the embedded sets, the file formats, how pixels become rows of numbers.
//!
//! `Dataset::load` reads raw bytes, [`Dataset::prepare`] turns them into tensors in the layout a model wants, and
//! [`Batches`] draws batches that are a function of (data seed, step) alone. Knows nothing of models, lanes or losses.
#![forbid(unsafe_code)]

mod batches;
mod cifar;
mod dataset;
mod embedded;
mod error;
mod examples;
mod file;
mod idx;
mod locate;
mod mat;
mod permutation;
mod prepare;
mod sprite;
mod svhn;

pub use batches::{Batch, Batches};
pub use dataset::Dataset;
pub use embedded::EMBEDDED;
pub use error::DataError;
pub use examples::Examples;
pub use locate::{Found, SetKind, detect, installed, set_names};
pub use prepare::{Layout, Prepared, Split};
pub use sprite::convert_cifar10_sprites;
