//! Activation mixing: E_l = (A X_l) ⊙ M_l with A ~ N(0, 1/B) of B × B; at the logits N(0, I).
//!
//! Each example's guess is a random mixture of the whole batch's activations. During training W_{l+1} accumulates outer
//! products with X_l, so that W_{l+1}ᵀδ lies near the span of the activations. Needs no weights.
//!
//! Options: `shared` gives all examples the same mixture (one row of A, each with its own mask); `centred` mixes
//! activations less their mean over the batch, which is the same as making the rows of A sum to zero.
//!
//! Where an example has several rows (positions, tokens) whole examples are mixed: X_l is read as B × (P·n).
//!
//! At scope `example-layer` E\[ĝ_l\] is the true gradient of signals times T_iᵀT_i, T_i = X_l diag(M_{l,i})/√B, with X_l less its mean where
//! `centred`; `shared` or not makes no difference to it. `debias` ρ > 0 divides that out: E_{l,i} = ε_i L_i⁻¹ T_i with L_i L_iᵀ = T_i T_iᵀ +
//! ρI, of covariance Σ(Σ + ρI)^{−1}, Σ = T_iᵀT_i: as ρ → 0, E\[ĝ_l\] becomes that of the true signals' part in the span of the masked
//! activations, which is all of them where the batch has as many independent activations as the layer has units.
//!
//! Source: Singhal et al., *How to Guess a Gradient*, 2023, arXiv 2312.04709.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | A at layer l < L (ε/√B of the debiasing) | normal, scale 1/√B | l − 1, k, 0 | B × B; `shared` 1 × B |
//! | E_L | normal | L − 1, k, 0 | B × C |

use guesswork_plugin::{
    Debias, Flag, Info, Input, Kind, Matrix, Model, Param, Plan, Result, Role, Service, Step, Strategy,
};
use serde::Deserialize;

/// Parameters of the strategy.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Params {
    /// One mixture for all examples.
    pub shared: bool,
    /// Mix activations less their mean over the batch.
    pub centred: bool,
    /// Ridge ρ of the debiasing; 0 for none.
    pub debias: f64,
}

/// The strategy; see the module.
#[derive(Debug)]
pub struct ActivationMixing {
    params: Params,
    debias: Option<Debias>,
}

impl Strategy for ActivationMixing {
    type Params = Params;

    const INFO: Info = Info::new("activation-mixing", Kind::Signal)
        .name("Activation mixing")
        .version(env!("CARGO_PKG_VERSION"))
        .description("A random mixture of the batch's activations for each example. Needs no weights.")
        .formula(
            "E_l = (A X_l) ⊙ M_l,  A ~ N(0, 1/B),  E_L ~ N(0, I);  \
             debias ρ: A L⁻¹ for A,  L Lᵀ = T Tᵀ + ρI,  T = X_l diag(M_l)/√B",
        )
        .citation("Singhal et al., How to Guess a Gradient, 2023, arXiv 2312.04709")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::Activation, Role::Derivative])
        .services(&[Service::Ops, Service::Rng, Service::Scratch])
        .flags(&[Flag::Deterministic, Flag::Stateless, Flag::Linear]);

    const PARAMS: &'static [Param] = &[
        Param::bool("shared", false).doc("One mixture for all examples, each with its own mask."),
        Param::bool("centred", false).doc("Mix activations less their mean over the batch."),
        Param::float("debias", 0.0).bounds(0.0, 1e9).doc(
            "Ridge ρ > 0 of the debiasing at scope example-layer, on the span of the masked activations; 0 for none.",
        ),
    ];

    fn create(params: Params) -> Result<Self> {
        Ok(Self { params, debias: Debias::new(params.debias) })
    }

    fn prepare(&mut self, model: &Model, plan: &mut Plan) -> Result {
        plan.independent = self.debias.is_none();
        match self.debias {
            Some(_) => Debias::check(model, |_| model.batch),
            None => Ok(()),
        }
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        let Params { shared, centred, .. } = self.params;
        let batch = step.batch();
        let deviation = 1.0 / (batch as f64).sqrt();
        step.each_site(|step, site| {
            if step.model().sites[site].following.is_empty() {
                return step
                    .guesses()
                    .try_for_each(|guess| step.normal(step.signal(site, guess)?, site, guess, 0, 1.0));
            }
            let (x, mask) = (step.input(Role::Activation, site)?, step.input(Role::Derivative, site)?);
            let width = x.rows() * x.columns() / batch.max(1);
            let examples = step.reshape(x, batch, width)?;
            if let Some(debias) = &mut self.debias {
                return debiased(debias, step, site, examples, mask, self.params);
            }
            let a = step.scratch(if shared { 1 } else { batch }, batch)?;
            let centring = if centred { Some(Centring::new(step, a)?) } else { None };
            let mixture = if shared { Some(step.scratch(1, width)?) } else { None };
            for guess in step.guesses() {
                step.normal(a, site, guess, 0, deviation)?;
                if let Some(centring) = &centring {
                    centring.apply(step, a)?;
                }
                let signal = step.signal(site, guess)?;
                let mixed = step.reshape(signal, batch, width)?;
                match mixture {
                    Some(mixture) => {
                        step.matmul(mixture, a, examples)?;
                        step.fill(mixed, 0.0)?;
                        step.add_row(mixed, 1.0, mixture)?;
                    }
                    None => step.matmul(mixed, a, examples)?,
                }
                step.hadamard(signal, mask)?;
            }
            Ok(())
        })
    }
}

