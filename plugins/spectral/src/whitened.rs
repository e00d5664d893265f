//! Whitened weight transpose: u = (DWᵀWD + σI)^{−1/2} D Wᵀ ε for each example, W = W_{l+1}, D = diag(M_l), ε ~ N(0, I) fresh
//! for each l; E_L ~ N(0, I).
//!
//! Its covariance is DWᵀ(WD²Wᵀ + σI)^{−1}WD, which tends to the projector on the masked rows of W as σ → 0. The true signal of
//! layer l lies there, so that at scope `example-layer` the estimate is the weight transpose debiased: E\[ĝ_l\] → g_l.
//!
//! `mask: inside` is the formula, example by example, for chains of dense layers: `iterations` rounds of Lanczos on the noise,
//! exact when they reach the rank. `mask: both` takes M_{l+1} in as well, diag(M_{l+1}) W in place of W: `downstream` debiased.
//! `mask: outside` whitens the weight alone, E_l = (ε (WWᵀ + σI)^{−1/2} W) ⊙ M_l, by as many
//! Newton–Schulz iterations, on any architecture; the scale of a norm and grouped layers are left as they are.
//!
//! Source: Wang, Markou, Campbell 2025, whitened Wᵀ.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | ε for layer l < L | normal | l − 1, k, place f of the site in `following` (0 in a chain) | (B·P_f) × n_f |
//! | E_L | normal | L − 1, k, 0 | B × C |

use crate::above::{Noise, has_spectrum, needs_chain};
use crate::inverse_root::inverse_root;
use crate::krylov::{Krylov, Space};
use guesswork_plugin::{CallMode, Flag, Info, Kind, Model, Param, Plan, Result, Role, Service, Step, Strategy};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Where the mask stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mask {
    /// In the matrix that is whitened, example by example.
    Inside,
    /// M_{l+1} in the matrix too.
    Both,
    /// After it: the weight alone is whitened.
    Outside,
}

/// Parameters of the strategy.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Params {
    /// Ridge σ.
    pub sigma: f64,
    /// Where the mask stands.
    pub mask: Mask,
    /// Rounds of Lanczos, or Newton–Schulz iterations.
    pub iterations: usize,
}

/// The strategy; see the module.
#[derive(Debug)]
pub struct Whitened {
    params: Params,
    krylov: Krylov,
}

impl Strategy for Whitened {
    type Params = Params;

