//! Orthogonalised weight transpose: u = V_k U_kᵀ ε for each example, from the singular value decomposition U Σ Vᵀ of
//! W_{l+1} diag(M_l) (k largest), ε ~ N(0, I) fresh for each l; E_L ~ N(0, I).
//!
//! The guess has equal size in the k leading directions and none in the others: its covariance is the projector V_k V_kᵀ. The
//! directions are found by `iterations` rounds of subspace iteration from fresh draws, for all examples at once; too few rounds
//! tilt the k directions, they stay orthonormal. This takes one matrix apart for each example, so it needs a chain of dense layers.
//!
//! `k: 0` keeps all directions and orthogonalises the weight itself, E_l = (ε (WWᵀ)^{−1/2} W) ⊙ M_l, by `iterations` of
//! Newton–Schulz, on any architecture: a singular value s of W becomes p(s/‖WWᵀ‖_F^{1/2}), p the iterated polynomial
//! x(3 − x²)/2, which tends to 1. The scale of a norm and grouped layers are left as they are.
//!
//! Source: Wang, Markou, Campbell 2025, orthogonalised Wᵀ.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | ε for layer l < L | normal | l − 1, guess, place f of the site in `following` (0 in a chain) | (B·P_f) × n_f |
//! | start of the subspace at layer l < L | normal | l − 1, 0, 1 | (k·B) × n_{l+1}, block j for direction j |
//! | E_L | normal | L − 1, guess, 0 | B × C |

use crate::above::{Noise, has_spectrum, needs_chain};
use crate::inverse_root::inverse_root;
use crate::leading::{Memory, Pairs};
use guesswork_plugin::{CallMode, Flag, Info, Kind, Model, Param, Plan, Result, Role, Service, Step, Strategy};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Parameters of the strategy.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Params {
    /// Leading singular directions that are kept; 0 for all, of the weight alone.
    pub k: usize,
    /// Rounds of subspace iteration, or Newton–Schulz iterations.
    pub iterations: usize,
}

/// The strategy; see the module.
#[derive(Debug)]
pub struct OrthogonalTranspose {
    params: Params,
    memory: Memory,
}

impl Strategy for OrthogonalTranspose {
    type Params = Params;

    const INFO: Info = Info::new("orthogonal-transpose", Kind::Signal)
        .name("Orthogonal transpose")
        .version(env!("CARGO_PKG_VERSION"))
        .description("Weight transpose with the largest singular values made equal and the others cut off.")
        .formula("E_l = V_k U_kᵀ ε,  U Σ Vᵀ = W_{l+1} diag(M_l),  E_L = ε,  ε ~ N(0, I)")
        .citation("Wang, Markou, Campbell 2025, orthogonalised W^T")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::Weight, Role::Derivative])
        .services(&[Service::Ops, Service::Rng, Service::Scratch])
        .flags(&[Flag::Deterministic, Flag::Stateless, Flag::Linear])
        .cpu_only();

    const PARAMS: &'static [Param] = &[
        Param::int("k", 10).range(0, 256).doc(
            "Leading singular directions kept, example by example (dense chains); 0 for all, of the weight alone.",
        ),
        Param::int("iterations", 8)
            .range(1, 64)
            .doc("Rounds of subspace iteration; with k 0 iterations of Newton–Schulz."),
    ];

    fn create(params: Params) -> Result<Self> {
        Ok(Self { params, memory: Memory::default() })
    }

    fn prepare(&mut self, model: &Model, plan: &mut Plan) -> Result {
        if self.params.k > 0 {
            needs_chain(model, "set `k` to 0")?;
        }
        if !model.is_chain() {
            plan.call_mode = CallMode::Model;
        }
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        match self.params.k {
            0 => self.whole(step),
            k => self.leading(step, k),
        }
    }
}

