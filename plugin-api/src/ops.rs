//! Matrix operations and random draws of a [`Step`]: on whatever device the matrices live. A destination must not
//! overlap a source. Notation: `dst ← …`, ⊙ is the element-wise product.
//!
//! Every method returns the host's error when extents do not fit or the service was not granted.

#![forbid(unsafe_code)]

use crate::abi;
use crate::error::Result;
use crate::matrix::{Matrix, Operand, Source};
use crate::step::{Step, number};

/// Matrix operations.
impl<'s> Step<'s> {
    /// `dst ← a·b`; write `a.t()` for a transposed factor.
    ///
    /// # Errors
    /// See the module.
    #[inline]
    pub fn matmul(&mut self, dst: Matrix<'s>, a: impl Into<Operand<'s>>, b: impl Into<Operand<'s>>) -> Result {
        self.gemm(dst, 1.0, a, b, 0.0)
    }

    /// `dst ← beta·dst + alpha·a·b`. With `beta` 0 the old content does not matter.
    ///
    /// # Errors
    /// See the module.
    #[inline]
    pub fn gemm(
        &mut self,
        dst: Matrix<'s>,
        alpha: f64,
        a: impl Into<Operand<'s>>,
        b: impl Into<Operand<'s>>,
        beta: f64,
    ) -> Result {
        let (a, b) = (a.into(), b.into());
        self.call.matmul(dst.handle, alpha, (a.handle, a.transposed), (b.handle, b.transposed), beta)
    }

    /// `dst ←` the signals at the sites that follow `site`, carried back to its pre-activation: weights, masks,
    /// pooling, norms, sums over branches. `signals` has one matrix for each entry of `Site::following`, shaped as
    /// that site's pre-activation. At the last site it has one, a signal at the logits.
    ///
    /// # Errors
    /// See the module; in call mode `Layer` also when a mask on the way does not exist yet.
    #[inline]
    pub fn pull_back(&mut self, site: usize, signals: &[Matrix<'s>], dst: Matrix<'s>) -> Result {
        let site = number(site)?;
        match signals {
            [one] => self.call.pull_back(site, &[one.handle], dst.handle),
            many => {
                let handles: Vec<_> = many.iter().map(|signal| signal.handle).collect();
                self.call.pull_back(site, &handles, dst.handle)
            }
        }
    }

    /// `dst ← dst ⊙ a`.
    ///
    /// # Errors
    /// See the module.
    #[inline]
    pub fn hadamard(&mut self, dst: Matrix<'s>, a: impl Into<Source<'s>>) -> Result {
        self.call.hadamard(dst.handle, a.into().handle)
    }

    /// `dst ← dst ⊙ 1[a ≠ 0]`.
    ///
    /// # Errors
    /// See the module.
    #[inline]
    pub fn keep_nonzero(&mut self, dst: Matrix<'s>, a: impl Into<Source<'s>>) -> Result {
        self.call.keep_nonzero(dst.handle, a.into().handle)
    }

    /// `dst ← softmax(a)` along each row.
    ///
    /// # Errors
    /// See the module.
    pub fn softmax(&mut self, dst: Matrix<'s>, a: impl Into<Source<'s>>) -> Result {
        self.call.softmax(dst.handle, a.into().handle)
    }

    /// `dst ← onehot(classes)`: `classes` is rows × 1.
    ///
    /// # Errors
    /// See the module.
    pub fn one_hot(&mut self, dst: Matrix<'s>, classes: impl Into<Source<'s>>) -> Result {
        self.call.one_hot(dst.handle, classes.into().handle)
    }

    /// `dst[i] ← c`, a class drawn from row i of `probabilities`: `dst` is rows × 1.
    ///
    /// # Errors
    /// See the module.
    pub fn categorical(
        &mut self,
        dst: Matrix<'s>,
        probabilities: impl Into<Source<'s>>,
        site: usize,
        guess: usize,
        draw: usize,
    ) -> Result {
        let key = (number(site)?, number(guess)?, number(draw)?);
        self.call.categorical(dst.handle, probabilities.into().handle, key)
    }

    /// `dst ← dst + alpha·x`.
    ///
    /// # Errors
    /// See the module.
    #[inline]
    pub fn axpy(&mut self, dst: Matrix<'s>, alpha: f64, x: impl Into<Source<'s>>) -> Result {
        self.call.axpy(dst.handle, alpha, x.into().handle)
    }

    /// `dst ← alpha·dst`.
    ///
    /// # Errors
    /// See the module.
    #[inline]
    pub fn scale(&mut self, dst: Matrix<'s>, alpha: f64) -> Result {
        self.call.scale(dst.handle, alpha)
    }

    /// `dst ← diag(factors)·dst`: `factors` is rows × 1.
    ///
    /// # Errors
    /// See the module.
    pub fn row_scale(&mut self, dst: Matrix<'s>, factors: impl Into<Source<'s>>) -> Result {
        self.call.row_scale(dst.handle, factors.into().handle)
    }

    /// `Σ a ⊙ b`.
    ///
    /// # Errors
    /// See the module.
    pub fn dot(&mut self, a: impl Into<Source<'s>>, b: impl Into<Source<'s>>) -> Result<f64> {
        self.call.dot(a.into().handle, b.into().handle)
    }

    /// `dst[i] ← Σ_j a[i, j]·b[i, j]`: `dst` is rows × 1.
    ///
    /// # Errors
    /// See the module.
    pub fn row_dot(&mut self, dst: Matrix<'s>, a: impl Into<Source<'s>>, b: impl Into<Source<'s>>) -> Result {
        self.call.row_dot(dst.handle, a.into().handle, b.into().handle)
    }

    /// `dst[0, j] ← Σ_i a[i, j]`: `dst` is 1 × columns.
    ///
    /// # Errors
    /// See the module.
    pub fn column_sum(&mut self, dst: Matrix<'s>, a: impl Into<Source<'s>>) -> Result {
        self.call.column_sum(dst.handle, a.into().handle)
    }

    /// `dst[i, j] ← dst[i, j] + alpha·row[0, j]`: `row` is 1 × columns.
    ///
    /// # Errors
    /// See the module.
    #[inline]
    pub fn add_row(&mut self, dst: Matrix<'s>, alpha: f64, row: impl Into<Source<'s>>) -> Result {
        self.call.add_row(dst.handle, alpha, row.into().handle)
    }

    /// `dst ← src`.
    ///
    /// # Errors
    /// See the module.
    #[inline]
    pub fn copy(&mut self, dst: Matrix<'s>, src: impl Into<Source<'s>>) -> Result {
        self.call.copy(dst.handle, src.into().handle)
    }

    /// `dst ← value` everywhere.
    ///
    /// # Errors
    /// See the module.
    #[inline]
    pub fn fill(&mut self, dst: Matrix<'s>, value: f64) -> Result {
        self.call.fill(dst.handle, value)
    }

    /// `dst ← Q` of its thin QR factorisation (rows ≥ columns), with R's diagonal positive.
    ///
    /// # Errors
    /// See the module.
    pub fn orthonormalise(&mut self, dst: Matrix<'s>) -> Result {
        self.call.orthonormalise(dst.handle)
    }

    /// Truncated singular value decomposition `a ≈ u·diag(s)·vᵀ`: `u` m × k, `s` 1 × k descending, `v` n × k.
    ///
    /// # Errors
    /// See the module.
    pub fn svd(&mut self, a: impl Into<Source<'s>>, u: Matrix<'s>, s: Matrix<'s>, v: Matrix<'s>) -> Result {
        self.call.svd(a.into().handle, u.handle, s.handle, v.handle)
    }
}

/// Random draws. A draw is a function of the lane's seed and instance, the step, and (site, guess, draw): number the
/// draws of one guess at one site from 0.
impl<'s> Step<'s> {
    #[inline]
    fn random(&mut self, dst: Matrix<'s>, kind: u32, key: [usize; 3], scale: f64) -> Result {
        let [site, guess, draw] = key;
        self.call.random_fill(dst.handle, kind, scale, (number(site)?, number(guess)?, number(draw)?))
    }

