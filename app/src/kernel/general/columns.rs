//! Columns of Candle's operations.

use super::{accumulate, blocks, matrix, set};
use crate::kernel::access::shape;
use candle_core::{Result, Tensor};

pub(in crate::kernel) fn gather_columns(dst: &Tensor, src: &Tensor, first: usize) -> Result<()> {
    set(dst, matrix(src)?.narrow(1, first, shape(dst).1)?)
}

pub(in crate::kernel) fn scatter_columns(dst: &Tensor, first: usize, beta: f64, src: &Tensor) -> Result<()> {
    let ((_, n), (_, width)) = (shape(dst), shape(src));
    let whole = matrix(dst)?;
    let kept = whole.narrow(1, first, width)?.contiguous()?;
    accumulate(&kept, beta, matrix(src)?)?;
    let parts = [whole.narrow(1, 0, first)?, kept, whole.narrow(1, first + width, n - first - width)?];
    let parts: Vec<&Tensor> = parts.iter().filter(|part| part.elem_count() > 0).collect();
    set(dst, Tensor::cat(&parts, 1)?)
}

pub(in crate::kernel) fn add_table(dst: &Tensor, src: &Tensor, table: &[f64]) -> Result<()> {
    let (_, n) = shape(src);
    let host = Tensor::from_slice(table, (table.len() / n, n), &candle_core::Device::Cpu)?;
    let table = host.to_dtype(dst.dtype())?.to_device(dst.device())?;
    set(dst, blocks(src, &table)?.broadcast_add(&table)?)
}
