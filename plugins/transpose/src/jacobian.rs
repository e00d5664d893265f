//! Jacobian transpose, Jᵀ: one ε ~ N(0, I) at the logits, carried down through every layer,
//! E_l = (E_{l+1} W_{l+1}) ⊙ M_l, E_L = ε.
//!
//! The limit of the weight transpose: the guess of layer l is drawn from exactly the space of C dimensions an example
//! that its true signal lies in. The layers share the draw.
//!
//! Sites are written from the last to the first, each from the outputs of those that follow it, so nothing else is
//! stored.
//!
//! Source: the same family as Singhal et al., *How to Guess a Gradient*, 2023, arXiv 2312.04709.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | ε | normal | L − 1, k, 0 | B × C |

use guesswork_plugin::{CallMode, Flag, Info, Kind, Model, Plan, Result, Role, Service, Step, Strategy};

/// The strategy; see the module.
#[derive(Debug)]
pub struct JacobianTranspose;

impl Strategy for JacobianTranspose {
    type Params = ();

    const INFO: Info = Info::new("jacobian-transpose", Kind::Signal)
        .name("Jacobian transpose")
        .version(env!("CARGO_PKG_VERSION"))
        .description("One draw at the logits, carried down through all weights and masks to every layer.")
        .formula("E_L = ε ~ N(0, I),  E_l = (E_{l+1} W_{l+1}) ⊙ M_l")
        .citation("The family of Singhal et al., How to Guess a Gradient, 2023, arXiv 2312.04709")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::Weight])
        .services(&[Service::Ops, Service::Rng])
        .flags(&[Flag::Deterministic, Flag::Stateless, Flag::Linear]);

    fn create((): ()) -> Result<Self> {
        Ok(Self)
    }

    fn prepare(&mut self, _: &Model, plan: &mut Plan) -> Result {
        plan.call_mode = CallMode::Model;
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
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
    fn on_a_chain_it_is_the_formula() {
        let network = Network::mlp(&[6, 5, 4, 3], Activation::Tanh);
        let mut host = Host::of::<JacobianTranspose>().network(network).start().unwrap();
        host.step().unwrap();
        let (weight, mask) = (|site| host.network().weight(site), |site| host.derivative(site));
        let first = host.normal(2, 0, 0, 4, 3).matmul(weight(2)).hadamard(mask(1));
        host.signal(0, 0).assert_close(&first.matmul(weight(1)).hadamard(mask(0)), 1e-14);
    }
}
