//! Windows on images by Candle's operations: one strided slice of the image for each place in a window.

use super::{accumulate, matrix, set};
use crate::kernel::access::shape;
use crate::kernel::image::Windows;
use candle_core::{Result, Tensor};

/// For each place in a window the numbers there, examples × grid × grid × channels.
fn slices(src: &Tensor, windows: Windows) -> Result<Vec<Tensor>> {
    let (gy, gx) = windows.extents("slices")?;
    let image = src.detach().reshape(((), windows.height, windows.width, windows.channels))?;
    let p = windows.padding;
    let image = image.pad_with_zeros(1, p, p)?.pad_with_zeros(2, p, p)?;
    let along = |image: &Tensor, dim: usize, first: usize, count: usize| {
        if windows.stride == 1 {
            return image.narrow(dim, first, count);
        }
        let places: Vec<u32> = (0..count).map(|i| (first + i * windows.stride) as u32).collect();
        image.contiguous()?.index_select(&Tensor::new(places, image.device())?, dim)
    };
    let mut slices = Vec::with_capacity(windows.side * windows.side);
    for ky in 0..windows.side {
        let rows = along(&image, 1, ky, gy)?;
        for kx in 0..windows.side {
            slices.push(along(&rows, 2, kx, gx)?);
        }
    }
    Ok(slices)
}

/// The transpose of [`slices`]: adds each slice to where it came from.
fn unslices(slices: impl Iterator<Item = Result<Tensor>>, windows: Windows) -> Result<Tensor> {
    let (gy, gx) = windows.extents("unslices")?;
    let (stride, p, channels) = (windows.stride, windows.padding, windows.channels);
    let (height, width) = (windows.height + 2 * p, windows.width + 2 * p);
    let (reach_y, reach_x) = ((gy - 1) * stride + 1, (gx - 1) * stride + 1);
    let mut total: Option<Tensor> = None;
    for (offset, slice) in slices.enumerate() {
        let (ky, kx) = (offset / windows.side, offset % windows.side);
        let slice = slice?;
        let examples = slice.elem_count() / (gy * gx * channels).max(1);
        let apart = slice.reshape(&[examples, gy, 1, gx, 1, channels])?;
        let apart = apart.pad_with_zeros(2, 0, stride - 1)?.pad_with_zeros(4, 0, stride - 1)?;
        let apart = apart.reshape(((), gy * stride, gx * stride, channels))?;
        let apart = apart.narrow(1, 0, reach_y)?.narrow(2, 0, reach_x)?;
        let placed = apart.pad_with_zeros(1, ky, height - ky - reach_y)?;
        let placed = placed.pad_with_zeros(2, kx, width - kx - reach_x)?;
        total = Some(match total {
            None => placed,
            Some(total) => (total + placed)?,
        });
    }
    match total {
        Some(total) => total.narrow(1, p, windows.height)?.narrow(2, p, windows.width)?.contiguous(),
        None => candle_core::bail!("a window without places"),
    }
}

pub(in crate::kernel) fn im2col(dst: &Tensor, src: &Tensor, windows: Windows) -> Result<()> {
    set(dst, Tensor::stack(&slices(src, windows)?, 4)?)
}

pub(in crate::kernel) fn col2im(dst: &Tensor, beta: f64, src: &Tensor, windows: Windows) -> Result<()> {
    let area = windows.side * windows.side;
    let columns = src.detach().reshape(((), windows.channels, area))?;
    let slices = (0..area).map(|offset| columns.narrow(2, offset, 1)?.contiguous());
    accumulate(dst, beta, unslices(slices, windows)?)
}

pub(in crate::kernel) fn average_pool(dst: &Tensor, src: &Tensor, windows: Windows) -> Result<()> {
    set(dst, Tensor::stack(&slices(src, windows)?, 0)?.mean(0)?)
}

pub(in crate::kernel) fn average_pool_adjoint(dst: &Tensor, beta: f64, src: &Tensor, windows: Windows) -> Result<()> {
    let area = windows.side * windows.side;
    let share = src.detach().affine(1.0 / area as f64, 0.0)?;
    accumulate(dst, beta, unslices((0..area).map(|_| Ok(share.clone())), windows)?)
}

pub(in crate::kernel) fn max_pool(dst: &Tensor, place: &Tensor, src: &Tensor, windows: Windows) -> Result<()> {
    let slices = Tensor::stack(&slices(src, windows)?, 0)?;
    set(dst, slices.max(0)?)?;
    set(place, slices.argmax(0)?.to_dtype(place.dtype())?)
}

/// Where `place` is `offset`: 1, elsewhere 0.
fn chosen(place: &Tensor, offset: usize) -> Result<Tensor> {
    matrix(place)?.eq(offset as f64)?.to_dtype(place.dtype())
}

pub(in crate::kernel) fn max_pool_tangent(dst: &Tensor, src: &Tensor, place: &Tensor, windows: Windows) -> Result<()> {
    let (rows, columns) = shape(place);
    let mut total = dst.zeros_like()?.reshape(((), rows, columns))?;
    for (offset, slice) in slices(src, windows)?.into_iter().enumerate() {
        let slice = slice.contiguous()?.reshape(((), rows, columns))?;
        total = (total + slice.broadcast_mul(&chosen(place, offset)?)?)?;
    }
    set(dst, total)
}

pub(in crate::kernel) fn max_pool_adjoint(
    dst: &Tensor,
    beta: f64,
    src: &Tensor,
    place: &Tensor,
    windows: Windows,
) -> Result<()> {
    let (rows, columns) = shape(place);
    let signals = src.detach().reshape(((), rows, columns))?;
    let slices = (0..windows.side * windows.side).map(|offset| signals.broadcast_mul(&chosen(place, offset)?));
    accumulate(dst, beta, unslices(slices, windows)?)
}
