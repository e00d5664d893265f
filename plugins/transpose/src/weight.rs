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
            carry(step, (site, depth), signal, &mut Starts { site, guess, draws: 0 }, &mut buffers)
        })
    }
}

/// A place in the walk up from a target site: a site, and how many layers up noise may still start.
type Place = (usize, usize);

/// Matrices of the call, one a place, shared by all targets and guesses. Most calls have one.
#[derive(Default)]
struct Buffers<'s> {
    first: Option<Buffer<'s>>,
    others: Vec<Buffer<'s>>,
}

#[derive(Clone, Copy)]
struct Buffer<'s> {
    place: Place,
    matrix: Matrix<'s>,
    /// The target and guess whose signal it holds.
    holds: Option<(usize, usize)>,
}

impl<'s> Buffers<'s> {
    /// The matrix at a place, taken from scratch where there is none yet.
    fn at(&mut self, step: &Step<'s>, place: Place) -> Result<Buffer<'s>> {
        if let Some(&buffer) = self.first.iter().chain(&self.others).find(|buffer| buffer.place == place) {
            return Ok(buffer);
        }
        let site = step.model().sites.get(place.0).ok_or_else(|| Error::invalid("a site follows that is not there"))?;
        let buffer = Buffer { place, matrix: step.scratch(step.rows_at(place.0), site.width)?, holds: None };
        match self.first {
            None => self.first = Some(buffer),
            Some(_) => self.others.push(buffer),
        }
        Ok(buffer)
    }

    /// Notes whose signal the matrix at a place holds.
    fn hold(&mut self, place: Place, target: (usize, usize)) {
        if let Some(buffer) = self.first.iter_mut().chain(&mut self.others).find(|buffer| buffer.place == place) {
            buffer.holds = Some(target);
        }
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
) -> Result {
    let following = &step.model().sites[site].following;
    if depth == 0 || following.is_empty() {
        step.normal(dst, starts.site, starts.guess, starts.draws, 1.0)?;
        starts.draws += 1;
        return Ok(());
    }
    let mut above = |step: &mut Step<'s>, next| above(step, (next, depth - 1), starts, buffers);
    if let [next] = following[..] {
        let signal = above(step, next)?;
        return step.pull_back(site, &[signal], dst);
    }
    let signals = following.iter().map(|&next| above(step, next)).collect::<Result<Vec<_>>>()?;
    step.pull_back(site, &signals, dst)
}

/// The signal at `place`, made once for a target and guess.
fn above<'s>(step: &mut Step<'s>, place: Place, starts: &mut Starts, buffers: &mut Buffers<'s>) -> Result<Matrix<'s>> {
    let (Buffer { matrix, holds, .. }, target) = (buffers.at(step, place)?, (starts.site, starts.guess));
    if holds != Some(target) {
        carry(step, place, matrix, starts, buffers)?;
        buffers.hold(place, target);
    }
    Ok(matrix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use guesswork_plugin::testing::{Activation, Grid, Host, Network};
    use guesswork_plugin::{DType, Result};

    fn start(network: Network, depth: i64, guesses: usize) -> Host {
        let setup = Host::of::<WeightTranspose>().network(network).batch(5).guesses(guesses);
        let mut host = setup.param("depth", depth).start().unwrap();
        host.step().unwrap();
        host
    }

    fn noise_for(host: &Host, site: usize, guess: usize, draw: usize, like: usize) -> Grid {
        let shape = host.pre_activation(like);
        host.normal(site, guess, draw, shape.rows(), shape.columns())
    }

    #[test]
    fn depth_one_is_the_papers_formula() {
        let host = start(Network::mlp(&[6, 5, 4, 3], Activation::Tanh), 1, 2);
        assert_eq!(host.call_mode(), CallMode::Layer);
        for guess in 0..2 {
            for site in 0..2 {
                let noise = noise_for(&host, site, guess, 0, site + 1);
                let expected = noise.matmul(host.network().weight(site + 1)).hadamard(host.derivative(site));
                host.signal(site, guess).assert_close(&expected, 1e-14);
            }
            host.signal(2, guess).assert_close(&noise_for(&host, 2, guess, 0, 2), 0.0);
        }
    }

    #[test]
    fn depth_two_passes_the_mask_between() {
        let host = start(Network::mlp(&[6, 5, 4, 5, 3], Activation::Tanh), 2, 1);
        assert_eq!(host.call_mode(), CallMode::Model);
        for site in 0..2 {
            let above = noise_for(&host, site, 0, 0, site + 2).matmul(host.network().weight(site + 2));
            let above = above.hadamard(host.derivative(site + 1));
            let expected = above.matmul(host.network().weight(site + 1)).hadamard(host.derivative(site));
            host.signal(site, 0).assert_close(&expected, 1e-14);
        }
        let below_logits = noise_for(&host, 2, 0, 0, 3).matmul(host.network().weight(3)).hadamard(host.derivative(2));
        host.signal(2, 0).assert_close(&below_logits, 1e-14);
    }

    #[test]
    fn several_following_sites_each_have_their_noise() {
        let host = start(Network::residual(4, 6, 3, 3, Activation::Tanh), 1, 2);
        assert_eq!(host.call_mode(), CallMode::Model);
        for guess in 0..2 {
            for site in 0..3 {
                let mut sum = host.derivative(site).map(|_| 0.0);
                for (draw, next) in host.network().following(site).into_iter().enumerate() {
                    let noise = noise_for(&host, site, guess, draw, next);
                    sum = sum.plus(&noise.matmul(host.network().weight(next)));
                }
                host.signal(site, guess).assert_close(&sum.hadamard(host.derivative(site)), 1e-14);
            }
        }
    }

    #[test]
    fn a_depth_beyond_the_logits_starts_there_once() {
        let host = start(Network::residual(4, 6, 2, 3, Activation::Tanh), 64, 1);
        // Sites 1 and 2 follow site 0, and site 2, the logits, follows both. Site 2 is reached with two depths left.
        let (first, second) = (noise_for(&host, 0, 0, 0, 2), noise_for(&host, 0, 0, 1, 2));
        let network = host.network();
        let through = first.matmul(network.weight(2)).hadamard(host.derivative(1)).matmul(network.weight(1));
        let expected = through.plus(&second.matmul(network.weight(2))).hadamard(host.derivative(0));
        host.signal(0, 0).assert_close(&expected, 1e-13);
    }

    #[test]
    fn it_runs_on_rows_and_in_single_precision() -> Result {
        let network = Network::tokens(3, &[4, 5, 6, 2], Activation::Relu);
        let mut host = Host::of::<WeightTranspose>().network(network).dtype(DType::F32).guesses(2).start()?;
        host.step()?;
        host.step()
    }
}
