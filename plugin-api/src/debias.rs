//! The bias of a linear guess divided out at scope `example-layer`.
//!
//! A guess E_i = ε_i A_i of example i, ε_i ~ N(0, I) of R numbers and A_i of R rows (T D_i: what noise passes on its way to the layer,
//! mask included), has E\[ĝ_l\] = g_l with A_iᵀA_i δ_i in place of δ_i. With ε_i L_i⁻¹ in place of ε_i, L_i L_iᵀ = A_i A_iᵀ + ρI, that
//! becomes
//!
//! A_iᵀ(A_i A_iᵀ + ρI)⁻¹A_i = (Σ_i + ρI)⁻¹ Σ_i with Σ_i = A_iᵀA_i,
//!
//! the ridge pseudo-inverse of the covariance times the covariance. It tends to the projector on the rows of A_i as ρ → 0: E\[ĝ_l\] = g_l
//! where true signals lie in them, and else g_l for their part that does. L is Cholesky's; any other root, (A_i A_iᵀ + ρI)^{−1/2} say,
//! differs by a rotation of ε_i, which changes no law.
//!
//! The products are taken in double precision in the strategy's own memory, whatever the lane's precision: a small ridge would drown
//! in the rounding of single precision.

#![forbid(unsafe_code)]

use crate::dense;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::model::{Device, Model, Scope};
use crate::step::Step;

/// Most numbers that are kept of one site: 512 MiB.
const LARGEST: usize = 1 << 26;

/// The ridge ρ, and what is kept of a site's A_i, used again from site to site.
///
/// ```
/// use guesswork_plugin::{Debias, Result, Step};
/// /// The weight transpose on a chain of dense layers: A_i = W_{l+1} diag(M_{l,i}).
/// fn propose<'s>(debias: &mut Debias, step: &mut Step<'s>, site: usize) -> Result {
///     let (batch, width) = (step.batch(), step.model().sites[site + 1].width);
///     let (above, below) = (step.scratch(batch, width)?, step.scratch(batch, step.model().sites[site].width)?);
///     let unit = step.scratch(batch, 1)?;
///     debias.factor(step, width, |step, row| {
///         step.fill(unit, row as f64)?;
///         step.one_hot(above, unit)?;
///         step.pull_back(site, &[above], below)?;
///         Ok(below)
///     })?;
///     for guess in step.guesses() {
///         step.normal(above, site, guess, 0, 1.0)?;
///         debias.shape(step, &[above])?;
///         step.pull_back(site, &[above], step.signal(site, guess)?)?;
///     }
///     Ok(())
/// }
/// # use guesswork_plugin::{CallMode, Info, Kind, Model, Plan, Role, Service, Strategy};
/// # struct Debiased(Debias);
/// # impl Strategy for Debiased {
/// #     type Params = ();
/// #     const INFO: Info = Info::new("debiased", Kind::Signal)
/// #         .needs(&[Role::Weight]).services(&[Service::Ops, Service::Rng, Service::Scratch]);
/// #     fn create((): ()) -> Result<Self> { Ok(Self(Debias::new(1e-9).ok_or("a ridge")?)) }
/// #     fn prepare(&mut self, model: &Model, plan: &mut Plan) -> Result {
/// #         plan.call_mode = CallMode::Model;
/// #         Debias::check(model, |site| model.sites[site + 1].width)
/// #     }
/// #     fn propose(&mut self, step: &mut Step<'_>) -> Result {
/// #         let last = step.model().sites.len() - 1;
/// #         for site in 0..last { propose(&mut self.0, step, site)?; }
/// #         step.guesses().try_for_each(|guess| step.normal(step.signal(last, guess)?, last, guess, 0, 1.0))
/// #     }
/// # }
/// # guesswork_plugin::testing::Host::of::<Debiased>().start()?.step()?;
/// # Ok::<(), guesswork_plugin::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Debias {
    ridge: f64,
    /// Numbers of noise an example, R.
    rows: usize,
    /// A of every example, R × n.
    a: Vec<f64>,
    /// L of every example, R × R.
    factors: Vec<f64>,
    /// The noise of every example, R numbers.
    noise: Vec<f64>,
    values: Vec<f64>,
}

