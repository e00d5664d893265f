//! The kernels made of Candle's operations: what runs on CUDA and Metal. Each has the contract of its namesake and
//! computes a fresh tensor that is then copied into the destination. What has no counterpart in Candle goes through the
//! host's memory ([`on_host`]).

mod attention;
mod columns;
mod image;
mod rows;

pub(super) use attention::*;
pub(super) use columns::*;
pub(super) use image::*;
pub(super) use rows::*;

use super::access::shape;
use super::activation::{Activation, LEAK};
use super::optimizer::{Adam, Sgd};
use candle_core::{DType, Device, Result, Tensor};
use std::cell::Cell;
use std::f64::consts::{FRAC_1_SQRT_2, TAU};

thread_local! {
    static FORCED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f` with this thread's kernels made of Candle's operations on the CPU too.
pub fn with_candle<R>(f: impl FnOnce() -> R) -> R {
    switched(true, f)
}

fn switched<R>(on: bool, f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            FORCED.set(self.0);
        }
    }
    let _restore = Restore(FORCED.replace(on));
    f()
}

/// Whether a kernel with this destination is for Candle's operations.
pub(super) fn takes(tensor: &Tensor) -> bool {
    !tensor.device().is_cpu() || FORCED.get()
}

/// Runs a kernel on copies in the host's memory and copies the destinations back.
pub(super) fn on_host<R, const D: usize, const N: usize>(
    dsts: [&Tensor; D],
    srcs: [&Tensor; N],
    f: impl FnOnce([&Tensor; D], [&Tensor; N]) -> Result<R>,
) -> Result<R> {
    let host = |tensor: &Tensor| tensor.detach().to_device(&Device::Cpu)?.copy();
    let mut copies = Vec::with_capacity(D + N);
    for tensor in dsts.iter().chain(&srcs) {
        copies.push(host(tensor)?);
    }
    let result = switched(false, || f(std::array::from_fn(|i| &copies[i]), std::array::from_fn(|i| &copies[D + i])))?;
    for (dst, copy) in dsts.iter().zip(&copies) {
        set(dst, copy.to_device(dst.device())?)?;
    }
    Ok(result)
}

/// The tensor as a matrix, outside any graph of Candle's.
fn matrix(tensor: &Tensor) -> Result<Tensor> {
    tensor.detach().reshape(shape(tensor))
}

/// The tensor as stacked blocks of as many rows as `block` has: blocks × rows × columns.
fn blocks(tensor: &Tensor, block: &Tensor) -> Result<Tensor> {
    let (rows, columns) = shape(block);
    tensor.detach().reshape(((), rows, columns))
}

/// Writes `value`, of as many elements, into `dst`.
fn set(dst: &Tensor, value: Tensor) -> Result<()> {
    if dst.elem_count() == 0 {
        return Ok(());
    }
    let value = value.reshape(dst.dims())?.contiguous()?;
    dst.slice_set(&value, 0, 0)
}

/// `dst ← beta·dst + value`.
fn accumulate(dst: &Tensor, beta: f64, value: Tensor) -> Result<()> {
    if beta == 0.0 {
        return set(dst, value);
    }
    let value = value.reshape(dst.dims())?;
    set(dst, (dst.detach().affine(beta, 0.0)? + value)?)
}

/// Numbers as a column on the device of `like`.
fn column(values: &[f64], like: &Tensor) -> Result<Tensor> {
    let host = Tensor::from_slice(values, (values.len(), 1), &Device::Cpu)?;
    host.to_dtype(like.dtype())?.to_device(like.device())
}

/// A tensor's numbers in double precision.
fn numbers(tensor: &Tensor) -> Result<Vec<f64>> {
    tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

pub(super) fn gemm(dst: &Tensor, beta: f64, alpha: f64, a: &Tensor, at: bool, b: &Tensor, bt: bool) -> Result<()> {
    let (a, b) = (matrix(a)?, matrix(b)?);
    let (a, b) = (if at { a.t()? } else { a }, if bt { b.t()? } else { b });
    if dst.elem_count() == 0 {
        return Ok(());
    }
    if a.dim(1)? == 0 {
        return accumulate(dst, beta, dst.zeros_like()?);
    }
    accumulate(dst, beta, a.matmul(&b)?.affine(alpha, 0.0)?)
}

pub(super) fn fill(dst: &Tensor, value: f64) -> Result<()> {
    set(dst, dst.zeros_like()?.affine(1.0, value)?)
}

pub(super) fn copy(dst: &Tensor, src: &Tensor) -> Result<()> {
    set(dst, src.detach())
}

pub(super) fn axpby(dst: &Tensor, beta: f64, alpha: f64, x: &Tensor) -> Result<()> {
    accumulate(dst, beta, x.detach().affine(alpha, 0.0)?)
}

pub(super) fn affine(dst: &Tensor, alpha: f64, shift: f64) -> Result<()> {
    set(dst, dst.detach().affine(alpha, shift)?)
}

pub(super) fn hadamard_add(dst: &Tensor, beta: f64, a: &Tensor, b: &Tensor) -> Result<()> {
    accumulate(dst, beta, blocks(a, b)?.broadcast_mul(&matrix(b)?)?)
}

pub(super) fn hadamard_assign(dst: &Tensor, b: &Tensor) -> Result<()> {
    set(dst, blocks(dst, b)?.broadcast_mul(&matrix(b)?)?)
}

pub(super) fn keep_nonzero(dst: &Tensor, a: &Tensor) -> Result<()> {
    let values = blocks(dst, a)?;
    let kept = matrix(a)?.ne(0.0)?.broadcast_as(values.shape())?;
    set(dst, kept.where_cond(&values, &values.zeros_like()?)?)
}

pub(super) fn transpose_blocks(dst: &Tensor, beta: f64, src: &Tensor, rows: usize) -> Result<()> {
    let (_, columns) = shape(src);
    accumulate(dst, beta, src.detach().reshape(((), rows, columns))?.transpose(1, 2)?.contiguous()?)
}

pub(super) fn activation(kind: Activation, s: &Tensor, x: &Tensor, m: &Tensor) -> Result<()> {
    let s = s.detach();
    let (activation, derivative) = match kind {
        Activation::Relu => (s.relu()?, s.gt(0.0)?.to_dtype(s.dtype())?),
        Activation::LeakyRelu => {
            let derivative = s.gt(0.0)?.to_dtype(s.dtype())?.affine(1.0 - LEAK, LEAK)?;
            ((&s * &derivative)?, derivative)
        }
        Activation::Tanh => {
            let tanh = s.tanh()?;
            let derivative = tanh.sqr()?.affine(-1.0, 1.0)?;
            (tanh, derivative)
        }
        Activation::Gelu => {
            let cumulative = s.affine(FRAC_1_SQRT_2, 0.0)?.erf()?.affine(0.5, 0.5)?;
            let density = s.sqr()?.affine(-0.5, 0.0)?.exp()?.affine(1.0 / TAU.sqrt(), 0.0)?;
            ((&s * &cumulative)?, (cumulative + (&s * density)?)?)
        }
        Activation::Identity => (s.clone(), s.ones_like()?),
    };
    set(x, activation)?;
    set(m, derivative)
}

pub(super) fn sgd(theta: &Tensor, gradient: &Tensor, velocity: Option<&Tensor>, settings: Sgd) -> Result<()> {
    let (value, mut gradient) = (theta.detach(), gradient.detach().reshape(theta.dims())?);
    if settings.weight_decay != 0.0 {
        gradient = (gradient + value.affine(settings.weight_decay, 0.0)?)?;
    }
    let step = match velocity {
        None => gradient,
        Some(velocity) => {
            let v = (velocity.detach().reshape(theta.dims())?.affine(settings.momentum, 0.0)? + &gradient)?;
            set(velocity, v.clone())?;
            if settings.nesterov { (gradient + v.affine(settings.momentum, 0.0)?)? } else { v }
        }
    };
    set(theta, (value - step.affine(settings.lr, 0.0)?)?)
}

pub(super) fn adam(theta: &Tensor, g: &Tensor, first: &Tensor, second: &Tensor, settings: Adam, t: u64) -> Result<()> {
    let Adam { lr, beta1, beta2, epsilon, weight_decay } = settings;
    let g = g.detach().reshape(theta.dims())?;
    let m = (first.detach().reshape(theta.dims())?.affine(beta1, 0.0)? + g.affine(1.0 - beta1, 0.0)?)?;
    let v = (second.detach().reshape(theta.dims())?.affine(beta2, 0.0)? + g.sqr()?.affine(1.0 - beta2, 0.0)?)?;
    let correction = 1.0 / (1.0 - beta2.powf(t as f64)).sqrt();
    let root = v.sqrt()?.affine(correction, epsilon)?;
    let step = (m.affine(lr / (1.0 - beta1.powf(t as f64)), 0.0)? / root)?;
    set(first, m)?;
    set(second, v)?;
    set(theta, (theta.detach().affine(1.0 - lr * weight_decay, 0.0)? - step)?)
}
