//! Weight perturbation, or directional descent: V_l ~ N(0, I).
//!
//! The host draws V_l itself from a seed, so that a direction costs no memory and the update regenerates it. With the
//! exact scalar d = ⟨g, V⟩ of scope `batch` the estimate d·V is unbiased; its cosine with g is about √(2/(πn)).
//!
//! Sources: Polyak 1987; Spall 1987; Baydin, Pearlmutter, Syme, Wood, Torr, *Gradients without Backpropagation*, 2022,
//! arXiv 2202.08587.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | seed of V_l | uniform, the two words as 64 bits | l − 1, k, 0 | 1 × 2 |

use guesswork_plugin::{Direction, Flag, Info, Kind, Model, Plan, Result, Service, Step, Strategy};

/// The strategy; see the module.
#[derive(Debug)]
pub struct WeightPerturbation;

impl Strategy for WeightPerturbation {
    type Params = ();

    const INFO: Info = Info::new("weight-perturbation", Kind::Weight)
        .name("Weight perturbation")
        .version(env!("CARGO_PKG_VERSION"))
        .description("A direction drawn from N(0, I) in weight space (directional descent). Unbiased, and blind.")
        .formula("V_l ~ N(0, I)")
        .citation("Polyak 1987; Spall 1987; Baydin et al. 2022, arXiv 2202.08587")
        .licence(env!("CARGO_PKG_LICENSE"))
        .services(&[Service::Rng])
        .flags(&[Flag::Deterministic, Flag::Stateless, Flag::Linear]);

    fn create((): ()) -> Result<Self> {
        Ok(Self)
    }

    fn prepare(&mut self, _: &Model, plan: &mut Plan) -> Result {
        plan.direction = Direction::Seed;
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        step.each_guess(|step, site, guess| {
            let seed = step.random_bits(site, guess, 0)?;
            step.set_seed(site, guess, seed)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guesswork_plugin::CallMode;
    use guesswork_plugin::testing::{Activation, Host, Network};
    use std::collections::BTreeSet;

    #[test]
    fn seeds_are_keyed_by_step_site_and_guess() {
        let network = Network::mlp(&[4, 3, 3, 2], Activation::Relu);
        let run = || {
            let mut host = Host::of::<WeightPerturbation>().network(network.clone()).guesses(2).start().unwrap();
            assert_eq!(host.call_mode(), CallMode::Layer);
            let mut seeds = Vec::new();
            for _ in 0..3 {
                host.step().unwrap();
                seeds.extend((0..6).map(|i| host.direction_seed(i / 2, i % 2).unwrap()));
            }
            seeds
        };
        let seeds = run();
        assert_eq!(seeds.iter().collect::<BTreeSet<_>>().len(), 18, "all differ");
        assert!(seeds.iter().any(|seed| seed >> 32 != 0) && seeds.iter().any(|seed| *seed as u32 != 0));
        assert_eq!(seeds, run(), "and come again");
    }
}
