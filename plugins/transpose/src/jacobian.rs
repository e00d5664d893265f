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