impl Debias {
    /// With ridge ρ > 0; `None` for 0, which is no debiasing.
    pub fn new(ridge: f64) -> Option<Self> {
        let empty = Vec::new;
        let memory = Self { ridge, rows: 0, a: empty(), factors: empty(), noise: empty(), values: empty() };
        (ridge > 0.0).then_some(memory)
    }

    /// Refuses, for `prepare`, a lane where debiasing by a parameter `debias` has no meaning or no room; `rows` says how many numbers
    /// of noise a site's guess is made of, R. Outputs, which nothing follows, are passed over.
    ///
    /// # Errors
    /// When the scope is not `example-layer`, the lane does not run on the CPU, or the A_i or L_i of a batch are more than 2²⁶ numbers.
    pub fn check(model: &Model, rows: impl Fn(usize) -> usize) -> Result {
        if model.scope != Scope::ExampleLayer {
            return Err(Error::unsupported(
                "`debias` divides out the bias of scope example-layer, and this lane has another: set `scope` to \
                 example-layer or `debias` to 0",
            ));
        }
        if model.device != Device::Cpu {
            return Err(Error::unsupported("`debias` works on matrices in host memory: run on the cpu or set it to 0"));
        }
        for (index, site) in model.sites.iter().enumerate().filter(|(_, site)| !site.following.is_empty()) {
            let (rows, columns) = (rows(index), site.rows_per_example.saturating_mul(site.width));
            let count = [rows, rows.max(columns), model.batch].into_iter().try_fold(1, usize::checked_mul);
            if count.is_none_or(|count| count > LARGEST) {
                return Err(Error::unsupported(format!(
                    "`debias` takes the {rows}×{columns} numbers that make the guess of `{}` for each of {} examples, more \
                     than {LARGEST} in all: set it to 0, or choose a smaller layer or batch",
                    site.name, model.batch
                )));
            }
        }
        Ok(())
    }

    /// Finds L_i of a site from its A_i: `row(r)` makes row r of every example's, a matrix of B·P rows or any other of as many
    /// elements, an example's side by side; it may be the same memory each time.
    ///
    /// # Errors
    /// Those of `row` and of reading; when the rows differ in length.
    pub fn factor<'s>(
        &mut self,
        step: &mut Step<'s>,
        rows: usize,
        mut row: impl FnMut(&mut Step<'s>, usize) -> Result<Matrix<'s>>,
    ) -> Result {
        let batch = step.batch().max(1);
        let mut columns = 0;
        self.rows = rows;
        for r in 0..rows {
            let matrix = row(step, r)?;
            step.read(matrix, &mut self.values)?;
            if r == 0 {
                columns = self.values.len() / batch;
                self.a.clear();
                self.a.resize(batch * rows * columns, 0.0);
            }
            if self.values.len() != batch * columns || columns == 0 {
                let count = self.values.len();
                return Err(Error::invalid(format!("row {r} has {count} numbers for {batch} examples of {columns}")));
            }
            for (i, example) in self.values.chunks_exact(columns).enumerate() {
                self.a[(i * rows + r) * columns..][..columns].copy_from_slice(example);
            }
        }
        self.factors.clear();
        self.factors.resize(batch * rows * rows, 0.0);
        if rows == 0 {
            return Ok(());
        }
        for (a, l) in self.a.chunks_exact(rows * columns).zip(self.factors.chunks_exact_mut(rows * rows)) {
            for (r, left) in a.chunks_exact(columns).enumerate() {
                for (s, right) in a.chunks_exact(columns).take(r + 1).enumerate() {
                    l[r * rows + s] = dense::dot(left, right);
                }
                l[r * rows + r] += self.ridge;
            }
            dense::cholesky(l, rows, self.ridge);
        }
        Ok(())
    }

