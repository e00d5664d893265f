//! Jacobian transpose, Jᵀ: one ε ~ N(0, I) at the logits, carried down through every layer,
//! E_l = (E_{l+1} W_{l+1}) ⊙ M_l, E_L = ε.
//!
//! The limit of the weight transpose: the guess of layer l is drawn from exactly the space of C dimensions an example
//! that its true signal lies in. The layers share the draw.
//!
//! Sites are written from the last to the first, each from the outputs of those that follow it, so nothing else is
//! stored.
//!
//! `debias` ρ > 0 divides its bias out at scope `example-layer`, where E\[ĝ_l\] is the true gradient of signals times J_iᵀJ_i,
//! J_i the C × n_l Jacobian of example i's logits: E_{l,i} = ε_i L_i⁻¹ J_i with L_i L_iᵀ = J_i J_iᵀ + ρI has covariance Σ(Σ + ρI)^{−1},
//! Σ = J_iᵀJ_i, and true signals lie in its span, so that E\[ĝ_l\] → g_l as ρ → 0. The ways down of all classes are in `descent.rs`.
//!
//! Source: the same family as Singhal et al., *How to Guess a Gradient*, 2023, arXiv 2312.04709.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | ε | normal | L − 1, k, 0 | B × C |

use crate::descent::Descent;
use guesswork_plugin::{
    CallMode, Debias, Error, Flag, Info, Kind, Model, Param, Plan, Result, Role, Service, Step, Strategy,
};
use serde::Deserialize;

/// Parameters of the strategy.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Params {
    /// Ridge ρ of the debiasing; 0 for none.
    pub debias: f64,
}

/// The strategy; see the module.
#[derive(Debug)]
pub struct JacobianTranspose {
    debias: Option<Descent>,
}

impl Strategy for JacobianTranspose {
    type Params = Params;

