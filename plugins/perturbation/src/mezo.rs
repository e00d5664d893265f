//! MeZO, memory-efficient zeroth-order descent: V_l ~ N(0, I), given as a seed; two forward passes give
//! ĝ = [L(θ + hV) − L(θ − hV)]/(2h) · V.
//!
//! Nothing is kept but the seed: the host draws V_l from it when it moves the weights and again for the update. The estimate is
//! that of Gaussian smoothing, unbiased up to O(h²).
//!
//! h is 0.001 unless the lane says `source: central(h)`; with `source: tangent` it is weight perturbation, the limit h → 0.
//!
//! Source: Malladi et al., *Fine-Tuning Language Models with Just Forward Passes*, 2023, arXiv 2305.17333.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | seed of V_l | uniform, the two words as 64 bits | l − 1, k, 0 | 1 × 2 |

use guesswork_plugin::{Direction, Flag, Info, Kind, Model, Plan, Result, Service, Step, Strategy};

/// The strategy; see the module.
#[derive(Debug)]
pub struct Mezo;

impl Strategy for Mezo {
    type Params = ();

    const INFO: Info = Info::new("mezo", Kind::Weight)
        .name("MeZO")
        .version(env!("CARGO_PKG_VERSION"))
        .description("A Gaussian direction kept as its seed. Two losses tell the scalar.")
        .formula("V_l ~ N(0, I) from a seed,  ĝ = [L(θ + hV) − L(θ − hV)]/(2h) · V")
        .citation("Malladi et al. 2023, arXiv 2305.17333")
        .licence(env!("CARGO_PKG_LICENSE"))
        .services(&[Service::Rng])
        .flags(&[Flag::Deterministic, Flag::Stateless, Flag::Linear, Flag::Differences]);

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
    use guesswork_plugin::testing::Host;

    #[test]
    fn a_direction_is_its_seed_and_every_step_has_another() {
        let mut host = Host::of::<Mezo>().guesses(2).start().unwrap();
        host.step().unwrap();
        let first: Vec<_> = (0..6).map(|i| host.direction_seed(i / 2, i % 2).unwrap()).collect();
        host.step().unwrap();
        let second: Vec<_> = (0..6).map(|i| host.direction_seed(i / 2, i % 2).unwrap()).collect();
        let all: std::collections::BTreeSet<_> = first.iter().chain(&second).collect();
        assert_eq!(all.len(), 12);
    }
}
