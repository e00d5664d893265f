//! The top of the Hessian's spectrum on the step's batch, and how much of the gradient and of its estimate lies there.
//!
//! Lanczos' recurrence with exact products H v ([`Curvature`]) and full reorthogonalisation gives the k algebraically largest
//! eigenvalues λ₁ ≥ … ≥ λ_k and an orthonormal basis U of their eigenvectors. Recorded: λ₁ and λ_k; ‖Uᵀg‖²/‖g‖² and ‖Uᵀĝ‖²/‖ĝ‖², beside
//! what a random direction holds, k/n; and the largest residual ‖Hu − λu‖/|λ|_max of the k. Vectors are as precise as the parameters.
//! At kinks the second derivative counts as zero. With greedy local losses H is that of each part's own loss, block-diagonal.
//! Sources: Lanczos (1950); Gur-Ari, Roberts and Dyer, "Gradient descent happens in a tiny subspace" (2018); math.md, "Measurements".

use super::{Values, View};
use crate::kernel::{self, Draw, DrawKey};
use crate::model::Curvature;
use crate::record::{Key, Quantity};
use candle_core::{Result, Tensor};

/// The recurrence ends when the residuals are below this share of the largest eigenvalue's size.
const TOLERANCE: f64 = 1e-4;

/// Steps between looks at the residuals.
const LOOK: usize = 5;

/// A remainder below this share of the largest element so far is none: the space is exhausted.
const EXHAUSTED: f64 = 1e-7;

/// Seed of the first vectors, the same for all runs.
const SEED: u64 = 0x4e55;

/// The longest recurrence for `top` pairs of an operator on n dimensions.
fn longest(top: usize, n: usize) -> usize {
    (8 * top + 20).min(n)
}

/// Eigenpairs of the top of a spectrum.
#[derive(Clone, Debug)]
pub struct Top {
    /// Eigenvalues, falling.
    pub values: Vec<f64>,
    /// Of each eigenvector, its coordinates in the basis of the recurrence.
    coordinates: Vec<Vec<f64>>,
    /// The largest ‖Hu − λu‖ of them over the largest |λ| found.
    pub residual: f64,
}

/// The recurrence, with its basis: vectors shaped as the parameters.
#[derive(Debug, Default)]
pub struct Lanczos {
    basis: Vec<Vec<Tensor>>,
}

fn dot(a: &[Tensor], b: &[Tensor]) -> Result<f64> {
    a.iter().zip(b).map(|(a, b)| kernel::dot(a, b)).sum()
}

fn norm(a: &[Tensor]) -> Result<f64> {
    Ok(a.iter().map(kernel::norm_squared).sum::<Result<f64>>()?.sqrt())
}

impl Lanczos {
    /// The `top` largest eigenvalues, or all if the operator has fewer, of the symmetric operator that `product` applies: it writes
    /// H v into its second argument. `like` gives the vectors' shapes.
    ///
    /// # Errors
    /// Those of `product`; numbers that are not finite.
    pub fn top(
        &mut self,
        like: &[Tensor],
        top: usize,
        mut product: impl FnMut(&[Tensor], &[Tensor]) -> Result<()>,
    ) -> Result<Top> {
        let n: usize = like.iter().map(Tensor::elem_count).sum();
        let (top, longest) = (top.min(n), longest(top, n));
        let (mut diagonal, mut beside) = (Vec::new(), Vec::new());
        let mut scale = 0f64;
        self.start(like, 0)?;
        loop {
            let last = diagonal.len();
            self.vector(like, last + 1)?;
            let (before, next) = self.basis.split_at(last + 1);
            product(&before[last], &next[0])?;
            diagonal.push(dot(&before[last], &next[0])?);
            let mut rest = self.orthogonalise(last + 1)?;
            scale = scale.max(diagonal[last].abs()).max(rest);
            let (ended, looked) = (last + 1 == longest, (last + 1).is_multiple_of(LOOK) && last + 1 >= top);
            if ended || looked {
                let pairs = kernel::tridiagonal_eigen(&diagonal, &beside)?;
                let size = pairs.iter().map(|(value, _)| value.abs()).fold(f64::MIN_POSITIVE, f64::max);
                let (values, coordinates): (Vec<f64>, Vec<Vec<f64>>) = pairs.into_iter().take(top).unzip();
                let left = coordinates.iter().map(|s| s[last].abs()).fold(0.0, f64::max);
                let residual = if last + 1 == n { 0.0 } else { rest * left / size };
                if ended || residual <= TOLERANCE {
                    return Ok(Top { values, coordinates, residual });
                }
            }
            if rest <= EXHAUSTED * scale {
                // H maps the space so far into itself: it goes on in what is orthogonal to it.
                rest = 0.0;
                self.start(like, last + 1)?;
            } else {
                for part in &self.basis[last + 1] {
                    kernel::scale(part, 1.0 / rest)?;
                }
            }
            beside.push(rest);
        }
    }

    /// ‖Uᵀa‖²/‖a‖² of the eigenvectors last found; `None` for a = 0.
    ///
    /// # Errors
    /// As the kernels do.
    pub fn share(&self, top: &Top, a: &[Tensor]) -> Result<Option<f64>> {
        let squared = norm(a)?.powi(2);
        let length = top.coordinates.first().map_or(0, Vec::len);
        let along = self.basis.iter().take(length).map(|q| dot(q, a)).collect::<Result<Vec<f64>>>()?;
        let parts = top.coordinates.iter().map(|s| s.iter().zip(&along).map(|(s, a)| s * a).sum::<f64>().powi(2));
        Ok((squared > 0.0).then(|| parts.sum::<f64>() / squared))
    }

