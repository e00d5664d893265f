//! Downstream: E_l = ((ε ⊙ M_{l+1}) W_{l+1}) ⊙ M_l, ε ~ N(0, I) fresh for each l; E_L ~ N(0, I).
//!
//! The weight transpose with the mask of the layer above as well: noise enters only at units of that layer that are
//! active for the example, as the true signal does.
//!
//! Where several sites follow a site, each has its own ε and mask.
//!
//! Source: a re-implementation of Singhal et al., *How to Guess a Gradient*, 2023, arXiv 2312.04709.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | ε for layer l < L | normal | l − 1, k, place f of the site in `following` (0 in a chain) | (B·P_f) × n_f |
//! | E_L | normal | L − 1, k, 0 | B × C |

use guesswork_plugin::{CallMode, Error, Flag, Info, Kind, Matrix, Model, Plan, Result, Role, Service, Step, Strategy};
use std::collections::BTreeMap;

/// The strategy; see the module.
#[derive(Debug)]
pub struct Downstream;

impl Strategy for Downstream {
    type Params = ();

    const INFO: Info = Info::new("downstream", Kind::Signal)
        .name("Downstream")
        .version(env!("CARGO_PKG_VERSION"))
        .description("Weight transpose whose noise also passes the mask of the layer above.")
        .formula("E_l = ((ε ⊙ M_{l+1}) W_{l+1}) ⊙ M_l,  E_L = ε,  ε ~ N(0, I)")
        .citation("A re-implementation of Singhal et al., How to Guess a Gradient, 2023, arXiv 2312.04709")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::Weight, Role::Derivative])
        .services(&[Service::Ops, Service::Rng, Service::Scratch])
        .flags(&[Flag::Deterministic, Flag::Stateless, Flag::Linear]);

    fn create((): ()) -> Result<Self> {
        Ok(Self)
    }

    fn prepare(&mut self, _: &Model, plan: &mut Plan) -> Result {
        plan.call_mode = CallMode::Model;
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        let model = step.model();
        let mut buffers: BTreeMap<usize, Matrix<'_>> = BTreeMap::new();
        step.each_guess(|step, site, guess| {
            let signal = step.signal(site, guess)?;
            let following = &model.sites[site].following;
            if following.is_empty() {
                return step.normal(signal, site, guess, 0, 1.0);
            }
            let mut sources = Vec::with_capacity(following.len());
            for (draw, &next) in following.iter().enumerate() {
                let above = model.sites.get(next).ok_or_else(|| Error::invalid("a site follows that is not there"))?;
                let source = match buffers.get(&next) {
                    Some(&buffer) => buffer,
                    None => step.scratch(step.rows_at(next), above.width)?,
                };
                buffers.insert(next, source);
                step.normal(source, site, guess, draw, 1.0)?;
                if above.activated {
                    step.hadamard(source, step.input(Role::Derivative, next)?)?;
                }
                sources.push(source);
            }
            step.pull_back(site, &sources, signal)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guesswork_plugin::testing::{Activation, Host, Network};

    fn check(network: Network) {
        let mut host = Host::of::<Downstream>().network(network).batch(5).guesses(2).start().unwrap();
        host.step().unwrap();
        let last = host.network().sites() - 1;
        for guess in 0..2 {
            for site in 0..last {
                let following = host.network().following(site);
                let signals: Vec<_> = following
                    .into_iter()
                    .enumerate()
                    .map(|(draw, next)| {
                        let mask = host.derivative(next);
                        host.normal(site, guess, draw, mask.rows(), mask.columns()).hadamard(mask)
                    })
                    .collect();
                let expected = host.network().pull_back(site, 5, &signals, host.derivative(site));
                host.signal(site, guess).assert_close(&expected, 1e-14);
            }
            let logits = host.logits();
            host.signal(last, guess).assert_close(&host.normal(last, guess, 0, 5, logits.columns()), 0.0);
        }
    }

    #[test]
    fn the_mask_above_is_passed_first() {
        check(Network::mlp(&[6, 5, 4, 3], Activation::Tanh));
        check(Network::residual(4, 6, 3, 3, Activation::Relu));
        check(Network::tokens(3, &[4, 5, 6, 2], Activation::Tanh));
    }

    #[test]
    fn on_a_chain_it_is_the_formula() {
        let network = Network::mlp(&[6, 5, 4, 3], Activation::Tanh);
        let mut host = Host::of::<Downstream>().network(network).start().unwrap();
        host.step().unwrap();
        let noise = host.normal(0, 0, 0, 4, 4).hadamard(host.derivative(1));
        let expected = noise.matmul(host.network().weight(1)).hadamard(host.derivative(0));
        host.signal(0, 0).assert_close(&expected, 1e-14);
    }
}