    const INFO: Info = Info::new("whitened", Kind::Signal)
        .name("Whitened weight transpose")
        .version(env!("CARGO_PKG_VERSION"))
        .description("Weight transpose with equal weight on all directions it can reach: its bias divided out.")
        .formula("E_l = (D WᵀW D + σI)^{−1/2} D Wᵀ ε,  W = W_{l+1},  D = diag(M_l),  E_L = ε,  ε ~ N(0, I)")
        .citation("Wang, Markou, Campbell 2025, whitened W^T")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::Weight, Role::Derivative])
        .services(&[Service::Ops, Service::Rng, Service::Scratch])
        .flags(&[Flag::Deterministic, Flag::Stateless])
        .cpu_only();

    const PARAMS: &'static [Param] = &[
        Param::float("sigma", 0.1).bounds(1e-9, 1e9).doc("Ridge σ added to the squared singular values."),
        Param::choice("mask", &["inside", "both", "outside"], "inside")
            .doc("Whether M_l is in the matrix that is whitened, example by example (dense chains), M_{l+1} too, or M_l after it."),
        Param::int("iterations", 16)
            .range(1, 64)
            .doc("Rounds of Lanczos with the mask inside, Newton–Schulz iterations with it outside."),
    ];

    fn create(params: Params) -> Result<Self> {
        Ok(Self { params, krylov: Krylov::default() })
    }

    fn prepare(&mut self, model: &Model, plan: &mut Plan) -> Result {
        if self.params.mask != Mask::Outside {
            needs_chain(model, "set `mask` to outside")?;
        }
        if !model.is_chain() || self.params.mask == Mask::Both {
            plan.call_mode = CallMode::Model;
        }
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        let Params { sigma, mask, iterations } = self.params;
        let (mut noise, mut spaces, mut roots) = (Noise::default(), BTreeMap::new(), BTreeMap::new());
        step.each_guess(|step, site, guess| {
            noise.carry(step, [site, guess], |step, next, source| match mask {
                Mask::Inside | Mask::Both => {
                    let space = match spaces.get(&site) {
                        Some(space) => space,
                        None => spaces.entry(site).or_insert(Space::new(
                            step,
                            [site, next],
                            iterations,
                            mask == Mask::Both,
                        )?),
                    };
                    let root = |x: f64| (x.max(0.0) + sigma).sqrt().recip();
                    self.krylov.shape(step, [site, next], space, source, root)?;
                    space.pass(step, source)
                }
                Mask::Outside if has_spectrum(step.model(), next) => {
                    let (root, work) = match roots.get(&next) {
                        Some(&root) => root,
                        None => {
                            let root = inverse_root(step, next, sigma, iterations)?;
                            *roots.entry(next).or_insert((root, step.scratch(source.rows(), source.columns())?))
                        }
                    };
                    let Some(root) = root else { return Ok(()) };
                    step.copy(work, source)?;
                    step.matmul(source, work, root)
                }
                Mask::Outside => Ok(()),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guesswork_plugin::testing::{Activation, Grid, Host, Network};
    use guesswork_plugin::{DType, dense};

    const SIGMA: f64 = 0.3;

    fn started(network: Network, mask: &str, iterations: i64, sigma: f64) -> Host {
        let setup = Host::of::<Whitened>().network(network).batch(5).guesses(2).param("mask", mask);
        let mut host = setup.param("iterations", iterations).param("sigma", sigma).start().unwrap();
        host.step().unwrap();
        host
    }

    /// (a + σI)^{−1/2}.
    fn root(a: &Grid, sigma: f64) -> Grid {
        let mut values = a.values().to_vec();
        dense::apply(&mut values, a.rows(), &mut Vec::new(), |x| (x + sigma).sqrt().recip());
        Grid::new(a.rows(), a.rows(), values)
    }

    /// One example's W diag(M), and its guess in one row.
    fn masked(host: &Host, site: usize, i: usize) -> Grid {
        let (w, mask) = (host.network().weight(site + 1), host.derivative(site));
        Grid::from_fn(w.rows(), w.columns(), |r, c| w[(r, c)] * mask[(i, c)])
    }

    fn row(grid: &Grid, i: usize) -> Grid {
        Grid::new(1, grid.columns(), grid.row(i).to_vec())
    }

    #[test]
    fn with_the_mask_inside_every_example_is_the_formula() {
        for activation in [Activation::Tanh, Activation::Relu] {
            let host = started(Network::mlp(&[6, 5, 4, 3], activation), "inside", 64, SIGMA);
            assert_eq!(host.call_mode(), CallMode::Layer);
            for (site, guess) in [(0, 0), (0, 1), (1, 0)] {
                let noise = host.normal(site, guess, 0, 5, host.network().weight(site + 1).rows());
                for i in 0..5 {
                    // The formula as it stands: a function of DWᵀWD on the side of layer l.
                    let a = masked(&host, site, i);
                    let expected = row(&noise, i).matmul(&a).matmul(&root(&a.t().matmul(&a), SIGMA));
                    row(&host.signal(site, guess), i).assert_close(&expected, 1e-10);
                }
            }
            host.signal(2, 1).assert_close(&host.normal(2, 1, 0, 5, 3), 0.0);
        }
    }

    #[test]
    fn with_both_masks_inside_the_mask_above_is_part_of_the_weight() {
        let host = started(Network::mlp(&[6, 5, 4, 3], Activation::Relu), "both", 64, SIGMA);
        assert_eq!(host.call_mode(), CallMode::Model);
        for site in 0..2 {
            let above = host.derivative(site + 1);
            let noise = host.normal(site, 0, 0, 5, above.columns());
            for i in 0..5 {
                let a = masked(&host, site, i);
                let a = Grid::from_fn(a.rows(), a.columns(), |r, c| above[(i, r)] * a[(r, c)]);
                let expected = row(&noise, i).matmul(&a).matmul(&root(&a.t().matmul(&a), SIGMA));
                row(&host.signal(site, 0), i).assert_close(&expected, 1e-10);
            }
        }
    }

    #[test]
    fn a_small_ridge_leaves_noise_of_equal_size_in_all_directions_that_are_reached() {
        let host = started(Network::mlp(&[6, 8, 4, 3], Activation::Relu), "inside", 64, 1e-9);
        let noise = host.normal(0, 0, 0, 5, 4);
        for i in 0..5 {
            let a = masked(&host, 0, i);
            let active = host.derivative(0).row(i).iter().filter(|&&m| m != 0.0).count();
            // With four rows above and at least four active units nothing of the noise is lost.
            if active >= 4 {
                let (found, drawn) = (host.signal(0, 0), row(&noise, i));
                let length = |grid: &Grid, i| dense::dot(grid.row(i), grid.row(i));
                assert!((length(&found, i) / length(&drawn, 0) - 1.0).abs() < 1e-4, "{active}");
            }
            assert_eq!(a.rows(), 4);
        }
    }

    #[test]
    fn with_the_mask_outside_the_weight_is_whitened_on_any_network() {
        for network in [
            Network::mlp(&[6, 5, 4, 3], Activation::Tanh),
            Network::residual(4, 6, 3, 3, Activation::Relu),
            Network::tokens(3, &[4, 5, 6, 2], Activation::Tanh),
        ] {
            let host = started(network, "outside", 40, SIGMA);
            for site in 0..host.network().sites() - 1 {
                let shaped = host.network().following(site).into_iter().enumerate().map(|(draw, next)| {
                    let (w, shape) = (host.network().weight(next), host.pre_activation(next));
                    let noise = host.normal(site, 1, draw, shape.rows(), shape.columns());
                    noise.matmul(&root(&w.matmul(&w.t()), SIGMA))
                });
                let expected = host.network().pull_back(site, 5, &shaped.collect::<Vec<_>>(), host.derivative(site));
                host.signal(site, 1).assert_close(&expected, 1e-11);
            }
        }
    }

    #[test]
    fn a_model_that_is_no_chain_is_refused_with_the_way_out() {
        let network = Network::tokens(3, &[4, 5, 6, 2], Activation::Tanh);
        let refused = Host::of::<Whitened>().network(network).start().unwrap_err();
        assert!(refused.text().contains("set `mask` to outside"), "{refused}");
    }

    #[test]
    fn it_runs_in_single_precision_and_on_one_example() {
        for (mask, batch) in [("inside", 1), ("inside", 7), ("outside", 1)] {
            let mut host =
                Host::of::<Whitened>().dtype(DType::F32).batch(batch).guesses(2).param("mask", mask).start().unwrap();
            host.step().unwrap();
        }
    }
}