impl OrthogonalTranspose {
    /// All directions of the weight.
    fn whole(&self, step: &mut Step<'_>) -> Result {
        let (mut noise, mut roots) = (Noise::default(), BTreeMap::new());
        step.each_guess(|step, site, guess| {
            noise.carry(step, [site, guess], |step, next, source| {
                if !has_spectrum(step.model(), next) {
                    return Ok(());
                }
                let (root, work) = match roots.get(&next) {
                    Some(&root) => root,
                    None => {
                        let root = inverse_root(step, next, 0.0, self.params.iterations)?;
                        *roots.entry(next).or_insert((root, step.scratch(source.rows(), source.columns())?))
                    }
                };
                let Some(root) = root else { return Ok(()) };
                step.copy(work, source)?;
                step.matmul(source, work, root)
            })
        })
    }

    /// The k leading directions of each example; the model is a chain.
    fn leading(&mut self, step: &mut Step<'_>, k: usize) -> Result {
        let Self { params, memory } = self;
        step.each_site(|step, site| {
            let Some(&next) = step.model().sites[site].following.first() else {
                return step
                    .guesses()
                    .try_for_each(|guess| step.normal(step.signal(site, guess)?, site, guess, 0, 1.0));
            };
            let pairs = Pairs::find(step, [site, next], k, params.iterations, memory)?;
            let noise = step.scratch(step.rows_at(next), step.model().sites[next].width)?;
            step.guesses().try_for_each(|guess| {
                step.normal(noise, site, guess, 0, 1.0)?;
                pairs.carry(step, noise, step.signal(site, guess)?)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guesswork_plugin::testing::{Activation, Grid, Host, Network};
    use guesswork_plugin::{DType, dense};

    fn started(network: Network, k: i64, iterations: i64, batch: usize) -> Host {
        let setup = Host::of::<OrthogonalTranspose>().network(network).batch(batch).guesses(2);
        let mut host = setup.param("k", k).param("iterations", iterations).start().unwrap();
        host.step().unwrap();
        host
    }

    /// U_k V_kᵀ of `a`: its k largest singular values made one.
    fn polar(a: &Grid, k: usize) -> Grid {
        let (mut gram, n, mut work) = (a.matmul(&a.t()).values().to_vec(), a.rows(), Vec::new());
        let mut values = gram.clone();
        dense::eigen(&mut values, n, &mut work);
        let mut squares: Vec<f64> = (0..n).map(|j| values[j * n + j]).collect();
        squares.sort_by(|x, y| y.total_cmp(x));
        let least = squares[k - 1] * (1.0 - 1e-9);
        dense::apply(&mut gram, n, &mut work, |x| if x >= least { x.sqrt().recip() } else { 0.0 });
        Grid::new(n, n, gram).matmul(a)
    }

    fn masked(host: &Host, site: usize, i: usize) -> Grid {
        let (w, mask) = (host.network().weight(site + 1), host.derivative(site));
        Grid::from_fn(w.rows(), w.columns(), |r, c| w[(r, c)] * mask[(i, c)])
    }

    fn row(grid: &Grid, i: usize) -> Grid {
        Grid::new(1, grid.columns(), grid.row(i).to_vec())
    }

    #[test]
    fn every_example_has_its_leading_directions_made_equal() {
        for k in [1, 2, 4] {
            let host = started(Network::mlp(&[6, 9, 4, 3], Activation::Tanh), k, 64, 5);
            assert_eq!(host.call_mode(), CallMode::Layer);
            for guess in 0..2 {
                let noise = host.normal(0, guess, 0, 5, 4);
                for i in 0..5 {
                    let expected = row(&noise, i).matmul(&polar(&masked(&host, 0, i), k as usize));
                    row(&host.signal(0, guess), i).assert_close(&expected, 1e-6);
                }
                host.signal(2, guess).assert_close(&host.normal(2, guess, 0, 5, 3), 0.0);
            }
        }
    }

    /// Whatever the number of rounds, E‖E_i‖² = k: noise of unit size in k orthonormal directions.
    #[test]
    fn the_guess_is_isotropic_in_k_directions() {
        let (k, batch, steps) = (3, 40, 50);
        let setup = Host::of::<OrthogonalTranspose>().network(Network::mlp(&[6, 20, 12, 3], Activation::Tanh));
        let mut host = setup.batch(batch).param("k", k as i64).param("iterations", 1).start().unwrap();
        let (mut sum, mut square) = (0.0, 0.0);
        for _ in 0..steps {
            host.step().unwrap();
            for i in 0..batch {
                let signal = host.signal(0, 0);
                let length = dense::dot(signal.row(i), signal.row(i));
                sum += length;
                square += length * length;
            }
        }
        // χ² with k degrees: mean k, mean of the square k(k + 2); five standard errors.
        let (m, k) = ((batch * steps) as f64, k as f64);
        assert!((sum / m - k).abs() < 5.0 * (2.0 * k / m).sqrt(), "{}", sum / m);
        let fourth = k * (k + 2.0) * (k + 4.0) * (k + 6.0) - (k * (k + 2.0)).powi(2);
        assert!((square / m - k * (k + 2.0)).abs() < 5.0 * (fourth / m).sqrt(), "{}", square / m);
    }

    #[test]
    fn k_0_orthogonalises_the_weight_itself() {
        for network in [
            Network::mlp(&[6, 5, 4, 3], Activation::Relu),
            Network::residual(4, 6, 3, 3, Activation::Tanh),
            Network::tokens(3, &[4, 6, 5, 2], Activation::Tanh),
        ] {
            let host = started(network, 0, 40, 5);
            for site in 0..host.network().sites() - 1 {
                let mut sum = host.derivative(site).map(|_| 0.0);
                let following = host.network().following(site);
                let shaped: Vec<Grid> = following
                    .iter()
                    .enumerate()
                    .map(|(draw, &next)| {
                        let (w, shape) = (host.network().weight(next), host.pre_activation(next));
                        let (n, mut gram) = (w.rows(), w.matmul(&w.t()).values().to_vec());
                        dense::apply(&mut gram, n, &mut Vec::new(), |x| x.sqrt().recip());
                        host.normal(site, 0, draw, shape.rows(), shape.columns()).matmul(&Grid::new(n, n, gram))
                    })
                    .collect();
                sum = sum.plus(&host.network().pull_back(site, 5, &shaped, host.derivative(site)));
                host.signal(site, 0).assert_close(&sum, 1e-8);
            }
        }
    }

    #[test]
    fn a_few_newton_schulz_iterations_are_the_iterated_polynomial() {
        let host = started(Network::mlp(&[6, 5, 4, 3], Activation::Identity), 0, 3, 5);
        let w = host.network().weight(1);
        let gram = w.matmul(&w.t());
        let size = dense::dot(gram.values(), gram.values()).sqrt();
        let (n, mut values) = (w.rows(), gram.values().to_vec());
        // s ↦ p(p(p(s/√size))), as a factor of s.
        let p = |x: f64| x * (3.0 - x * x) / 2.0;
        dense::apply(&mut values, n, &mut Vec::new(), |x| p(p(p((x / size).sqrt()))) / x.sqrt());
        let expected = host.normal(0, 0, 0, 5, n).matmul(&Grid::new(n, n, values)).matmul(w);
        host.signal(0, 0).assert_close(&expected, 1e-12);
    }

    #[test]
    fn a_model_that_is_no_chain_is_refused_with_the_way_out() {
        let network = Network::residual(4, 6, 3, 3, Activation::Tanh);
        let refused = Host::of::<OrthogonalTranspose>().network(network).start().unwrap_err();
        assert!(refused.text().contains("set `k` to 0"), "{refused}");
    }

    #[test]
    fn dead_examples_and_single_precision_are_no_trouble() {
        for k in [0, 3] {
            let network = Network::mlp(&[2, 3, 4, 3], Activation::Relu);
            let setup = Host::of::<OrthogonalTranspose>().network(network).dtype(DType::F32).batch(16);
            let mut host = setup.param("k", k).start().unwrap();
            host.step().unwrap();
        }
    }
}
