//! Attention of Candle's operations: heads as blocks × (B·H) × T × d.

use super::{accumulate, set};
use crate::kernel::access::shape;
use crate::kernel::attention::Heads;
use candle_core::{D, Result, Tensor};

/// Queries (0), keys (1) or values (2) of `x`, or with `parts` = 1 all of it, by head; `examples` share a primal point.
fn by_head(x: &Tensor, parts: usize, part: usize, examples: usize, h: Heads) -> Result<Tensor> {
    let (rows, _) = shape(x);
    let (stack, depth) = (rows / (examples * h.tokens), h.width / h.heads);
    let all = x.detach().reshape(vec![stack, examples, h.tokens, parts, h.heads, depth])?;
    let one = all.narrow(3, part, 1)?.squeeze(3)?.transpose(2, 3)?.contiguous()?;
    one.reshape((stack, examples * h.heads, h.tokens, depth))
}

/// Back to rows × n.
fn by_row(y: &Tensor, h: Heads) -> Result<Tensor> {
    let (stack, blocks, tokens, depth) = y.dims4()?;
    let all = y.reshape((stack * blocks / h.heads, h.heads, tokens, depth))?;
    all.transpose(1, 2)?.contiguous()?.reshape(((), h.width))
}

fn examples(x: &Tensor, h: Heads) -> usize {
    shape(x).0 / h.tokens
}

fn kept(weights: &Tensor, h: Heads) -> Result<Tensor> {
    weights.detach().reshape((1, (), h.tokens, h.tokens))
}

pub(in crate::kernel) fn attention(y: &Tensor, weights: &Tensor, x: &Tensor, h: Heads) -> Result<()> {
    let part = |part| by_head(x, 3, part, examples(x, h), h);
    let scores = part(0)?.matmul(&part(1)?.t()?)?.affine(h.scale(), 0.0)?;
    let exponentials = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
    let a = exponentials.broadcast_div(&exponentials.sum_keepdim(D::Minus1)?)?;
    set(y, by_row(&a.matmul(&part(2)?)?, h)?)?;
    set(weights, a)
}

pub(in crate::kernel) fn attention_tangent(
    dy: &Tensor,
    dx: &Tensor,
    x: &Tensor,
    weights: &Tensor,
    y: &Tensor,
    h: Heads,
) -> Result<()> {
    let count = examples(x, h);
    let (at, moved) = (|part| by_head(x, 3, part, count, h), |part| by_head(dx, 3, part, count, h));
    let scores = moved(0)?.broadcast_matmul(&at(1)?.t()?)? + at(0)?.broadcast_matmul(&moved(1)?.t()?)?;
    let (a, scores) = (kept(weights, h)?, scores?.affine(h.scale(), 0.0)?);
    let shares = scores.broadcast_mul(&a)?;
    let along = shares.sum_keepdim(D::Minus1)?.broadcast_mul(&by_head(y, 1, 0, count, h)?)?;
    let sum = (a.broadcast_matmul(&moved(2)?)? + shares.broadcast_matmul(&at(2)?)?)?;
    set(dy, by_row(&(sum - along)?, h)?)
}

pub(in crate::kernel) fn attention_adjoint(
    dx: &Tensor,
    beta: f64,
    dy: &Tensor,
    x: &Tensor,
    weights: &Tensor,
    y: &Tensor,
    h: Heads,
) -> Result<()> {
    let count = examples(x, h);
    let at = |part| by_head(x, 3, part, count, h);
    let (a, from) = (kept(weights, h)?, by_head(dy, 1, 0, count, h)?);
    let mean = from.broadcast_mul(&by_head(y, 1, 0, count, h)?)?.sum_keepdim(D::Minus1)?;
    let shares = from.broadcast_matmul(&at(2)?.t()?)?.broadcast_sub(&mean)?.broadcast_mul(&a)?;
    let shares = shares.affine(h.scale(), 0.0)?;
    let parts = [
        by_row(&shares.broadcast_matmul(&at(1)?)?, h)?,
        by_row(&shares.t()?.contiguous()?.broadcast_matmul(&at(0)?)?, h)?,
        by_row(&a.t()?.contiguous()?.broadcast_matmul(&from)?, h)?,
    ];
    accumulate(dx, beta, Tensor::cat(&parts, 1)?)
}
