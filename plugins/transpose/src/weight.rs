//! Weight transpose, Wᵀ: E_l = (ε W_{l+1}) ⊙ M_l, with its own fresh ε ~ N(0, I) for each l; E_L ~ N(0, I).
//!
//! With `depth` k the noise starts k layers up (at the logits, where they are nearer) and passes the weights and the
//! mask of every layer on the way: (ε W_{l+2} ⊙ M_{l+1}) W_{l+1} ⊙ M_l for k = 2. The true signal of layer l lies in
//! the row space of W_{l+1} after the mask, and so does this guess.
//!
//! Where several sites follow a site, noise starts at each of them; a signal that is reached over several ways of the
//! same length is one signal.
//!
//! Source: Singhal et al., *How to Guess a Gradient*, 2023, arXiv 2312.04709.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | ε for layer l < L, depth 1 | normal | l − 1, k, place f of the site in `following` (0 in a chain) | (B·P_f) × n_f |
//! | ε for layer l < L, any depth | normal | l − 1, k, number of the start in depth-first order | as the site it starts at |
//! | E_L | normal | L − 1, k, 0 | B × C |

use guesswork_plugin::{CallMode, Error, Flag, Info, Kind, Matrix, Model, Param, Plan, Result, Role, Service};
use guesswork_plugin::{Step, Strategy};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Parameters of the strategy.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Params {
    /// Layers that fresh noise is carried down.
    pub depth: usize,
}

/// The strategy; see the module.
#[derive(Debug)]
pub struct WeightTranspose {
    depth: usize,
}

impl Strategy for WeightTranspose {
    type Params = Params;

    const INFO: Info = Info::new("weight-transpose", Kind::Signal)
        .name("Weight transpose")
        .version(env!("CARGO_PKG_VERSION"))
        .description("Fresh noise a few layers up, carried down through the transposed weights and the masks.")
        .formula("E_l = (ε W_{l+1}) ⊙ M_l,  E_L = ε,  ε ~ N(0, I)")
        .citation("Singhal et al., How to Guess a Gradient, 2023, arXiv 2312.04709")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::Weight])
        .services(&[Service::Ops, Service::Rng, Service::Scratch])
        .flags(&[Flag::Deterministic, Flag::Stateless, Flag::Linear]);

    const PARAMS: &'static [Param] =
        &[Param::int("depth", 1).range(1, 64).doc("Layers that fresh noise is carried down, at most to the logits.")];

    fn create(params: Params) -> Result<Self> {
        Ok(Self { depth: params.depth })
    }

    fn prepare(&mut self, model: &Model, plan: &mut Plan) -> Result {
        if self.depth > 1 || !model.is_chain() {
            plan.call_mode = CallMode::Model;
        }
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        let depth = self.depth;
        let mut buffers = Buffers::default();
        step.each_guess(|step, site, guess| {
            let signal = step.signal(site, guess)?;
            let mut starts = Starts { site, guess, draws: 0 };
            let mut done = BTreeMap::new();
            carry(step, (site, depth), signal, &mut starts, &mut buffers, &mut done)
        })
    }
}

/// A place in the walk up from a target site: a site, and how many layers up noise may still start.
type Place = (usize, usize);

/// Matrices of the call, one a place, shared by all targets and guesses.
#[derive(Default)]
struct Buffers<'s>(BTreeMap<Place, Matrix<'s>>);

impl<'s> Buffers<'s> {
    fn at(&mut self, step: &Step<'s>, place: Place) -> Result<Matrix<'s>> {
        if let Some(&matrix) = self.0.get(&place) {
            return Ok(matrix);
        }
        let site = step.model().sites.get(place.0).ok_or_else(|| Error::invalid("a site follows that is not there"))?;
        let matrix = step.scratch(step.rows_at(place.0), site.width)?;
        self.0.insert(place, matrix);
        Ok(matrix)
    }
}

/// Numbers the draws for one target and guess.
struct Starts {
    site: usize,
    guess: usize,
    draws: usize,
}

/// Writes the signal at `place` to `dst`: noise where it starts, else what comes down from the sites that follow.
fn carry<'s>(
    step: &mut Step<'s>,
    (site, depth): Place,
    dst: Matrix<'s>,
    starts: &mut Starts,
    buffers: &mut Buffers<'s>,
    done: &mut BTreeMap<Place, Matrix<'s>>,
) -> Result {
    let following = &step.model().sites[site].following;
    if depth == 0 || following.is_empty() {
        step.normal(dst, starts.site, starts.guess, starts.draws, 1.0)?;
        starts.draws += 1;
        return Ok(());
    }
    let mut signals = Vec::with_capacity(following.len());
    for &next in following {
        let place = (next, depth - 1);
        let signal = match done.get(&place) {
            Some(&signal) => signal,
            None => {
                let signal = buffers.at(step, place)?;
                carry(step, place, signal, starts, buffers, done)?;
                done.insert(place, signal);
                signal
            }
        };
        signals.push(signal);
    }
    step.pull_back(site, &signals, dst)
}
