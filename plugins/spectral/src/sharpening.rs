//! Self-sharpening: E_l = (ε W (WᵀW/σ₁²)^k) ⊙ M_l, W = W_{l+1}, ε ~ N(0, I) fresh for each l; E_L ~ N(0, I).
//!
//! The weight transpose, k = 0, sharpened further by the spectrum that training on it narrows. Its covariance without a mask is
//! (WᵀW/σ₁²)^{2k} WᵀW. For an isotropic signal at the layer above, and no mask, cos² of guess and signal is about
//! Σσ^{4k+4}/(Σσ² Σσ^{4k+2}), which rises to 1/stable rank.
//!
//! It is computed as (ε (WWᵀ/σ₁²)^k) W, so that a sum over branches, a convolution or pooling lies between as it may; the
//! scale of a norm and grouped layers do not sharpen. σ₁ is found by power iteration on WWᵀ: 32 rounds when first seen, 4 more every step.
//!
//! Source: the effect is named by Singhal et al., *How to Guess a Gradient*, 2023, arXiv 2312.04709; the formula is a hypothesis.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | ε for layer l < L | normal | l − 1, k, place f of the site in `following` (0 in a chain) | (B·P_f) × n_f |
//! | E_L | normal | L − 1, k, 0 | B × C |
//! | start of the power iteration | normal | site above, 0, 65535; at its first step | 1 × n_{l+1} |

use crate::above::{Noise, has_spectrum};
use guesswork_plugin::{CallMode, Error, Flag, Info, Kind, Model, Param, Plan, Result, Role, Service, Step, Strategy};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Rounds of power iteration on a weight that is new.
const FIRST: usize = 32;
/// Rounds at every later step: weights move slowly.
const LATER: usize = 4;
/// Number of the draw that a power iteration starts from.
const START: usize = 65535;

/// Parameters of the strategy.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Params {
    /// Power of the sharpening.
    pub k: usize,
}

/// The strategy; see the module.
#[derive(Debug)]
pub struct SelfSharpening {
    k: usize,
    /// For each site, its persistent matrix: the leading left singular vector.
    leading: Vec<Option<usize>>,
}

impl Strategy for SelfSharpening {
    type Params = Params;

    const INFO: Info = Info::new("self-sharpening", Kind::Signal)
        .name("Self-sharpening")
        .version(env!("CARGO_PKG_VERSION"))
        .description("Weight transpose with the guess sharpened by the spectrum of the weights it passes.")
        .formula("E_l = (ε W (WᵀW/σ₁²)^k) ⊙ M_l,  W = W_{l+1},  E_L = ε,  ε ~ N(0, I)")
        .citation(
            "The effect: Singhal et al., How to Guess a Gradient, 2023, arXiv 2312.04709; the formula is a hypothesis",
        )
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::Weight])
        .services(&[Service::Ops, Service::Rng, Service::Scratch])
        .flags(&[Flag::Deterministic, Flag::Linear]);

    const PARAMS: &'static [Param] =
        &[Param::int("k", 1).range(0, 16).doc("Power of the sharpening; 0 is the weight transpose.")];

    fn create(params: Params) -> Result<Self> {
        Ok(Self { k: params.k, leading: Vec::new() })
    }

    fn prepare(&mut self, model: &Model, plan: &mut Plan) -> Result {
        if !model.is_chain() {
            plan.call_mode = CallMode::Model;
        }
        self.leading = vec![None; model.sites.len()];
        if self.k > 0 {
            for &next in model.sites.iter().flat_map(|site| &site.following) {
                if self.leading[next].is_none() && has_spectrum(model, next) {
                    let site = &model.sites[next];
                    self.leading[next] = Some(plan.persist(format!("leading.{}", site.name), 1, site.weight[0]));
                }
            }
        }
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        let k = self.k;
        let (mut noise, mut largest, mut down) = (Noise::default(), BTreeMap::new(), BTreeMap::new());
        step.each_guess(|step, site, guess| {
            noise.carry(step, [site, guess], |step, next, source| {
                let Some(index) = self.leading[next] else { return Ok(()) };
                let squared = match largest.get(&next) {
                    Some(&squared) => squared,
                    None => *largest.entry(next).or_insert(largest_squared(step, next, index)?),
                };
                if squared == 0.0 {
                    return Ok(());
                }
                let w = step.input(Role::Weight, next)?;
                for _ in 0..k {
                    let down = match down.get(&next) {
                        Some(&matrix) => matrix,
                        None => *down.entry(next).or_insert(step.scratch(source.rows(), w.columns())?),
                    };
                    step.matmul(down, source, w)?;
                    step.gemm(source, 1.0 / squared, down, w.t(), 0.0)?;
                }
                Ok(())
            })
        })
    }
}

