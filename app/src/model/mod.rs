//! Networks as layers with forward, tangent and adjoint.
//!
//! Knows kernels and nothing above: no strategy, no optimizer, no file format but safetensors.
#![forbid(unsafe_code)]

mod adjoint;
pub mod build;
mod copies;
mod curvature;
pub mod graph;
pub mod layer;
pub mod layers;
pub mod network;
mod slots;
mod stored;
mod tangent;
pub mod tape;

pub use copies::{Cells, Copies};
pub use curvature::Curvature;
pub use graph::{Graph, GraphBuilder, Site, Source};
pub use layer::{Extent, Layer, LayerKind};
pub use network::Network;
pub use stored::Stored;
pub use tape::{Injection, Tape};
