//! Weight transpose, Wᵀ: E_l = (ε W_{l+1}) ⊙ M_l, with its own fresh ε ~ N(0, I) for each l; E_L ~ N(0, I).
//!
//! With `depth` k the noise starts k layers up (at the logits, where they are nearer) and passes the weights and the
//! mask of every layer on the way: (ε W_{l+2} ⊙ M_{l+1}) W_{l+1} ⊙ M_l for k = 2. The true signal of layer l lies in
//! the row space of W_{l+1} after the mask, and so does this guess.
//!
//! Where several sites follow a site, noise starts at each of them; a signal that is reached over several ways of the
//! same length is one signal.
//!
//! At scope `example-layer` E\[ĝ_l\] is the true gradient of signals times A_iᵀA_i, A_i = W_{l+1} diag(M_{l,i}) or the product of the
//! weights and masks that noise passes. `debias` ρ > 0 divides that out: E_{l,i} = ε_i L_i⁻¹ A_i with L_i L_iᵀ = A_i A_iᵀ + ρI, of
//! covariance Σ(Σ + ρI)^{−1}, Σ = A_iᵀA_i. True signals lie in the span of A_i, so that E\[ĝ_l\] → g_l as ρ → 0, at any depth and on any
//! architecture. It takes a way down for each number of noise that an example has; for wide chains of dense layers `whitened` has
//! the same law from a few products.
//!
//! Source: Singhal et al., *How to Guess a Gradient*, 2023, arXiv 2312.04709.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | ε for layer l < L, depth 1 | normal | l − 1, k, place f of the site in `following` (0 in a chain) | (B·P_f) × n_f |
//! | ε for layer l < L, any depth | normal | l − 1, k, number of the start in depth-first order | as the site it starts at |
//! | E_L | normal | L − 1, k, 0 | B × C |

use crate::debias::Debiased;
use guesswork_plugin::{
    CallMode, Debias, Error, Flag, Info, Kind, Matrix, Model, Param, Plan, Result, Role, Service, Step, Strategy,
};
use serde::Deserialize;

/// Parameters of the strategy.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Params {
    /// Layers that fresh noise is carried down.
    pub depth: usize,
    /// Ridge ρ of the debiasing; 0 for none.
    pub debias: f64,
}

/// The strategy; see the module.
#[derive(Debug)]
pub struct WeightTranspose {
    depth: usize,
    debias: Option<Debiased>,
}

impl Strategy for WeightTranspose {
    type Params = Params;

    const INFO: Info = Info::new("weight-transpose", Kind::Signal)
        .name("Weight transpose")
        .version(env!("CARGO_PKG_VERSION"))
        .description("Fresh noise a few layers up, carried down through the transposed weights and the masks.")
        .formula(
            "E_l = (ε W_{l+1}) ⊙ M_l,  E_L = ε,  ε ~ N(0, I);  \
             debias ρ: ε L⁻¹ for ε,  L Lᵀ = A Aᵀ + ρI,  A = W_{l+1} diag(M_l)",
        )
        .citation("Singhal et al., How to Guess a Gradient, 2023, arXiv 2312.04709")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::Weight])
        .services(&[Service::Ops, Service::Rng, Service::Scratch])
        .flags(&[Flag::Deterministic, Flag::Stateless, Flag::Linear]);

    const PARAMS: &'static [Param] = &[
        Param::int("depth", 1).range(1, 64).doc("Layers that fresh noise is carried down, at most to the logits."),
        Param::float("debias", 0.0).bounds(0.0, 1e9).doc(
            "Ridge ρ > 0 of the debiasing at scope example-layer, which takes a way down for each number of noise; 0 for none.",
        ),
    ];

    fn create(params: Params) -> Result<Self> {
        Ok(Self { depth: params.depth, debias: Debias::new(params.debias).map(Debiased::new) })
    }

    fn prepare(&mut self, model: &Model, plan: &mut Plan) -> Result {
        if self.depth > 1 || !model.is_chain() {
            plan.call_mode = CallMode::Model;
        }
        // With a debiasing, what takes the most work is made once for all guesses.
        plan.independent = self.debias.is_none();
        match &mut self.debias {
            Some(debias) => debias.prepare(model, |site| starts(model, (site, self.depth))),
            None => Ok(()),
        }
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        let depth = self.depth;
        let mut buffers = Buffers::default();
        let Some(debias) = &mut self.debias else {
            return step.each_guess(|step, site, guess| {
                let signal = step.signal(site, guess)?;
                buffers
                    .walk(step, (site, depth), signal, &mut |step, draw, dst| step.normal(dst, site, guess, draw, 1.0))
            });
        };
        step.each_site(|step, site| {
            if step.model().sites[site].following.is_empty() {
                return step
                    .guesses()
                    .try_for_each(|guess| step.normal(step.signal(site, guess)?, site, guess, 0, 1.0));
            }
            debias.propose(step, site, |step, sources, dst| {
                buffers.walk(step, (site, depth), dst, &mut |step, draw, dst| step.copy(dst, sources[draw]))
            })
        })
    }
}

