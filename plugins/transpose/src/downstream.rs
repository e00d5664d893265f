//! Downstream: E_l = ((ε ⊙ M_{l+1}) W_{l+1}) ⊙ M_l, ε ~ N(0, I) fresh for each l; E_L ~ N(0, I).
//!
//! The weight transpose with the mask of the layer above as well: noise enters only at units of that layer that are
//! active for the example, as the true signal does.
//!
//! Where several sites follow a site, each has its own ε and mask.
//!
//! At scope `example-layer` E\[ĝ_l\] is the true gradient of signals times A_iᵀA_i, A_i = diag(M_{l+1,i}) W_{l+1} diag(M_{l,i}). `debias`
//! ρ > 0 divides that out: E_{l,i} = ε_i L_i⁻¹ A_i with L_i L_iᵀ = A_i A_iᵀ + ρI, of covariance Σ(Σ + ρI)^{−1}, Σ = A_iᵀA_i. True signals
//! lie in the span of A_i, so that E\[ĝ_l\] → g_l as ρ → 0, on any architecture.
//!
//! Source: a re-implementation of Singhal et al., *How to Guess a Gradient*, 2023, arXiv 2312.04709.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | ε for layer l < L | normal | l − 1, k, place f of the site in `following` (0 in a chain) | (B·P_f) × n_f |
//! | E_L | normal | L − 1, k, 0 | B × C |

use crate::debias::Debiased;
use guesswork_plugin::{
    CallMode, Debias, Error, Flag, Info, Kind, Matrix, Model, Param, Plan, Result, Role, Service, Step, Strategy,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Parameters of the strategy.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Params {
    /// Ridge ρ of the debiasing; 0 for none.
    pub debias: f64,
}

/// The strategy; see the module.
#[derive(Debug)]
pub struct Downstream {
    debias: Option<Debiased>,
}

impl Strategy for Downstream {
    type Params = Params;

    const INFO: Info = Info::new("downstream", Kind::Signal)
        .name("Downstream")
        .version(env!("CARGO_PKG_VERSION"))
        .description("Weight transpose whose noise also passes the mask of the layer above.")
        .formula(
            "E_l = ((ε ⊙ M_{l+1}) W_{l+1}) ⊙ M_l,  E_L = ε,  ε ~ N(0, I);  \
             debias ρ: ε L⁻¹ for ε,  L Lᵀ = A Aᵀ + ρI,  A = diag(M_{l+1}) W_{l+1} diag(M_l)",
        )
        .citation("A re-implementation of Singhal et al., How to Guess a Gradient, 2023, arXiv 2312.04709")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::Weight, Role::Derivative])
        .services(&[Service::Ops, Service::Rng, Service::Scratch])
        .flags(&[Flag::Deterministic, Flag::Stateless, Flag::Linear]);

    const PARAMS: &'static [Param] = &[Param::float("debias", 0.0).bounds(0.0, 1e9).doc(
        "Ridge ρ > 0 of the debiasing at scope example-layer, which takes a way down for each number of noise; 0 for none.",
    )];

    fn create(params: Params) -> Result<Self> {
        Ok(Self { debias: Debias::new(params.debias).map(Debiased::new) })
    }

    fn prepare(&mut self, model: &Model, plan: &mut Plan) -> Result {
        plan.call_mode = CallMode::Model;
        plan.independent = self.debias.is_none();
        match &mut self.debias {
            Some(debias) => debias.prepare(model, |site| model.sites[site].following.clone()),
            None => Ok(()),
        }
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        let model = step.model();
        let mut buffers: BTreeMap<usize, Matrix<'_>> = BTreeMap::new();
        step.each_site(|step, site| {
            let following = &model.sites[site].following;
            if following.is_empty() {
                return step
                    .guesses()
                    .try_for_each(|guess| step.normal(step.signal(site, guess)?, site, guess, 0, 1.0));
            }
            if let Some(debias) = &mut self.debias {
                return debias.propose(step, site, |step, sources, dst| carry(step, site, sources, dst));
            }
            for guess in step.guesses() {
                let mut sources = Vec::with_capacity(following.len());
                for (draw, &next) in following.iter().enumerate() {
                    let above =
                        model.sites.get(next).ok_or_else(|| Error::invalid("a site follows that is not there"))?;
                    let source = match buffers.get(&next) {
                        Some(&buffer) => buffer,
                        None => step.scratch(step.rows_at(next), above.width)?,
                    };
                    buffers.insert(next, source);
                    step.normal(source, site, guess, draw, 1.0)?;
                    sources.push(source);
                }
                carry(step, site, &sources, step.signal(site, guess)?)?;
            }
            Ok(())
        })
    }
}

