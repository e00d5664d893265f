//! Mixture: E_l = Σ_m w_m N(E_l^m), the weighted sum of guesses E^m, each normalised: N scales every row to length √n_l.
//!
//! | weight | guess E^m | at the logits |
//! |---|---|---|
//! | `noise` | ε ⊙ M_l | ε |
//! | `transpose` | (ε W_{l+1}) ⊙ M_l | ε |
//! | `downstream` | ((ε ⊙ M_{l+1}) W_{l+1}) ⊙ M_l | ε |
//! | `jacobian` | (E_{l+1} W_{l+1}) ⊙ M_l | ε |
//! | `mixing` | (A X_l) ⊙ M_l | ε |
//! | `label` | (E_{l+1} W_{l+1}) ⊙ M_l | softmax(S_L) − onehot(c), c ~ softmax(S_L) |
//!
//! The draws are independent, so that covariances add: that of the mixture is Σ_m w_m² that of its normalised parts, wherever all
//! but one have mean zero. Parts of weight zero are not made.
//!
//! | draw of part m = 0…5 (as above) | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | ε, A | normal | l − 1, k, 64 m + place f of the site in `following` (0 where there is one draw) | as of the strategy |
//! | classes c | categorical | L − 1, k, 320 | B × 1 |

use crate::parts::{Desk, Guess, normalise};
use guesswork_plugin::{CallMode, Error, Flag, Info, Kind, Model, Param, Plan, Result, Role, Service, Step, Strategy};
use serde::Deserialize;

/// Parameters of the strategy: the weights w_m.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Params {
    /// Of masked noise.
    pub noise: f64,
    /// Of the weight transpose.
    pub transpose: f64,
    /// Of the weight transpose that passes the mask above.
    pub downstream: f64,
    /// Of the Jacobian transpose.
    pub jacobian: f64,
    /// Of activation mixing.
    pub mixing: f64,
    /// Of the label guess.
    pub label: f64,
}

/// The strategy; see the module.
#[derive(Debug)]
pub struct Mixture {
    /// The parts with their weights; none is zero.
    parts: Vec<(Guess, f64)>,
    values: Vec<f64>,
}

const fn weight(key: &'static str, default: f64, doc: &'static str) -> Param {
    Param::float(key, default).bounds(-1e6, 1e6).doc(doc)
}

impl Strategy for Mixture {
    type Params = Params;