/// σ₁² of the weight at `next` by power iteration on WWᵀ, from persistent matrix `index` on.
fn largest_squared(step: &mut Step<'_>, next: usize, index: usize) -> Result<f64> {
    let w = step.input(Role::Weight, next)?;
    let v = step.persistent(index)?;
    let (down, up) = (step.scratch(1, w.columns())?, step.scratch(1, w.rows())?);
    let mut rounds = LATER;
    if step.dot(v, v)? == 0.0 {
        step.normal(v, next, 0, START, 1.0)?;
        rounds = FIRST;
    }
    let mut squared = 0.0;
    for _ in 0..rounds {
        step.matmul(down, v, w)?;
        let length = step.dot(v, v)?;
        squared = step.dot(down, down)? / length;
        step.matmul(up, down, w.t())?;
        let norm = step.dot(up, up)?.sqrt();
        if norm == 0.0 {
            return Ok(0.0);
        }
        step.copy(v, up)?;
        step.scale(v, 1.0 / norm)?;
    }
    match squared.is_finite() {
        true => Ok(squared),
        false => Err(Error::new(format!("the largest singular value of the weight at site {next} is not finite"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guesswork_plugin::testing::{Activation, Grid, Host, Network};
    use guesswork_plugin::{DType, dense};

    fn started(network: Network, k: i64, guesses: usize, batch: usize) -> Host {
        let setup = Host::of::<SelfSharpening>().network(network).batch(batch).guesses(guesses);
        setup.param("k", k).start().unwrap()
    }

    /// Eigenvalues of WWᵀ, in no order.
    fn squares(w: &Grid) -> Vec<f64> {
        let (gram, n) = (w.matmul(&w.t()), w.rows());
        let mut values = gram.values().to_vec();
        dense::eigen(&mut values, n, &mut Vec::new());
        (0..n).map(|j| values[j * n + j]).collect()
    }

    fn sharpened(noise: &Grid, w: &Grid, k: usize) -> Grid {
        let largest = squares(w).into_iter().fold(0.0, f64::max);
        let gram = w.matmul(&w.t()).map(|value| value / largest);
        (0..k).fold(noise.clone(), |noise, _| noise.matmul(&gram)).matmul(w)
    }

    #[test]
    fn k_0_is_the_weight_transpose() {
        let mut host = started(Network::mlp(&[6, 5, 4, 3], Activation::Tanh), 0, 2, 5);
        assert_eq!(host.call_mode(), CallMode::Layer);
        host.step().unwrap();
        for guess in 0..2 {
            let expected = host.normal(0, guess, 0, 5, 4).matmul(host.network().weight(1)).hadamard(host.derivative(0));
            host.signal(0, guess).assert_close(&expected, 1e-14);
            host.signal(2, guess).assert_close(&host.normal(2, guess, 0, 5, 3), 0.0);
        }
    }

    #[test]
    fn the_noise_is_sharpened_by_the_spectrum_of_the_weight_above() {
        for k in 1..3 {
            let mut host = started(Network::mlp(&[6, 5, 4, 3], Activation::Relu), k, 2, 5);
            // The power iteration goes on from step to step: afterwards σ₁ is exact.
            (0..60).for_each(|_| host.step().unwrap());
            for site in 0..2 {
                for guess in 0..2 {
                    let w = host.network().weight(site + 1);
                    let noise = host.normal(site, guess, 0, 5, w.rows());
                    let expected = sharpened(&noise, w, k as usize).hadamard(host.derivative(site));
                    host.signal(site, guess).assert_close(&expected, 1e-9);
                }
            }
        }
    }

    #[test]
    fn every_branch_is_sharpened_by_its_own_weight() {
        let mut host = started(Network::residual(4, 6, 3, 3, Activation::Tanh), 1, 1, 5);
        assert_eq!(host.call_mode(), CallMode::Model);
        (0..60).for_each(|_| host.step().unwrap());
        for site in 0..3 {
            let mut sum = host.derivative(site).map(|_| 0.0);
            for (draw, next) in host.network().following(site).into_iter().enumerate() {
                let w = host.network().weight(next);
                sum = sum.plus(&sharpened(&host.normal(site, 0, draw, 5, w.rows()), w, 1));
            }
            host.signal(site, 0).assert_close(&sum.hadamard(host.derivative(site)), 1e-9);
        }
    }

    #[test]
    fn it_runs_on_rows_and_in_single_precision() {
        let network = Network::tokens(3, &[4, 5, 6, 2], Activation::Relu);
        let mut host = Host::of::<SelfSharpening>().network(network).dtype(DType::F32).guesses(2).start().unwrap();
        (0..3).for_each(|_| host.step().unwrap());
    }

    /// For δ = uW with isotropic u, E[cos²] is about Σσ^{4k+4}/(Σσ² Σσ^{4k+2}); the mean of a quotient differs from the quotient
    /// of means by about 1/effective rank.
    #[test]
    fn the_cosine_with_an_isotropic_signal_follows_the_spectrum() {
        let (batch, steps, width) = (16, 60, 48);
        for k in 0..3 {
            let mut host = started(Network::mlp(&[4, 60, width, 3], Activation::Identity), k, 2, batch);
            let (mut sum, mut count) = (0.0, 0.0);
            for _ in 0..steps {
                host.step().unwrap();
                let w = host.network().weight(1);
                // The noise of the other layer stands for the isotropic signal u.
                let signal = host.draw(0, [1, 1, 9], batch, width).matmul(w);
                for guess in 0..2 {
                    let e = host.signal(0, guess);
                    for i in 0..batch {
                        let (e, s) = (e.row(i), signal.row(i));
                        let inner = dense::dot(e, s);
                        sum += inner * inner / (dense::dot(e, e) * dense::dot(s, s));
                        count += 1.0;
                    }
                }
            }
            let squares = squares(host.network().weight(1));
            let power = |p: i32| squares.iter().map(|square| square.powi(p)).sum::<f64>();
            let k = k as i32;
            let expected = power(2 * k + 2) / (power(1) * power(2 * k + 1));
            let found = sum / count;
            assert!((found / expected - 1.0).abs() < 0.2, "k = {k}: cos² {found}, expected {expected}");
        }
    }
}
