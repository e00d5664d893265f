//! Likelihood ratio, or node perturbation: E_l = ε, ε ~ N(0, I), unmasked; at scope `example`
//! ĝ_l = Σ_i [L_i(S + σε) − L_i(S − σε)]/(2σ) ε_{l,i} x_{l-1,i}ᵀ.
//!
//! The pre-activations of all layers are disturbed by noise of deviation σ, and each example's difference of losses weighs its own
//! noise: the score function estimator of the smoothed loss E_ε L(S + σε), with the mirrored draw as its baseline. It needs no
//! derivative of anything, so that activations may have none. At scope `example-layer` each layer is disturbed alone.
//!
//! σ is 0.001 unless the lane says `source: central(σ)`; with `source: tangent` it is activity perturbation without a mask, the
//! limit σ → 0.
//!
//! Source: Williams 1992; for networks Werfel, Xie, Seung 2005; Jiang et al. 2023, arXiv 2305.08960.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | ε at layer l | normal | l − 1, k, 0 | (B·P_l) × n_l |

use guesswork_plugin::{Flag, Info, Kind, Result, Service, Step, Strategy};

/// The strategy; see the module.
#[derive(Debug)]
pub struct LikelihoodRatio;

impl Strategy for LikelihoodRatio {
    type Params = ();

    const INFO: Info = Info::new("likelihood-ratio", Kind::Signal)
        .name("Likelihood ratio")
        .version(env!("CARGO_PKG_VERSION"))
        .description("Node perturbation: noise at every unit. Two losses an example tell the scalars.")
        .formula("E_l = ε ~ N(0, I),  ĝ_l = Σ_i [L_i(S + σε) − L_i(S − σε)]/(2σ) ε_{l,i} x_{l−1,i}ᵀ")
        .citation("Williams 1992; Werfel, Xie, Seung 2005; Jiang et al. 2023, arXiv 2305.08960")
        .licence(env!("CARGO_PKG_LICENSE"))
        .services(&[Service::Rng])
        .flags(&[Flag::Deterministic, Flag::Stateless, Flag::Linear, Flag::Differences]);

    fn create((): ()) -> Result<Self> {
        Ok(Self)
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        step.each_guess(|step, site, guess| step.normal(step.signal(site, guess)?, site, guess, 0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guesswork_plugin::CallMode;
    use guesswork_plugin::testing::{Activation, Host, Network};

    #[test]
    fn the_guess_is_noise_without_a_mask() {
        let network = Network::tokens(3, &[4, 5, 6, 2], Activation::Relu);
        let mut host = Host::of::<LikelihoodRatio>().network(network).guesses(2).start().unwrap();
        assert_eq!(host.call_mode(), CallMode::Layer);
        host.step().unwrap();
        for site in 0..3 {
            let shape = host.pre_activation(site);
            for guess in 0..2 {
                let noise = host.normal(site, guess, 0, shape.rows(), shape.columns());
                host.signal(site, guess).assert_close(&noise, 0.0);
            }
        }
    }
}