    /// `dst ← scale·ε`, ε ~ N(0, I).
    ///
    /// # Errors
    /// See the module.
    #[inline]
    pub fn normal(&mut self, dst: Matrix<'s>, site: usize, guess: usize, draw: usize, scale: f64) -> Result {
        self.random(dst, abi::GW_DRAW_NORMAL, [site, guess, draw], scale)
    }

    /// `dst ← scale·u`, u uniform in (0, 1).
    ///
    /// # Errors
    /// See the module.
    #[inline]
    pub fn uniform(&mut self, dst: Matrix<'s>, site: usize, guess: usize, draw: usize, scale: f64) -> Result {
        self.random(dst, abi::GW_DRAW_UNIFORM, [site, guess, draw], scale)
    }

    /// `dst ← ±scale` with equal chance.
    ///
    /// # Errors
    /// See the module.
    #[inline]
    pub fn rademacher(&mut self, dst: Matrix<'s>, site: usize, guess: usize, draw: usize, scale: f64) -> Result {
        self.random(dst, abi::GW_DRAW_RADEMACHER, [site, guess, draw], scale)
    }

    /// Standard normal draws in double precision into the strategy's own memory: elements `start` and on.
    ///
    /// # Errors
    /// See the module.
    pub fn normal_values(&self, key: [usize; 3], start: u64, out: &mut [f64]) -> Result {
        let [site, guess, draw] = key;
        self.call.random_draw(abi::GW_DRAW_NORMAL, (number(site)?, number(guess)?, number(draw)?), start, out)
    }

    /// Uniform draws in (0, 1) in double precision into the strategy's own memory: elements `start` and on.
    ///
    /// # Errors
    /// See the module.
    pub fn uniform_values(&self, key: [usize; 3], start: u64, out: &mut [f64]) -> Result {
        let [site, guess, draw] = key;
        self.call.random_draw(abi::GW_DRAW_UNIFORM, (number(site)?, number(guess)?, number(draw)?), start, out)
    }

    /// 64 random bits: the first two words of a draw, low word first.
    ///
    /// # Errors
    /// See the module.
    pub fn random_bits(&self, site: usize, guess: usize, draw: usize) -> Result<u64> {
        let mut uniform = [0.0; 2];
        self.uniform_values([site, guess, draw], 0, &mut uniform)?;
        // A uniform draw is (word + ½)·2⁻³², exactly: truncation gives the word back.
        let [low, high] = uniform.map(|u| (u * 4_294_967_296.0) as u64);
        Ok(high << 32 | low)
    }
}