    /// Makes sure that there is a vector `index`.
    fn vector(&mut self, like: &[Tensor], index: usize) -> Result<()> {
        while self.basis.len() <= index {
            self.basis.push(like.iter().map(Tensor::zeros_like).collect::<Result<_>>()?);
        }
        Ok(())
    }

    /// Vector `index` becomes a random unit vector orthogonal to those before.
    fn start(&mut self, like: &[Tensor], index: usize) -> Result<()> {
        self.vector(like, index)?;
        for (site, part) in self.basis[index].iter().enumerate() {
            let key = DrawKey { seed: SEED, instance: 0, step: index as u64, site: site as u32, guess: 0, draw: 0 };
            kernel::fill_draws(part, Draw::Normal, 1.0, key)?;
        }
        let rest = self.orthogonalise(index)?;
        for part in &self.basis[index] {
            kernel::scale(part, 1.0 / rest)?;
        }
        Ok(())
    }

    /// Takes from vector `index` its parts along those before, twice for the digits; returns its norm.
    fn orthogonalise(&self, index: usize) -> Result<f64> {
        let (before, rest) = (&self.basis[..index], &self.basis[index]);
        for _ in 0..2 {
            for q in before {
                let along = dot(q, rest)?;
                for (rest, q) in rest.iter().zip(q) {
                    kernel::axpy(rest, -along, q)?;
                }
            }
        }
        norm(rest)
    }
}

/// Buffers of the measurement.
#[derive(Debug)]
pub struct Probe {
    curvature: Curvature,
    lanczos: Lanczos,
}

impl Probe {
    /// Buffers at the tape of `view`.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub fn new(view: View) -> Result<Self> {
        Ok(Self { curvature: Curvature::new(view.point.tape)?, lanczos: Lanczos::default() })
    }

    /// Appends the figures of the `top` largest eigenvalues, at the point of the last adjoint pass.
    ///
    /// # Errors
    /// As the kernels do.
    pub fn measure(&mut self, view: View, gradient: &[Tensor], top: usize, values: &mut Values) -> Result<()> {
        let (point, n) = (view.point, view.network.parameter_count());
        let outputs = point.tape.outputs();
        let found = self.lanczos.top(point.theta, top, |v, product| {
            let seeds = |tangents: &[Tensor]| point.loss.curve_all(&outputs, tangents);
            self.curvature.product(point.tape, point.theta, v, seeds, product)
        })?;
        let mut push = |quantity, value| values.push((Key::whole(quantity), value));
        if let (Some(first), Some(last)) = (found.values.first(), found.values.last()) {
            push(Quantity::HessianLargest, *first);
            push(Quantity::HessianLast, *last);
        }
        if let Some(share) = self.lanczos.share(&found, gradient)? {
            push(Quantity::HessianGradient, share);
        }
        if let Some(share) = self.lanczos.share(&found, view.estimate)? {
            push(Quantity::HessianEstimate, share);
        }
        push(Quantity::HessianRandom, found.values.len() as f64 / n as f64);
        push(Quantity::HessianResidual, found.residual);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn vector(values: &[f64]) -> Vec<Tensor> {
        // In two tensors, as parameters come.
        let (a, b) = values.split_at(values.len() / 3);
        [a, b].iter().map(|part| Tensor::new(*part, &Device::Cpu).unwrap()).collect()
    }

    fn flat(vector: &[Tensor]) -> Vec<f64> {
        vector.iter().flat_map(|part| part.to_vec1::<f64>().unwrap()).collect()
    }

    /// Applies diag(d).
    fn diagonal(d: &[f64]) -> impl FnMut(&[Tensor], &[Tensor]) -> Result<()> {
        move |v, product| {
            let image: Vec<f64> = flat(v).iter().zip(d).map(|(v, d)| v * d).collect();
            for (to, from) in product.iter().zip(vector(&image)) {
                kernel::copy(to, &from)?;
            }
            Ok(())
        }
    }

    #[test]
    fn the_top_of_a_diagonal_matrix_is_found_with_its_subspace() {
        let d: Vec<f64> =
            (0..300).map(|i| if i < 4 { 50.0 + 10.0 * i as f64 } else { -20.0 + 0.1 * i as f64 }).collect();
        let like = vector(&vec![0.0; 300]);
        let mut lanczos = Lanczos::default();
        let found = lanczos.top(&like, 3, diagonal(&d)).unwrap();
        for (found, expected) in found.values.iter().zip([80.0, 70.0, 60.0]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        assert!(found.residual <= TOLERANCE);
        let mut a = vec![0.0; 300];
        (a[3], a[0], a[100]) = (1.0, 2.0, 2.0);
        assert!((lanczos.share(&found, &vector(&a)).unwrap().unwrap() - 1.0 / 9.0).abs() < 1e-6);
        assert_eq!(lanczos.share(&found, &like).unwrap(), None);
    }

    #[test]
    fn a_spectrum_with_few_values_is_exhausted_and_gone_on_with() {
        // Two distinct eigenvalues: each Krylov space has two dimensions.
        let d: Vec<f64> = (0..12).map(|i| if i < 5 { 2.0 } else { -1.0 }).collect();
        let found = Lanczos::default().top(&vector(&[0.0; 12]), 6, diagonal(&d)).unwrap();
        for (found, expected) in found.values.iter().zip([2.0, 2.0, 2.0, 2.0, 2.0, -1.0]) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }
}