/// The guesses of `site` with their bias divided out. `examples` are the activations, B × (P·n).
fn debiased<'s>(
    debias: &mut Debias,
    step: &mut Step<'s>,
    site: usize,
    examples: Input<'s>,
    mask: Input<'s>,
    Params { shared, centred, .. }: Params,
) -> Result {
    let (batch, width) = (examples.rows(), examples.columns());
    let deviation = 1.0 / (batch as f64).sqrt();
    let x = step.scratch(batch, width)?;
    step.copy(x, examples)?;
    if centred {
        let mean = step.scratch(1, width)?;
        step.column_sum(mean, examples)?;
        step.add_row(x, -1.0 / batch as f64, mean)?;
    }
    let row = step.scratch(batch, width)?;
    let mask = step.reshape(mask, batch, width)?;
    debias.factor(step, batch, |step, other| {
        step.fill(row, 0.0)?;
        step.add_row(row, deviation, step.rows(x, other, 1)?)?;
        step.hadamard(row, mask)?;
        Ok(row)
    })?;
    let a = step.scratch(batch, batch)?;
    let one = if shared { Some(step.scratch(1, batch)?) } else { None };
    for guess in step.guesses() {
        match one {
            Some(one) => {
                step.normal(one, site, guess, 0, deviation)?;
                step.fill(a, 0.0)?;
                step.add_row(a, 1.0, one)?;
            }
            None => step.normal(a, site, guess, 0, deviation)?,
        }
        debias.shape(step, &[a])?;
        let mixed = step.reshape(step.signal(site, guess)?, batch, width)?;
        step.matmul(mixed, a, x)?;
        step.hadamard(mixed, mask)?;
    }
    Ok(())
}

/// `a ← a (I − 11ᵀ/B)`: rows that sum to zero.
struct Centring<'s> {
    ones: Matrix<'s>,
    sums: Matrix<'s>,
}

impl<'s> Centring<'s> {
    fn new(step: &mut Step<'s>, a: Matrix<'s>) -> Result<Self> {
        let (ones, sums) = (step.scratch(1, a.columns())?, step.scratch(a.rows(), 1)?);
        step.fill(ones, 1.0)?;
        Ok(Self { ones, sums })
    }