/// A place in the walk up from a target site: a site, and how many layers up noise may still start.
type Place = (usize, usize);

/// The sites that noise starts at on the way to a place, in the order of the draws.
fn starts(model: &Model, place: Place) -> Vec<usize> {
    fn walk(model: &Model, (site, depth): Place, seen: &mut Vec<Place>, found: &mut Vec<usize>) {
        let following = model.sites.get(site).map_or(&[][..], |site| &site.following[..]);
        if depth == 0 || following.is_empty() {
            found.push(site);
            return;
        }
        for &next in following {
            if !seen.contains(&(next, depth - 1)) {
                seen.push((next, depth - 1));
                walk(model, (next, depth - 1), seen, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(model, place, &mut Vec::new(), &mut found);
    found
}

/// Matrices of the call, one a place, shared by all walks. Most calls have one, which needs no memory of the list's own.
#[derive(Default)]
struct Buffers<'s> {
    first: Option<Buffer<'s>>,
    others: Vec<Buffer<'s>>,
    /// Number of the walk under way.
    walk: usize,
}

#[derive(Clone, Copy)]
struct Buffer<'s> {
    place: Place,
    matrix: Matrix<'s>,
    /// The walk whose signal it holds.
    holds: usize,
}

/// Writes what starts at a place, given its number in the walk.
type Fill<'a, 's> = dyn FnMut(&mut Step<'s>, usize, Matrix<'s>) -> Result + 'a;

/// What fills the starts of a walk, and how many it has filled.
struct Starts<'a, 's> {
    fill: &'a mut Fill<'a, 's>,
    filled: usize,
}

impl<'s> Buffers<'s> {
    /// Writes the signal at `place` to `dst`: noise where it starts, else what comes down from the sites that follow.
    fn walk<'a>(&mut self, step: &mut Step<'s>, place: Place, dst: Matrix<'s>, fill: &'a mut Fill<'a, 's>) -> Result {
        self.walk += 1;
        self.carry(step, place, dst, &mut Starts { fill, filled: 0 })
    }

    fn find(&mut self, place: Place) -> Option<&mut Buffer<'s>> {
        self.first.iter_mut().chain(&mut self.others).find(|buffer| buffer.place == place)
    }

    /// The matrix at a place, taken from scratch where there is none yet.
    fn at(&mut self, step: &Step<'s>, place: Place) -> Result<Buffer<'s>> {
        if let Some(buffer) = self.find(place) {
            return Ok(*buffer);
        }
        let site = step.model().sites.get(place.0).ok_or_else(|| Error::invalid("a site follows that is not there"))?;
        let buffer = Buffer { place, matrix: step.scratch(step.rows_at(place.0), site.width)?, holds: 0 };
        match self.first {
            None => self.first = Some(buffer),
            Some(_) => self.others.push(buffer),
        }
        Ok(buffer)
    }

    fn carry(
        &mut self,
        step: &mut Step<'s>,
        (site, depth): Place,
        dst: Matrix<'s>,
        starts: &mut Starts<'_, 's>,
    ) -> Result {
        let following = &step.model().sites[site].following;
        if depth == 0 || following.is_empty() {
            (starts.fill)(step, starts.filled, dst)?;
            starts.filled += 1;
            return Ok(());
        }
        if let [next] = following[..] {
            let signal = self.above(step, (next, depth - 1), starts)?;
            return step.pull_back(site, &[signal], dst);
        }
        let mut signals = Vec::with_capacity(following.len());
        for &next in following {
            signals.push(self.above(step, (next, depth - 1), starts)?);
        }
        step.pull_back(site, &signals, dst)
    }

    /// The signal at `place`, made once in a walk.
    fn above(&mut self, step: &mut Step<'s>, place: Place, starts: &mut Starts<'_, 's>) -> Result<Matrix<'s>> {
        let Buffer { matrix, holds, .. } = self.at(step, place)?;
        if holds != self.walk {
            self.carry(step, place, matrix, starts)?;
            let walk = self.walk;
            self.find(place).into_iter().for_each(|buffer| buffer.holds = walk);
        }
        Ok(matrix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::debias::tests::divided;
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

    /// Row r of A_i on its way from place to site: units carried down, an example's rows side by side.
    fn way_down(host: &Host, site: usize, starts: &[usize], carry: impl Fn(&[Grid]) -> Grid) -> Vec<Grid> {
        let mut rows = Vec::new();
        let zeros: Vec<Grid> = starts.iter().map(|&start| host.pre_activation(start).map(|_| 0.0)).collect();
        for (number, zero) in zeros.iter().enumerate() {
            let (height, width) = (zero.rows() / 5, zero.columns());
            for unit in 0..height * width {
                let mut units = zeros.clone();
                let one = |i: usize, j: usize| f64::from(i % height * width + j == unit);
                units[number] = Grid::from_fn(zero.rows(), width, one);
                let shape = host.pre_activation(site);
                rows.push(carry(&units).reshape(5, shape.rows() * shape.columns() / 5));
            }
        }
        rows
    }

    /// Whether every guess of `site` is ε_i L_i⁻¹ A_i.
    fn check_debiased(host: &Host, site: usize, starts: &[usize], ridge: f64, rows: &[Grid]) {
        for guess in 0..2 {
            let noise: Vec<Grid> = starts
                .iter()
                .enumerate()
                .map(|(draw, &start)| {
                    let noise = noise_for(host, site, guess, draw, start);
                    noise.reshape(5, noise.rows() * noise.columns() / 5)
                })
                .collect();
            let width = rows[0].columns();
            let found = host.signal(site, guess).reshape(5, width);
            for i in 0..5 {
                let a = Grid::from_fn(rows.len(), width, |r, k| rows[r][(i, k)]);
                let drawn: Vec<f64> = noise.iter().flat_map(|noise| noise.row(i).to_vec()).collect();
                let expected = divided(&drawn, &a, ridge).matmul(&a);
                Grid::new(1, width, found.row(i).to_vec()).assert_close(&expected, 1e-11);
            }
        }
    }

    fn debiased(network: Network, depth: i64, ridge: f64) -> Host {
        let setup = Host::of::<WeightTranspose>().network(network).batch(5).guesses(2);
        let mut host = setup.param("depth", depth).param("debias", ridge).start().unwrap();
        host.step().unwrap();
        host
    }

    #[test]
    fn debiased_it_is_the_way_down_divided_by_its_root() {
        for network in [
            Network::mlp(&[6, 5, 4, 3], Activation::Tanh),
            Network::residual(4, 6, 3, 3, Activation::Relu),
            Network::tokens(3, &[4, 5, 6, 2], Activation::Tanh),
        ] {
            let host = debiased(network, 1, 0.2);
            let last = host.network().sites() - 1;
            for site in 0..last {
                let starts = host.network().following(site);
                let carry = |units: &[Grid]| host.network().pull_back(site, 5, units, host.derivative(site));
                check_debiased(&host, site, &starts, 0.2, &way_down(&host, site, &starts, carry));
            }
            let noise = noise_for(&host, last, 1, 0, last);
            host.signal(last, 1).assert_close(&noise, 0.0);
        }
    }

    #[test]
    fn debiased_at_a_depth_it_is_divided_by_the_root_of_the_product() {
        let host = debiased(Network::mlp(&[6, 5, 4, 5, 3], Activation::Tanh), 2, 0.3);
        for (site, start) in [(0, 2), (1, 3), (2, 3)] {
            let carry = |units: &[Grid]| {
                (site..start).rev().fold(units[0].clone(), |signal, below| {
                    host.network().pull_back(below, 5, &[signal], host.derivative(below))
                })
            };
            check_debiased(&host, site, &[start], 0.3, &way_down(&host, site, &[start], carry));
        }
        // Noise that is reached over two ways of different length starts twice.
        let host = debiased(Network::residual(4, 6, 2, 3, Activation::Tanh), 64, 0.3);
        let carry = |units: &[Grid]| {
            let first = host.network().pull_back(1, 5, &units[..1], host.derivative(1));
            host.network().pull_back(0, 5, &[first, units[1].clone()], host.derivative(0))
        };
        check_debiased(&host, 0, &[2, 2], 0.3, &way_down(&host, 0, &[2, 2], carry));
    }

    #[test]
    fn debiased_it_runs_in_single_precision_and_on_one_example() {
        for batch in [1, 5] {
            let setup = Host::of::<WeightTranspose>().dtype(DType::F32).batch(batch).guesses(2).param("debias", 1e-6);
            setup.start().unwrap().step().unwrap();
        }
    }
}