    const INFO: Info = Info::new("mixture", Kind::Signal)
        .name("Mixture")
        .version(env!("CARGO_PKG_VERSION"))
        .description("A weighted sum of guesses of the other families, each with its rows normalised.")
        .formula("E_l = Σ_m w_m N(E_l^m),  N: rows to length √n_l")
        .citation("The combination of the methods of Singhal et al. 2023, arXiv 2312.04709")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::Weight, Role::Derivative, Role::Activation, Role::Logits])
        .services(&[Service::Ops, Service::Rng, Service::Scratch])
        .flags(&[Flag::Deterministic, Flag::Stateless])
        .cpu_only();

    const PARAMS: &'static [Param] = &[
        weight("noise", 0.0, "Weight of masked noise."),
        weight("transpose", 1.0, "Weight of the weight transpose."),
        weight("downstream", 0.0, "Weight of the weight transpose that passes the mask above."),
        weight("jacobian", 0.0, "Weight of the Jacobian transpose."),
        weight("mixing", 1.0, "Weight of activation mixing."),
        weight("label", 0.0, "Weight of the label guess, of softmax classes and full depth."),
    ];

    fn create(params: Params) -> Result<Self> {
        let Params { noise, transpose, downstream, jacobian, mixing, label } = params;
        let weights = [noise, transpose, downstream, jacobian, mixing, label];
        let parts: Vec<_> = Guess::ALL.into_iter().zip(weights).filter(|(_, weight)| *weight != 0.0).collect();
        if parts.is_empty() {
            return Err(Error::invalid("all weights of the mixture are 0; set at least one, `transpose: 1.0`, say"));
        }
        Ok(Self { parts, values: Vec::new() })
    }

    fn prepare(&mut self, _: &Model, plan: &mut Plan) -> Result {
        plan.call_mode = CallMode::Model;
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        let mut desk = Desk::default();
        for guess in step.guesses() {
            // From the last site on: what comes down is made of what is above. A part is normalised in the sum only.
            for site in step.sites().rev() {
                let signal = step.signal(site, guess)?;
                let column = step.scratch(signal.rows(), 1)?;
                let term = step.scratch(signal.rows(), signal.columns())?;
                step.fill(signal, 0.0)?;
                for &(part, weight) in &self.parts {
                    let e = desk.guess(step, part, [site, guess])?;
                    step.copy(term, e)?;
                    normalise(step, term, column, &mut self.values)?;
                    step.axpy(signal, weight, term)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guesswork_plugin::testing::{Activation, Grid, Host, Network};
    use guesswork_plugin::{DType, dense};

    const BATCH: usize = 5;
    const WEIGHTS: [(&str, f64); 6] = [
        ("noise", 0.5),
        ("transpose", -1.5),
        ("downstream", 2.0),
        ("jacobian", 0.25),
        ("mixing", 3.0),
        ("label", 0.75),
    ];

    fn unit_rows(e: &Grid) -> Grid {
        Grid::from_fn(e.rows(), e.columns(), |i, j| {
            let size = dense::dot(e.row(i), e.row(i)).sqrt();
            if size > 0.0 { e[(i, j)] * (e.columns() as f64).sqrt() / size } else { 0.0 }
        })
    }

    /// The guesses of one part, site by site, from the interface's draws.
    fn part(host: &Host, m: usize, guess: usize) -> Vec<Grid> {
        let network = host.network();
        let last = network.sites() - 1;
        let like = |site: usize, number: usize, shape: &Grid| {
            host.normal(site, guess, 64 * m + number, shape.rows(), shape.columns())
        };
        let mut e = vec![like(last, 0, host.logits()); last + 1];
        if m == 5 {
            let p = host.logits().softmax();
            let classes = host.classes(last, guess, 64 * m, &p);
            e[last] = Grid::from_fn(p.rows(), p.columns(), |i, j| p[(i, j)] - f64::from(classes[i] == j));
        }
        for site in (0..last).rev() {
            let mask = host.derivative(site);
            let above = || network.following(site).into_iter().enumerate();
            let noise = |masked: bool| -> Vec<Grid> {
                above()
                    .map(|(way, next)| {
                        let noise = like(site, way, host.pre_activation(next));
                        if masked { noise.hadamard(host.derivative(next)) } else { noise }
                    })
                    .collect()
            };
            e[site] = match m {
                0 => like(site, 0, mask).hadamard(mask),
                1 => network.pull_back(site, BATCH, &noise(false), mask),
                2 => network.pull_back(site, BATCH, &noise(true), mask),
                4 => {
                    let x = host.activation(site);
                    let a = host.normal(site, guess, 64 * m, BATCH, BATCH);
                    let width = x.rows() * x.columns() / BATCH;
                    a.matmul(&x.reshape(BATCH, width)).reshape(x.rows(), x.columns()).hadamard(mask)
                }
                _ => {
                    network.pull_back(site, BATCH, &above().map(|(_, next)| e[next].clone()).collect::<Vec<_>>(), mask)
                }
            };
        }
        e
    }

    fn check(network: Network, chosen: &[usize]) {
        let mut setup = Host::of::<Mixture>().network(network).batch(BATCH).guesses(2);
        for (m, (key, weight)) in WEIGHTS.into_iter().enumerate() {
            setup = setup.param(key, if chosen.contains(&m) { weight } else { 0.0 });
        }
        let mut host = setup.start().unwrap();
        host.step().unwrap();
        for guess in 0..2 {
            let parts: Vec<_> = chosen.iter().map(|&m| (WEIGHTS[m].1, part(&host, m, guess))).collect();
            for site in 0..host.network().sites() {
                let mut expected = host.derivative(site).map(|_| 0.0);
                for (weight, e) in &parts {
                    expected = expected.plus(&unit_rows(&e[site]).map(|value| weight * value));
                }
                host.signal(site, guess).assert_close(&expected, 1e-12);
            }
        }
    }

    #[test]
    fn the_mixture_is_the_sum_of_its_normalised_parts() {
        for chosen in [&[0][..], &[1], &[2], &[3], &[4], &[5], &[0, 1, 2, 3, 4, 5]] {
            check(Network::mlp(&[6, 5, 4, 3], Activation::Tanh), chosen);
            check(Network::residual(4, 6, 3, 3, Activation::Relu), chosen);
            check(Network::tokens(3, &[4, 5, 6, 2], Activation::Tanh), chosen);
        }
    }

    #[test]
    fn a_mixture_of_nothing_is_refused() {
        let setup = Host::of::<Mixture>().param("transpose", 0.0).param("mixing", 0.0);
        let refused = setup.start().unwrap_err();
        assert!(refused.text().contains("all weights of the mixture are 0"), "{refused}");
    }

    #[test]
    fn it_runs_in_single_precision() {
        let mut setup = Host::of::<Mixture>().dtype(DType::F32).guesses(2);
        for (key, weight) in WEIGHTS {
            setup = setup.param(key, weight);
        }
        setup.start().unwrap().step().unwrap();
    }
}
