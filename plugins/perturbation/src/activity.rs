//! Activity perturbation: E_l = ε ⊙ mask, ε ~ N(0, I).
//!
//! Noise at the pre-activations: n_l numbers an example in place of n_l·n_{l-1} a layer. At scopes `example` and
//! `example-layer` the estimate is unbiased without a mask, and with any mask of zeros and ones.
//!
//! Source: Ren, Kornblith, Liao, Hinton, *Scaling Forward Gradient With Local Losses*, 2023, arXiv 2210.03310; the
//! baseline of Singhal et al., *How to Guess a Gradient*, 2023, arXiv 2312.04709.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | ε at layer l | normal | l − 1, k, 0 | (B·P_l) × n_l |

use guesswork_plugin::{Flag, Info, Kind, Model, Param, Plan, Result, Role, Service, Step, Strategy};
use serde::Deserialize;

/// What the noise is multiplied by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mask {
    /// Nothing.
    None,
    /// The activation derivative M_l.
    Derivative,
    /// 1 where M_l ≠ 0, else 0.
    Active,
}

/// Parameters of the strategy.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Params {
    /// What the noise is multiplied by.
    pub mask: Mask,
}

/// The strategy; see the module.
#[derive(Debug)]
pub struct ActivityPerturbation {
    mask: Mask,
}

impl Strategy for ActivityPerturbation {
    type Params = Params;

    const INFO: Info = Info::new("activity-perturbation", Kind::Signal)
        .name("Activity perturbation")
        .version(env!("CARGO_PKG_VERSION"))
        .description("Independent noise at every pre-activation, where the activation lets it through.")
        .formula("E_l = ε ⊙ M_l,  ε ~ N(0, I)")
        .citation("Ren et al. 2023, arXiv 2210.03310; Singhal et al. 2023, arXiv 2312.04709")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::Derivative])
        .services(&[Service::Ops, Service::Rng])
        .flags(&[Flag::Deterministic, Flag::Stateless, Flag::Linear]);

    const PARAMS: &'static [Param] = &[Param::choice("mask", &["none", "derivative", "active"], "derivative")
        .doc("What the noise is multiplied by: nothing, the activation derivative M, or 1 where M is not 0.")];

    fn create(params: Params) -> Result<Self> {
        Ok(Self { mask: params.mask })
    }

    fn prepare(&mut self, _: &Model, plan: &mut Plan) -> Result {
        plan.independent = true;
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        let mask = self.mask;
        step.each_guess(|step, site, guess| {
            let signal = step.signal(site, guess)?;
            step.normal(signal, site, guess, 0, 1.0)?;
            match mask {
                Mask::None => Ok(()),
                Mask::Derivative => step.hadamard(signal, step.input(Role::Derivative, site)?),
                Mask::Active => step.keep_nonzero(signal, step.input(Role::Derivative, site)?),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guesswork_plugin::testing::{Activation, Host, Network};
    use guesswork_plugin::{CallMode, DType};

    fn check(network: Network, mask: &str, dtype: DType, tolerance: f64, factor: impl Fn(f64) -> f64) {
        let setup = Host::of::<ActivityPerturbation>().network(network).batch(5).guesses(2).dtype(dtype);
        let mut host = setup.param("mask", mask).start().unwrap();
        assert_eq!(host.call_mode(), CallMode::Layer);
        for _ in 0..2 {
            host.step().unwrap();
            for site in 0..host.network().sites() {
                let mask = host.derivative(site).map(&factor);
                for guess in 0..2 {
                    let noise = host.normal(site, guess, 0, mask.rows(), mask.columns());
                    host.signal(site, guess).assert_close(&noise.hadamard(&mask), tolerance);
                }
            }
        }
    }

    #[test]
    fn noise_passes_the_mask() {
        let networks = || {
            [
                Network::mlp(&[6, 5, 4, 3], Activation::Tanh),
                Network::residual(4, 6, 3, 3, Activation::Relu),
                Network::tokens(3, &[4, 5, 6, 2], Activation::Tanh),
            ]
        };
        for network in networks() {
            check(network.clone(), "none", DType::F64, 1e-15, |_| 1.0);
            check(network.clone(), "derivative", DType::F64, 1e-15, |m| m);
            check(network, "active", DType::F64, 1e-15, |m| f64::from(m != 0.0));
        }
        check(Network::mlp(&[6, 5, 4, 3], Activation::Tanh), "derivative", DType::F32, 1e-6, |m| m);
    }

    #[test]
    fn an_unknown_mask_is_refused() {
        let refused = Host::of::<ActivityPerturbation>().param("mask", "some").start().unwrap_err();
        assert!(refused.text().contains("`mask`"), "{refused}");
    }
}
