//! SPSA, simultaneous perturbation: V_l = ±1 with equal chance; two forward passes give
//! ĝ = [L(θ + hV) − L(θ − hV)]/(2h) · V.
//!
//! Every element of V is ±1, so that dividing by it, as SPSA is written, is multiplying by it. The estimate is unbiased up to
//! O(h²), and with the exact scalar E‖ĝ‖² = n‖g‖² against (n + 2)‖g‖² of normal directions: ‖V‖² = n always.
//!
//! h is 0.001 unless the lane says `source: central(h)`; with `source: tangent` the scalar is exact, the limit h → 0.
//!
//! Source: Spall, *Multivariate stochastic approximation using a simultaneous perturbation gradient approximation*, 1992.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | weight part | Rademacher | l − 1, k, 0 | as W_l |
//! | bias part | Rademacher | l − 1, k, 1 | 1 × n_l |

use guesswork_plugin::{Flag, Info, Kind, Result, Service, Step, Strategy};

/// The strategy; see the module.
#[derive(Debug)]
pub struct Spsa;

impl Strategy for Spsa {
    type Params = ();

    const INFO: Info = Info::new("spsa", Kind::Weight)
        .name("SPSA")
        .version(env!("CARGO_PKG_VERSION"))
        .description("All weights moved by ±1 at once. Two losses tell the scalar.")
        .formula("V_l = ±1,  ĝ = [L(θ + hV) − L(θ − hV)]/(2h) · V")
        .citation("Spall 1992, IEEE Transactions on Automatic Control 37:332")
        .licence(env!("CARGO_PKG_LICENSE"))
        .services(&[Service::Ops, Service::Rng])
        .flags(&[Flag::Deterministic, Flag::Stateless, Flag::Differences]);

    fn create((): ()) -> Result<Self> {
        Ok(Self)
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        step.each_guess(|step, site, guess| {
            step.rademacher(step.weight_out(site, guess)?, site, guess, 0, 1.0)?;
            match step.model().sites[site].has_bias {
                true => step.rademacher(step.bias_out(site, guess)?, site, guess, 1, 1.0),
                false => Ok(()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guesswork_plugin::abi::GW_DRAW_RADEMACHER;
    use guesswork_plugin::testing::{Activation, Host, Network};

    #[test]
    fn every_element_is_a_sign() {
        let network = Network::mlp(&[6, 5, 4], Activation::Relu);
        let mut host = Host::of::<Spsa>().network(network).guesses(2).start().unwrap();
        host.step().unwrap();
        for (site, guess) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let (weight, bias) = host.direction(site, guess);
            assert!(weight.values().iter().chain(bias.values()).all(|value| value.abs() == 1.0));
            let (rows, columns) = (weight.rows(), weight.columns());
            weight.assert_close(&host.draw(GW_DRAW_RADEMACHER, [site, guess, 0], rows, columns), 0.0);
            bias.assert_close(&host.draw(GW_DRAW_RADEMACHER, [site, guess, 1], 1, rows), 0.0);
        }
        assert_ne!(host.direction(0, 0), host.direction(0, 1));
    }
}
