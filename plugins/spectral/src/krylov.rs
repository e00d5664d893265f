//! f(A Aᵀ) ε of every example at once, A = W_{l+1} diag(M_l) or diag(M_{l+1}) W_{l+1} diag(M_l), by the Lanczos iteration on
//! its noise.
//!
//! m rounds give the best that m products with A Aᵀ can: exactly f(A Aᵀ) ε when m reaches the number of different singular
//! values of A. A round takes one product down and one up for the whole batch; the m × m matrices T of the examples are
//! diagonalised apart.
//!
//! Source: Druskin and Knizhnerman 1989; Higham, *Functions of Matrices*, 2008, chapter 13.

use guesswork_plugin::{Input, Matrix, Result, Role, Step, dense};

/// Memory that is used again from step to step.
#[derive(Debug, Default)]
pub(crate) struct Krylov {
    column: Vec<f64>,
    norms: Vec<f64>,
    /// Diagonals and off-diagonals of T, round by round, B a round.
    alphas: Vec<f64>,
    betas: Vec<f64>,
    matrix: Vec<f64>,
    work: Vec<f64>,
    weights: Vec<f64>,
}

/// Scratch of a site, shared by its guesses.
pub(crate) struct Space<'s> {
    basis: Vec<Matrix<'s>>,
    down: Matrix<'s>,
    up: Matrix<'s>,
    term: Matrix<'s>,
    column: Matrix<'s>,
    /// M_{l+1}, where it is part of A.
    above: Option<Input<'s>>,
}

impl<'s> Space<'s> {
    /// For `rounds` rounds between `site` and the layer above it, `next`; `both` says whether M_{l+1} is part of A.
    pub(crate) fn new(step: &Step<'s>, [site, next]: [usize; 2], rounds: usize, both: bool) -> Result<Self> {
        let (rows, sites) = (step.batch(), &step.model().sites);
        let (below, above) = (sites[site].width, sites[next].width);
        let rounds = rounds.min(above);
        Ok(Self {
            basis: (0..rounds).map(|_| step.scratch(rows, above)).collect::<Result<_>>()?,
            down: step.scratch(rows, below)?,
            up: step.scratch(rows, above)?,
            term: step.scratch(rows, above)?,
            column: step.scratch(rows, 1)?,
            above: if both { Some(step.input(Role::Derivative, next)?) } else { None },
        })
    }

    /// `q ← q ⊙ M_{l+1}`, where it is part of A.
    pub(crate) fn pass(&self, step: &mut Step<'s>, q: Matrix<'s>) -> Result {
        self.above.map_or(Ok(()), |mask| step.hadamard(q, mask))
    }
}

impl Krylov {
    /// `noise ← f(A Aᵀ) noise`, row by row; `f` is asked at eigenvalues, which may be below zero by rounding.
    pub(crate) fn shape<'s>(
        &mut self,
        step: &mut Step<'s>,
        [site, next]: [usize; 2],
        space: &Space<'s>,
        noise: Matrix<'s>,
        f: impl Fn(f64) -> f64,
    ) -> Result {
        let (w, mask) = (step.input(Role::Weight, next)?, step.input(Role::Derivative, site)?);
        let (rows, rounds, column) = (noise.rows(), space.basis.len(), space.column);
        self.alphas.clear();
        self.betas.clear();
        step.copy(space.basis[0], noise)?;
        step.row_dot(column, noise, noise)?;
        step.read(column, &mut self.norms)?;
        self.norms.iter_mut().for_each(|square| *square = square.sqrt());
        self.normalise(step, space.basis[0], column)?;
        for round in 0..rounds {
            let q = space.basis[round];
            step.copy(space.term, q)?;
            space.pass(step, space.term)?;
            step.matmul(space.down, space.term, w)?;
            step.hadamard(space.down, mask)?;
            step.hadamard(space.down, mask)?;
            step.matmul(space.up, space.down, w.t())?;
            space.pass(step, space.up)?;
            step.row_dot(column, space.up, q)?;
            step.read(column, &mut self.column)?;
            self.alphas.extend_from_slice(&self.column);
            if round + 1 == rounds {
                break;
            }
            subtract(step, space, column, q)?;
            if round > 0 {
                step.write(column, &self.betas[(round - 1) * rows..])?;
                subtract(step, space, column, space.basis[round - 1])?;
            }
            step.row_dot(column, space.up, space.up)?;
            step.read(column, &mut self.column)?;
            self.betas.extend(self.column.iter().map(|square| square.sqrt()));
            step.copy(space.basis[round + 1], space.up)?;
            self.normalise(step, space.basis[round + 1], column)?;
        }
        self.weigh(rows, rounds, f);
        step.fill(noise, 0.0)?;
        for (round, &q) in space.basis.iter().enumerate() {
            step.write(column, &self.weights[round * rows..(round + 1) * rows])?;
            step.row_scale(q, column)?;
            step.axpy(noise, 1.0, q)?;
        }
        Ok(())
    }

    /// Rows of length one, whose squares are in `column`; rows of zeros stay.
    fn normalise<'s>(&mut self, step: &mut Step<'s>, rows: Matrix<'s>, column: Matrix<'s>) -> Result {
        step.read(column, &mut self.column)?;
        for value in &mut self.column {
            *value = if *value > 0.0 { value.sqrt().recip() } else { 0.0 };
        }
        step.write(column, &self.column)?;
        step.row_scale(rows, column)
    }

    /// `weights ← ‖ε‖ f(T) e₁` of every example, round by round.
    fn weigh(&mut self, rows: usize, rounds: usize, f: impl Fn(f64) -> f64) {
        self.weights.clear();
        self.weights.resize(rounds * rows, 0.0);
        for i in 0..rows {
            self.matrix.clear();
            self.matrix.resize(rounds * rounds, 0.0);
            for j in 0..rounds {
                self.matrix[j * rounds + j] = self.alphas[j * rows + i];
                if j + 1 < rounds {
                    let beta = self.betas[j * rows + i];
                    self.matrix[j * rounds + j + 1] = beta;
                    self.matrix[(j + 1) * rounds + j] = beta;
                }
            }
            dense::apply(&mut self.matrix, rounds, &mut self.work, &f);
            for j in 0..rounds {
                self.weights[j * rows + i] = self.norms[i] * self.matrix[j];
            }
        }
    }
}

/// `up ← up − diag(column)·q`.
fn subtract<'s>(step: &mut Step<'s>, space: &Space<'s>, column: Matrix<'s>, q: Matrix<'s>) -> Result {
    step.copy(space.term, q)?;
    step.row_scale(space.term, column)?;
    step.axpy(space.up, -1.0, space.term)
}
