//! Momentum: V = β √N m + √(1 − β²) ε, m = ĝ_{t−1}/‖ĝ_{t−1}‖ the direction of the last estimate over all layers, ε ~ N(0, I), N the
//! number of parameters; V = ε at the first step and after an estimate of zero.
//!
//! Both parts have the same mean square, so E‖V‖² = N as for weight perturbation. With the exact scalar the host weighs them by
//! what they are worth: at scopes `batch` and `layer` E\[ĝ\] = C g with C = β² N m mᵀ + (1 − β²) I, so that what the last estimate
//! got right is found again without noise.
//!
//! Source: after Bacho and Chu, *Low-Variance Forward Gradients using Direct Feedback Alignment and Momentum*, 2022,
//! arXiv 2212.07282.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | weight part of ε | normal | l − 1, k, 0 | as W_l |
//! | bias part of ε | normal | l − 1, k, 1 | 1 × n_l |

use guesswork_plugin::{CallMode, Flag, Info, Kind, Model, Param, Part, Plan, Result, Role, Service, Step, Strategy};
use serde::Deserialize;

/// Parameters of the strategy.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Params {
    /// Weight β of the last estimate.
    pub beta: f64,
}

/// The strategy; see the module.
#[derive(Debug)]
pub struct Momentum {
    beta: f64,
    /// √N.
    size: f64,
}

impl Strategy for Momentum {
    type Params = Params;

    const INFO: Info = Info::new("momentum", Kind::Weight)
        .name("Momentum")
        .version(env!("CARGO_PKG_VERSION"))
        .description("A fresh direction in weight space mixed with that of the last estimate.")
        .formula("V = β √N ĝ_{t−1}/‖ĝ_{t−1}‖ + √(1 − β²) ε,  ε ~ N(0, I)")
        .citation("After Bacho and Chu 2022, arXiv 2212.07282")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::PreviousEstimate])
        .services(&[Service::Ops, Service::Rng])
        .flags(&[Flag::Deterministic, Flag::Stateless]);

    const PARAMS: &'static [Param] = &[Param::float("beta", 0.5)
        .bounds(0.0, 0.999)
        .doc("Weight β of the last estimate's direction; √(1 − β²) is that of noise.")];

    fn create(params: Params) -> Result<Self> {
        Ok(Self { beta: params.beta, size: 0.0 })
    }

    fn prepare(&mut self, model: &Model, plan: &mut Plan) -> Result {
        plan.call_mode = CallMode::Model;
        let count = model.sites.iter().map(|site| site.weight[0] * site.weight[1] + biases(site));
        self.size = (count.sum::<usize>() as f64).sqrt();
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        let mut squared = 0.0;
        for site in step.sites() {
            for part in parts(step.model(), site) {
                let last = step.input_part(Role::PreviousEstimate, site, *part)?;
                squared += step.dot(last, last)?;
            }
        }
        let kept = if squared > 0.0 { self.beta } else { 0.0 };
        let fresh = (1.0 - kept * kept).sqrt();
        step.each_guess(|step, site, guess| {
            for (draw, part) in parts(step.model(), site).iter().enumerate() {
                let v = match part {
                    Part::Weight => step.weight_out(site, guess)?,
                    Part::Bias => step.bias_out(site, guess)?,
                };
                step.normal(v, site, guess, draw, fresh)?;
                if kept > 0.0 {
                    let last = step.input_part(Role::PreviousEstimate, site, *part)?;
                    step.axpy(v, kept * self.size / squared.sqrt(), last)?;
                }
            }
            Ok(())
        })
    }
}

/// Numbers of the bias: the width, where there is one.
fn biases(site: &guesswork_plugin::Site) -> usize {
    if site.has_bias { site.width } else { 0 }
}

fn parts(model: &Model, site: usize) -> &'static [Part] {
    if model.sites[site].has_bias { &[Part::Weight, Part::Bias] } else { &[Part::Weight] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guesswork_plugin::testing::{Activation, Host, Network};

    /// The test host has no estimate before: zeros, as at the first step of a lane. With one it is tested in the engine.
    #[test]
    fn without_an_estimate_the_direction_is_noise() {
        let network = Network::mlp(&[6, 5, 4], Activation::Tanh);
        let mut host = Host::of::<Momentum>().network(network).guesses(2).param("beta", 0.9).start().unwrap();
        host.step().unwrap();
        for (site, guess) in [(0, 0), (1, 1)] {
            let (weight, bias) = host.direction(site, guess);
            weight.assert_close(&host.normal(site, guess, 0, weight.rows(), weight.columns()), 0.0);
            bias.assert_close(&host.normal(site, guess, 1, 1, weight.rows()), 0.0);
        }
    }
}
