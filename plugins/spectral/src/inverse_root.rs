//! (WWᵀ + σI)^{−1/2} of a whole weight by Newton–Schulz iteration: products of matrices only.
//!
//! With G₀ = (WWᵀ + σI)/s, s its Frobenius norm, and Z₀ = I: T_j = (3I − G_j)/2, Z_{j+1} = Z_j T_j, G_{j+1} = T_j G_j T_j. An
//! eigenvalue g of G₀ becomes 1 at a rate of 9/4 an iteration as long as it is small, and quadratically near 1; Z tends to
//! G₀^{−1/2}.
//!
//! Source: the iteration is Schulz 1933 as in Higham, *Functions of Matrices*, 2008, chapter 8.

use guesswork_plugin::{Matrix, Result, Role, Step};

/// The inverse square root of the weight's Gram matrix at `site`, n × n, after `iterations`; `None` for a weight of zeros.
pub(crate) fn inverse_root<'s>(
    step: &mut Step<'s>,
    site: usize,
    ridge: f64,
    iterations: usize,
) -> Result<Option<Matrix<'s>>> {
    let w = step.input(Role::Weight, site)?;
    let n = w.rows();
    let (identity, numbers) = (step.scratch(n, n)?, step.scratch(n, 1)?);
    let counted: Vec<f64> = (0..n).map(|i| i as f64).collect();
    step.write(numbers, &counted)?;
    step.one_hot(identity, numbers)?;
    let (gram, t, z, work) = (step.scratch(n, n)?, step.scratch(n, n)?, step.scratch(n, n)?, step.scratch(n, n)?);
    step.matmul(gram, w, w.t())?;
    step.axpy(gram, ridge, identity)?;
    let size = step.dot(gram, gram)?.sqrt();
    if size == 0.0 {
        return Ok(None);
    }
    step.scale(gram, size.recip())?;
    step.copy(z, identity)?;
    for _ in 0..iterations {
        step.copy(t, identity)?;
        step.scale(t, 1.5)?;
        step.axpy(t, -0.5, gram)?;
        step.matmul(work, z, t)?;
        step.copy(z, work)?;
        step.matmul(work, gram, t)?;
        step.matmul(gram, t, work)?;
    }
    step.scale(z, size.sqrt().recip())?;
    Ok(Some(z))
}
