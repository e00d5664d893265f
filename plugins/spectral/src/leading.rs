//! The k leading pairs of singular directions of A = W_{l+1} diag(M_l), of every example at once, by subspace iteration.
//!
//! Q (k rows of n_{l+1} an example) goes from Gaussian draws through A Aᵀ and is made orthonormal, as often as asked; P is then
//! the polar factor of C = Q A (k rows of n_l): P = (C Cᵀ)^{−1/2} C. When Q spans the leading left singular directions, Σ_j q_j p_jᵀ
//! is U_k V_kᵀ; whatever Q spans, rows of Q and of P are orthonormal. The error in the directions falls by (σ_{k+1}/σ_k)² a
//! round.
//!
//! Source: Halko, Martinsson, Tropp 2011, algorithm 4.4.

use guesswork_plugin::{Input, Matrix, Result, Role, Step, dense};

/// Number of the draw that Q starts from, of guess 0: all guesses share the directions.
const START: usize = 1;

/// Memory that is used again from step to step.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    rows: Vec<f64>,
    polar: Vec<f64>,
    gram: Vec<f64>,
    work: Vec<f64>,
}

/// Left and right directions of a site: block j, of B rows, holds direction j of every example.
pub(crate) struct Pairs<'s> {
    left: Matrix<'s>,
    right: Matrix<'s>,
    /// The blocks of `left` and of `right`.
    pairs: Vec<[Matrix<'s>; 2]>,
    mask: Input<'s>,
    term: Matrix<'s>,
    column: Matrix<'s>,
}

impl<'s> Pairs<'s> {
    /// The `k` leading pairs between `site` and the layer above, `next`, after `rounds` of subspace iteration.
    pub(crate) fn find(
        step: &mut Step<'s>,
        [site, next]: [usize; 2],
        k: usize,
        rounds: usize,
        memory: &mut Memory,
    ) -> Result<Self> {
        let (w, mask) = (step.input(Role::Weight, next)?, step.input(Role::Derivative, site)?);
        let (batch, count) = (step.batch(), k.min(w.rows()).min(w.columns()));
        let (left, right) = (step.scratch(count * batch, w.rows())?, step.scratch(count * batch, w.columns())?);
        let (term, column) = (step.scratch(batch, w.columns())?, step.scratch(batch, 1)?);
        let block = |j: usize| Ok([step.rows(left, j * batch, batch)?, step.rows(right, j * batch, batch)?]);
        let pairs = (0..count).map(block).collect::<Result<_>>()?;
        let found = Self { left, right, pairs, mask, term, column };
        step.normal(left, site, 0, START, 1.0)?;
        found.orthonormalise(step, memory)?;
        for _ in 0..rounds {
            found.down(step, w)?;
            found.pairs.iter().try_for_each(|[_, p]| step.hadamard(*p, mask))?;
            step.matmul(left, right, w.t())?;
            found.orthonormalise(step, memory)?;
        }
        found.down(step, w)?;
        found.polar(step, memory)?;
        Ok(found)
    }

    /// `right ← (left W) ⊙ M`.
    fn down(&self, step: &mut Step<'s>, w: Input<'s>) -> Result {
        step.matmul(self.right, self.left, w)?;
        self.pairs.iter().try_for_each(|[_, p]| step.hadamard(*p, self.mask))
    }

    fn orthonormalise(&self, step: &mut Step<'s>, memory: &mut Memory) -> Result {
        let (batch, width) = (step.batch(), self.left.columns());
        step.read(self.left, &mut memory.rows)?;
        for i in 0..batch {
            dense::orthonormalise(&mut memory.rows[i * width..], (self.pairs.len(), width, batch * width), 1e-10);
        }
        step.write(self.left, &memory.rows)
    }

    /// Replaces the k rows of each example by their polar factor; directions that A does not reach become zero.
    fn polar(&self, step: &mut Step<'s>, memory: &mut Memory) -> Result {
        let (batch, width, k) = (step.batch(), self.right.columns(), self.pairs.len());
        step.read(self.right, &mut memory.rows)?;
        memory.polar.clear();
        memory.polar.resize(memory.rows.len(), 0.0);
        for i in 0..batch {
            let at = |j: usize| (j * batch + i) * width..(j * batch + i + 1) * width;
            memory.gram.clear();
            memory.gram.resize(k * k, 0.0);
            for a in 0..k {
                for b in 0..=a {
                    let inner = dense::dot(&memory.rows[at(a)], &memory.rows[at(b)]);
                    (memory.gram[a * k + b], memory.gram[b * k + a]) = (inner, inner);
                }
            }
            let size = (0..k).map(|j| memory.gram[j * k + j]).sum::<f64>();
            // Squares below the rounding of single precision are no direction of A.
            let inverse = |x: f64| if x > 1e-12 * size { x.sqrt().recip() } else { 0.0 };
            dense::apply(&mut memory.gram, k, &mut memory.work, inverse);
            for a in 0..k {
                for b in 0..k {
                    dense::axpy(&mut memory.polar[at(a)], memory.gram[a * k + b], &memory.rows[at(b)]);
                }
            }
        }
        step.write(self.right, &memory.polar)
    }

    /// `signal ← Σ_j ⟨ε, q_j⟩ p_j`, example by example.
    pub(crate) fn carry(&self, step: &mut Step<'s>, noise: Matrix<'s>, signal: Matrix<'s>) -> Result {
        step.fill(signal, 0.0)?;
        for &[q, p] in &self.pairs {
            step.row_dot(self.column, noise, q)?;
            step.copy(self.term, p)?;
            step.row_scale(self.term, self.column)?;
            step.axpy(signal, 1.0, self.term)?;
        }
        Ok(())
    }
}