    const INFO: Info = Info::new("jacobian-transpose", Kind::Signal)
        .name("Jacobian transpose")
        .version(env!("CARGO_PKG_VERSION"))
        .description("One draw at the logits, carried down through all weights and masks to every layer.")
        .formula(
            "E_L = ε ~ N(0, I),  E_l = (E_{l+1} W_{l+1}) ⊙ M_l;  \
             debias ρ: E_l = ε L⁻¹ J_l,  L Lᵀ = J_l J_lᵀ + ρI,  J_l = W_L ⋯ W_{l+1} diag(M_l)",
        )
        .citation("The family of Singhal et al., How to Guess a Gradient, 2023, arXiv 2312.04709")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::Weight])
        .services(&[Service::Ops, Service::Rng, Service::Scratch])
        .flags(&[Flag::Deterministic, Flag::Stateless, Flag::Linear]);

    const PARAMS: &'static [Param] = &[Param::float("debias", 0.0)
        .bounds(0.0, 1e9)
        .doc("Ridge ρ > 0 of the debiasing at scope example-layer, which takes one way down a class; 0 for none.")];

    fn create(params: Params) -> Result<Self> {
        Ok(Self { debias: Debias::new(params.debias).map(Descent::new) })
    }

    fn prepare(&mut self, model: &Model, plan: &mut Plan) -> Result {
        plan.call_mode = CallMode::Model;
        plan.independent = self.debias.is_none();
        if self.debias.is_none() {
            return Ok(());
        }
        Debias::check(model, |_| model.classes)?;
        if model.outputs() > 1 {
            return Err(Error::unsupported(
                "`debias` divides out the Jacobian of one output, and this model is trained at several: set it to 0",
            ));
        }
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        if let Some(debias) = &mut self.debias {
            return debias.propose(step);
        }
        for guess in step.guesses() {
            for site in step.sites().rev() {
                let signal = step.signal(site, guess)?;
                let following = &step.model().sites[site].following;
                if following.is_empty() {
                    step.normal(signal, site, guess, 0, 1.0)?;
                } else {
                    let above = following.iter().map(|&next| step.signal(next, guess)).collect::<Result<Vec<_>>>()?;
                    step.pull_back(site, &above, signal)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::debias::tests::divided;
    use guesswork_plugin::testing::{Activation, Grid, Host, Network};

    fn check(network: Network) {
        let mut host = Host::of::<JacobianTranspose>().network(network).batch(5).guesses(2).start().unwrap();
        host.step().unwrap();
        let last = host.network().sites() - 1;
        for guess in 0..2 {
            let mut signals = vec![host.normal(last, guess, 0, 5, host.logits().columns()); last + 1];
            for site in (0..last).rev() {
                let above: Vec<Grid> =
                    host.network().following(site).into_iter().map(|next| signals[next].clone()).collect();
                signals[site] = host.network().pull_back(site, 5, &above, host.derivative(site));
            }
            for (site, expected) in signals.iter().enumerate() {
                host.signal(site, guess).assert_close(expected, 1e-13);
            }
        }
    }

    #[test]
    fn one_draw_reaches_every_layer() {
        check(Network::mlp(&[6, 5, 4, 3], Activation::Tanh));
        check(Network::residual(4, 6, 3, 3, Activation::Relu));
        check(Network::tokens(3, &[4, 5, 6, 2], Activation::Tanh));
    }

    #[test]
    fn debiased_it_is_the_jacobian_divided_by_its_root() {
        for network in [
            Network::mlp(&[6, 5, 4, 3], Activation::Tanh),
            Network::residual(4, 6, 3, 3, Activation::Relu),
            Network::tokens(3, &[4, 5, 6, 2], Activation::Tanh),
        ] {
            let ridge = 0.2;
            let setup = Host::of::<JacobianTranspose>().network(network).batch(5).guesses(2);
            let mut host = setup.param("debias", ridge).start().unwrap();
            host.step().unwrap();
            let (last, classes) = (host.network().sites() - 1, host.logits().columns());
            // The rows of the Jacobian: every class carried down from the logits.
            let mut carried = vec![Vec::new(); last + 1];
            for class in 0..classes {
                let top = Grid::from_fn(5, classes, |_, j| f64::from(j == class));
                let mut signals = vec![top; last + 1];
                for site in (0..last).rev() {
                    let above: Vec<Grid> =
                        host.network().following(site).into_iter().map(|next| signals[next].clone()).collect();
                    signals[site] = host.network().pull_back(site, 5, &above, host.derivative(site));
                }
                carried.iter_mut().zip(signals).for_each(|(rows, signal)| rows.push(signal));
            }
            for guess in 0..2 {
                let noise = host.normal(last, guess, 0, 5, classes);
                host.signal(last, guess).assert_close(&noise, 0.0);
                for (site, rows) in carried.iter().enumerate().take(last) {
                    let (found, shape) = (host.signal(site, guess), host.derivative(site));
                    let width = shape.rows() * shape.columns() / 5;
                    let found = found.reshape(5, width);
                    for i in 0..5 {
                        let j = Grid::from_fn(classes, width, |c, k| rows[c].reshape(5, width)[(i, k)]);
                        let expected = divided(noise.row(i), &j, ridge).matmul(&j);
                        Grid::new(1, width, found.row(i).to_vec()).assert_close(&expected, 1e-12);
                    }
                }
            }
        }
    }

    #[test]
    fn on_a_chain_it_is_the_formula() {
        let network = Network::mlp(&[6, 5, 4, 3], Activation::Tanh);
        let mut host = Host::of::<JacobianTranspose>().network(network).start().unwrap();
        host.step().unwrap();
        let (weight, mask) = (|site| host.network().weight(site), |site| host.derivative(site));
        let first = host.normal(2, 0, 0, 4, 3).matmul(weight(2)).hadamard(mask(1));
        host.signal(0, 0).assert_close(&first.matmul(weight(1)).hadamard(mask(0)), 1e-14);
    }
}