    fn apply(&self, step: &mut Step<'s>, a: Matrix<'s>) -> Result {
        step.matmul(self.sums, a, self.ones.t())?;
        step.gemm(a, -1.0 / a.columns() as f64, self.sums, self.ones, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guesswork_plugin::testing::{Activation, Grid, Host, Network};
    use guesswork_plugin::{CallMode, DType, dense};

    const BATCH: usize = 5;

    fn check(network: Network, shared: bool, centred: bool) {
        let setup = Host::of::<ActivationMixing>().network(network).batch(BATCH).guesses(2);
        let mut host = setup.param("shared", shared).param("centred", centred).start().unwrap();
        assert_eq!(host.call_mode(), CallMode::Layer);
        host.step().unwrap();
        let last = host.network().sites() - 1;
        for guess in 0..2 {
            for site in 0..last {
                let x = host.activation(site);
                let (rows, columns) = (x.rows(), x.columns());
                let mut examples = x.reshape(BATCH, rows * columns / BATCH);
                if centred {
                    let mean = Grid::constant(BATCH, BATCH, 1.0 / BATCH as f64).matmul(&examples);
                    examples = examples.plus(&mean.map(|value| -value));
                }
                let drawn = host.normal(site, guess, 0, if shared { 1 } else { BATCH }, BATCH);
                let scale = 1.0 / (BATCH as f64).sqrt();
                let a = Grid::from_fn(BATCH, BATCH, |i, j| scale * drawn[(if shared { 0 } else { i }, j)]);
                let expected = a.matmul(&examples).reshape(rows, columns).hadamard(host.derivative(site));
                host.signal(site, guess).assert_close(&expected, 1e-14);
            }
            let noise = host.normal(last, guess, 0, BATCH, host.logits().columns());
            host.signal(last, guess).assert_close(&noise, 0.0);
        }
    }

    #[test]
    fn examples_are_mixed() {
        for (shared, centred) in [(false, false), (true, false), (false, true), (true, true)] {
            check(Network::mlp(&[6, 5, 4, 3], Activation::Tanh), shared, centred);
            check(Network::residual(4, 6, 3, 3, Activation::Relu), shared, centred);
            check(Network::tokens(3, &[4, 5, 6, 2], Activation::Tanh), shared, centred);
        }
    }

    #[test]
    fn it_runs_in_single_precision_and_on_one_example() {
        for batch in [1, 7] {
            let setup = Host::of::<ActivationMixing>().batch(batch).dtype(DType::F32).param("centred", true);
            setup.start().unwrap().step().unwrap();
        }
    }

    /// E_{l,i} = ε_i L⁻¹ T, L Lᵀ = T Tᵀ + ρI, T = X diag(M_i)/√B.
    fn check_debiased(network: Network, shared: bool, centred: bool) {
        let ridge = 0.2;
        let setup = Host::of::<ActivationMixing>().network(network).batch(BATCH).guesses(2).param("debias", ridge);
        let mut host = setup.param("shared", shared).param("centred", centred).start().unwrap();
        assert_eq!(host.call_mode(), CallMode::Layer);
        host.step().unwrap();
        let (last, scale) = (host.network().sites() - 1, 1.0 / (BATCH as f64).sqrt());
        for guess in 0..2 {
            for site in 0..last {
                let x = host.activation(site);
                let width = x.rows() * x.columns() / BATCH;
                let mut x = x.reshape(BATCH, width);
                if centred {
                    let mean = Grid::constant(BATCH, BATCH, 1.0 / BATCH as f64).matmul(&x);
                    x = x.plus(&mean.map(|value| -value));
                }
                let mask = host.derivative(site).reshape(BATCH, width);
                let drawn = host.normal(site, guess, 0, if shared { 1 } else { BATCH }, BATCH);
                let found = host.signal(site, guess).reshape(BATCH, width);
                for i in 0..BATCH {
                    let t = Grid::from_fn(BATCH, width, |j, k| scale * x[(j, k)] * mask[(i, k)]);
                    let mut l = t.matmul(&t.t()).values().to_vec();
                    (0..BATCH).for_each(|j| l[j * BATCH + j] += ridge);
                    dense::cholesky(&mut l, BATCH, 0.0);
                    let mut noise = drawn.row(if shared { 0 } else { i }).to_vec();
                    dense::divide(&mut noise, &l, BATCH);
                    let expected = Grid::new(1, BATCH, noise).matmul(&t);
                    Grid::new(1, width, found.row(i).to_vec()).assert_close(&expected, 1e-12);
                }
            }
            let noise = host.normal(last, guess, 0, BATCH, host.logits().columns());
            host.signal(last, guess).assert_close(&noise, 0.0);
        }
    }

    #[test]
    fn debiased_it_is_the_masked_activations_divided_by_their_root() {
        for (shared, centred) in [(false, false), (true, false), (false, true), (true, true)] {
            check_debiased(Network::mlp(&[6, 5, 4, 3], Activation::Tanh), shared, centred);
            check_debiased(Network::residual(4, 6, 3, 3, Activation::Relu), shared, centred);
            check_debiased(Network::tokens(3, &[4, 5, 6, 2], Activation::Tanh), shared, centred);
        }
    }

    #[test]
    fn debiased_it_runs_in_single_precision_and_on_one_example() {
        for batch in [1, 7] {
            let setup = Host::of::<ActivationMixing>().batch(batch).dtype(DType::F32).guesses(2).param("debias", 1e-6);
            setup.start().unwrap().step().unwrap();
        }
    }
}