    /// `ε_i ← ε_i L_i⁻¹` for the noise of one guess, R numbers an example in one matrix or several, in the order of the rows.
    ///
    /// # Errors
    /// Those of reading and writing; when the noise has more or fewer numbers than there were rows.
    pub fn shape<'s>(&mut self, step: &mut Step<'s>, noise: &[Matrix<'s>]) -> Result {
        let (batch, rows) = (step.batch().max(1), self.rows);
        let width = |matrix: &Matrix<'s>| matrix.rows() * matrix.columns() / batch;
        let count: usize = noise.iter().map(width).sum();
        if count != rows || self.factors.len() != batch * rows * rows {
            return Err(Error::invalid(format!("noise of {count} numbers an example, where A has {rows} rows")));
        }
        self.noise.clear();
        self.noise.resize(batch * rows, 0.0);
        let mut start = 0;
        for matrix in noise {
            let width = width(matrix);
            step.read(*matrix, &mut self.values)?;
            for i in 0..batch {
                self.noise[i * rows + start..][..width].copy_from_slice(&self.values[i * width..][..width]);
            }
            start += width;
        }
        for (noise, l) in self.noise.chunks_exact_mut(rows.max(1)).zip(self.factors.chunks_exact((rows * rows).max(1)))
        {
            dense::divide(noise, l, rows);
        }
        let mut start = 0;
        for matrix in noise {
            let width = width(matrix);
            self.values.clear();
            self.values.extend((0..batch).flat_map(|i| &self.noise[i * rows + start..][..width]));
            step.write(*matrix, &self.values)?;
            start += width;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DType, LayerKind, Site};

    fn site(name: &str, rows_per_example: usize, width: usize, following: &[usize]) -> Site {
        Site {
            name: name.to_owned(),
            layer: LayerKind::Linear,
            activated: true,
            width,
            rows_per_example,
            weight: [width, width],
            has_bias: true,
            following: following.to_vec(),
        }
    }

    fn model(scope: Scope, device: Device, batch: usize) -> Model {
        Model {
            sites: vec![site("wide", 64, 64, &[1]), site("logits", 1, 10, &[])],
            batch,
            classes: 10,
            dtype: DType::F32,
            device,
            scope,
            guesses: 1,
            seed: 0,
            instance: 0,
            granted: 0,
            services: 0,
        }
    }

    #[test]
    fn a_ridge_of_zero_is_no_debiasing() {
        assert!(Debias::new(0.0).is_none() && Debias::new(1e-9).is_some());
    }

    #[test]
    fn what_has_no_meaning_or_no_room_is_refused_with_the_way_out() {
        let refused = |model: &Model, rows: usize| Debias::check(model, |_| rows).unwrap_err().text().to_owned();
        let fits = model(Scope::ExampleLayer, Device::Cpu, 4);
        assert_eq!(Debias::check(&fits, |_| 4096), Ok(()));
        for scope in [Scope::Batch, Scope::Layer, Scope::Example] {
            assert!(
                refused(&model(scope, Device::Cpu, 4), 10).contains("set `scope` to example-layer or `debias` to 0")
            );
        }
        for device in [Device::Cuda, Device::Metal] {
            assert!(refused(&model(Scope::ExampleLayer, device, 4), 10).contains("run on the cpu or set it to 0"));
        }
        for (rows, batch) in [(4097, 4), (4096, 5), (8193, 1), (usize::MAX, 2)] {
            let text = refused(&model(Scope::ExampleLayer, Device::Cpu, batch), rows);
            assert!(text.contains(&format!("the {rows}×4096 numbers that make the guess of `wide`")), "{text}");
            assert!(text.contains("a smaller layer or batch"), "{text}");
        }
    }
}
