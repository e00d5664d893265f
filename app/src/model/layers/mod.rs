//! The layers, a file each. Their contract is in [`super::layer`].

mod activation;
mod add;
mod attention;
mod average_pool;
mod conv2d;
mod flatten;
mod group_norm;
mod grouped_linear;
mod layer_norm;
mod linear;
mod max_pool;
mod mean;
mod patches;
mod position;
mod second;
mod standardise;
mod stop;
mod transpose;

pub use activation::ActivationLayer;
pub use add::Add;
pub use attention::Attention;
pub use average_pool::AveragePool;
pub use conv2d::Conv2d;
pub use flatten::Flatten;
pub use group_norm::GroupNorm;
pub use grouped_linear::GroupedLinear;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use max_pool::MaxPool;
pub use mean::MeanTokens;
pub use patches::Patches;
pub use position::Position;
pub use standardise::Standardise;
pub use stop::Stop;
pub use transpose::TransposeTokens;

use super::layer::Extent;
use crate::kernel::Windows;
use candle_core::{Result, Tensor, bail};

/// The only extent of a layer with one input.
fn only(inputs: &[Extent]) -> Result<Extent> {
    match inputs {
        [input] => Ok(*input),
        _ => bail!("takes one input, not {}", inputs.len()),
    }
}

/// The only input's tangent or signal of a layer with one input; `None` when it is not wanted.
fn first<T: Copy>(values: &[Option<T>]) -> Option<T> {
    values.first().copied().flatten()
}

/// Block `index` of a matrix of stacked blocks of `rows` rows.
fn block(stacked: &Tensor, index: usize, rows: usize) -> Result<Tensor> {
    stacked.narrow(0, index * rows, rows)
}

/// Windows on the image that `input` is.
fn windows(input: Extent, side: usize, stride: usize, padding: usize) -> Result<Windows> {
    let Some((height, width)) = input.image else {
        bail!("takes an image, not {} rows of width {}", input.rows, input.width)
    };
    let windows = Windows { channels: input.width, height, width, side, stride, padding };
    if windows.grid().is_none() {
        bail!(
            "windows of side {side} and stride {stride} do not fit an image of {height}×{width} with padding {padding}"
        );
    }
    Ok(windows)
}

/// The extent that windows take, one row each.
fn image_of(windows: &Windows) -> Extent {
    Extent::image(windows.channels, windows.height, windows.width)
}

/// Refuses an input that is not what the layer was built for.
fn expect(given: Extent, expected: Extent) -> Result<()> {
    if given != expected {
        bail!(
            "takes {}×{} {:?}, not {}×{} {:?}",
            expected.rows,
            expected.width,
            expected.image,
            given.rows,
            given.width,
            given.image
        );
    }
    Ok(())
}
