//! Second derivatives of the layers that bend, of Candle's operations: they serve measurements of curvature, not training steps.

use crate::kernel::{Activation, Heads};
use crate::model::layer::At;
use candle_core::{D, Result, Tensor};

/// φ''(S); `None` where it is zero but at kinks.
pub(super) fn activation(kind: Activation, at: At) -> Result<Option<Tensor>> {
    match kind {
        Activation::Relu | Activation::LeakyRelu | Activation::Identity => Ok(None),
        // −2·tanh·tanh'.
        Activation::Tanh => Ok(Some(((at.y * &at.saved[0])? * -2.0)?)),
        // (2 − s²)·density(s).
        Activation::Gelu => {
            let squared = at.x[0].sqr()?;
            let density = ((&squared * -0.5)?.exp()? * (1.0 / std::f64::consts::TAU.sqrt()))?;
            Ok(Some((density * (2.0 - squared)?)?))
        }
    }
}

/// d(J u) along dx, u held still, of the normalisation of rows: J u = (u − mean(u) − x̂ mean(u ⊙ x̂))/s with s = √(variance + ε).
/// With x̂' = J dx and s'/s = mean(x̂ ⊙ dx)/s it is −(s'/s) J u − (x̂' mean(u ⊙ x̂) + x̂ mean(u ⊙ x̂'))/s.
pub(super) fn normalise(u: &Tensor, dx: &Tensor, normal: &Tensor, inverse: &Tensor) -> Result<Tensor> {
    let mean = |a: &Tensor, b: &Tensor| (a * b)?.mean_keepdim(D::Minus1);
    let along = |a: &Tensor| {
        let rest = a.broadcast_sub(&a.mean_keepdim(D::Minus1)?)?;
        (rest - normal.broadcast_mul(&mean(a, normal)?)?)?.broadcast_mul(inverse)
    };
    let (turned, moved) = (along(u)?, along(dx)?);
    let shrink = (mean(normal, dx)? * inverse)?;
    let bent = (moved.broadcast_mul(&mean(u, normal)?)? + normal.broadcast_mul(&mean(u, &moved)?)?)?;
    (turned.broadcast_mul(&shrink)? + bent.broadcast_mul(inverse)?)?.neg()
}

/// d(Jᵀ dy) along dx, dy held still, of attention: rows × 3n. With A = softmax(c Q Kᵀ), Y = A V and D = dY Vᵀ the adjoint is
/// dV = Aᵀ dY, dS = A ⊙ (D − ⟨A, D⟩ by row), dQ = c dS K, dK = c dSᵀ Q; each factor moves in turn.
pub(super) fn attention(heads: Heads, x: &Tensor, weights: &Tensor, dx: &Tensor, dy: &Tensor) -> Result<Tensor> {
    let Heads { tokens, heads: count, width } = heads;
    let (depth, batch) = (width / count, x.dim(0)? / tokens);
    let scale = 1.0 / (depth as f64).sqrt();
    // Rows of `blocks` blocks, as example × head × token × column each.
    let split = |matrix: &Tensor, blocks: usize, block: usize| {
        let parts = matrix.reshape((batch, tokens, blocks, count, depth))?;
        parts.narrow(2, block, 1)?.squeeze(2)?.transpose(1, 2)?.contiguous()
    };
    let turned = |matrix: &Tensor| matrix.t()?.contiguous();
    let along_row = |a: &Tensor, b: &Tensor| (a * b)?.sum_keepdim(D::Minus1);
    let (q, k, v) = (split(x, 3, 0)?, split(x, 3, 1)?, split(x, 3, 2)?);
    let (dq, dk, dv) = (split(dx, 3, 0)?, split(dx, 3, 1)?, split(dx, 3, 2)?);
    let (a, dy) = (weights.reshape((batch, count, tokens, tokens))?, split(dy, 1, 0)?);

    let scores = ((dq.matmul(&turned(&k)?)? + q.matmul(&turned(&dk)?)?)? * scale)?;
    let moved = (&a * scores.broadcast_sub(&along_row(&a, &scores)?)?)?;
    let (d, dd) = (dy.matmul(&turned(&v)?)?, dy.matmul(&turned(&dv)?)?);
    let rest = d.broadcast_sub(&along_row(&a, &d)?)?;
    let s = (&a * &rest)?;
    let rest_moved = dd.broadcast_sub(&(along_row(&moved, &d)? + along_row(&a, &dd)?)?)?;
    let ds = ((&moved * rest)? + (&a * rest_moved)?)?;

    let queries = ((ds.matmul(&k)? + s.matmul(&dk)?)? * scale)?;
    let keys = ((turned(&ds)?.matmul(&q)? + turned(&s)?.matmul(&dq)?)? * scale)?;
    let values = turned(&moved)?.matmul(&dy)?;
    let parts = Tensor::stack(&[queries, keys, values], 0)?;
    // block × example × head × token × column to example × token × block × head × column.
    parts.permute((1, 3, 0, 2, 4))?.contiguous()?.reshape((batch * tokens, 3 * width))
}