/// `dst ←` the noise at the sites that follow `site`, masked there and carried down; the noise is masked in place.
fn carry<'s>(step: &mut Step<'s>, site: usize, sources: &[Matrix<'s>], dst: Matrix<'s>) -> Result {
    let model = step.model();
    for (&source, &next) in sources.iter().zip(&model.sites[site].following) {
        if model.sites[next].activated {
            step.hadamard(source, step.input(Role::Derivative, next)?)?;
        }
    }
    step.pull_back(site, sources, dst)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::debias::tests::divided;
    use guesswork_plugin::testing::{Activation, Grid, Host, Network};

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

    #[test]
    fn debiased_it_is_the_way_between_two_masks_divided_by_its_root() {
        let ridge = 0.2;
        for network in [
            Network::mlp(&[6, 5, 4, 3], Activation::Relu),
            Network::residual(4, 6, 3, 3, Activation::Tanh),
            Network::tokens(3, &[4, 5, 6, 2], Activation::Tanh),
        ] {
            let setup = Host::of::<Downstream>().network(network).batch(5).guesses(2);
            let mut host = setup.param("debias", ridge).start().unwrap();
            host.step().unwrap();
            for site in 0..host.network().sites() - 1 {
                let following = host.network().following(site);
                let masks: Vec<&Grid> = following.iter().map(|&next| host.derivative(next)).collect();
                let carry = |sources: &[Grid]| {
                    let signals: Vec<Grid> = sources.iter().zip(&masks).map(|(e, mask)| e.hadamard(mask)).collect();
                    let below = host.network().pull_back(site, 5, &signals, host.derivative(site));
                    below.reshape(5, below.rows() * below.columns() / 5)
                };
                // Units of every start in turn are the rows of A.
                let mut rows = Vec::new();
                for (number, mask) in masks.iter().enumerate() {
                    let (height, width) = (mask.rows() / 5, mask.columns());
                    for unit in 0..height * width {
                        let mut units: Vec<Grid> = masks.iter().map(|mask| mask.map(|_| 0.0)).collect();
                        let one = |i: usize, j: usize| f64::from(i % height * width + j == unit);
                        units[number] = Grid::from_fn(mask.rows(), width, one);
                        rows.push(carry(&units));
                    }
                }
                let noise: Vec<Grid> = masks
                    .iter()
                    .enumerate()
                    .map(|(draw, mask)| {
                        let (rows, columns) = (mask.rows(), mask.columns());
                        host.normal(site, 1, draw, rows, columns).reshape(5, rows * columns / 5)
                    })
                    .collect();
                let width = rows[0].columns();
                let found = host.signal(site, 1).reshape(5, width);
                for i in 0..5 {
                    let a = Grid::from_fn(rows.len(), width, |r, k| rows[r][(i, k)]);
                    let drawn: Vec<f64> = noise.iter().flat_map(|noise| noise.row(i).to_vec()).collect();
                    let expected = divided(&drawn, &a, ridge).matmul(&a);
                    Grid::new(1, width, found.row(i).to_vec()).assert_close(&expected, 1e-11);
                }
            }
        }
    }
}
