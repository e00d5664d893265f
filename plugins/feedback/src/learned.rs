//! Learned feedback: E_L = p − y, E_l ∝ ((p − y) B_l + σ s ε) ⊙ M_l with a B_l of C × n_l that learns from the exact scalars.
//!
//! Were B_l the derivative of the logits by X_l, the guess would be the true signal. So B_l is moved towards that derivative as the
//! forward mode shows it, one directional derivative an example: the feedback foretells that of example i along E_{l,i},
//! ŷ_i = ⟨(e_i B_l) ⊙ M_{l,i}, E_{l,i}⟩ with e = p − y, the host finds y_i = B⟨δ_{l,i}, E_{l,i}⟩, and
//!
//! B_l ← B_l + (lr/B) Σ_i e_iᵀ (E_{l,i} ⊙ M_{l,i}) (y_i − ŷ_i) / (‖e_i‖² ‖E_{l,i} ⊙ M_{l,i}‖²),
//!
//! a normalised step down the squared error of what was foretold (Widrow and Hoff 1960), stable for lr < 2. Noise of σ times the length
//! of the feedback (s ~ ‖e_i‖ √(2/n_l)) lets it see directions that are not its own. In a linear network B_l tends to W_L … W_{l+1}; in
//! others to the best fit over the examples.
//!
//! Rows of a guess are made √n_l long, so that `normalise: row` changes nothing and the scalars are of what was written. It takes
//! scope `example-layer`. Where an example has several rows, B_l is C × (P_l·n_l) on its rows side by side. Each guess of a step has
//! matrices of its own, drawn from N(0, 2/n_l) at the lane's first step and kept in its checkpoints. It reads no weight.
//!
//! Source: after Bacho and Chu, *Low-Variance Forward Gradients using Direct Feedback Alignment and Momentum*, 2022, arXiv 2212.07282,
//! who learn direct feedback as a running mean of directional derivatives of the logits; here those of the loss, which the host
//! makes anyway.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | B_l, at the first step | normal, scale √(2/(P_l·n_l)) | l − 1, k, 0 | C × (P_l·n_l) |
//! | ε | normal | l − 1, k, 1 | (B·P_l) × n_l |

use crate::kept::{bounded, feedback};
use guesswork_plugin::{
    CallMode, Device, Error, Flag, Info, Kind, Matrix, Model, Outcome, Param, Plan, Result, Role, Scope, Service, Step,
    Strategy,
};
use serde::Deserialize;

/// Parameters of the strategy.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Params {
    /// Rate of learning.
    pub lr: f64,
    /// Deviation σ of the noise.
    pub noise: f64,
}

/// The strategy; see the module.
#[derive(Debug)]
pub struct LearnedFeedback {
    params: Params,
    /// Sites below the logits.
    below: usize,
    values: Vec<f64>,
    other: Vec<f64>,
}

impl Strategy for LearnedFeedback {
    type Params = Params;

    const INFO: Info = Info::new("learned-feedback", Kind::Signal)
        .name("Learned feedback")
        .version(env!("CARGO_PKG_VERSION"))
        .description(
            "The output error brought to every layer by matrices that learn from the exact directional derivatives.",
        )
        .formula("E_l ∝ ((p − y) B_l + σ s ε) ⊙ M_l,  B_l += lr·mean e_iᵀE_i (B d_i − ŷ_i)/(‖e_i‖²‖E_i‖²)")
        .citation("After Bacho and Chu 2022, arXiv 2212.07282")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::OutputError, Role::Derivative])
        .services(&[Service::Ops, Service::Rng, Service::Scratch])
        .flags(&[Flag::Deterministic]);

    const PARAMS: &'static [Param] = &[
        Param::float("lr", 1.0)
            .bounds(0.0, 100.0)
            .doc("Rate of learning of the feedback; stable below 2 whatever the batch."),
        Param::float("noise", 1.0)
            .bounds(1e-6, 1e6)
            .doc("Deviation σ of the noise, 1 as large as the feedback at first."),
    ];

    fn create(params: Params) -> Result<Self> {
        Ok(Self { params, below: 0, values: Vec::new(), other: Vec::new() })
    }

    fn prepare(&mut self, model: &Model, plan: &mut Plan) -> Result {
        plan.call_mode = CallMode::Model;
        if model.scope != Scope::ExampleLayer {
            return Err(Error::unsupported(
                "the feedback learns from a scalar for each example and layer: set `scope` to example-layer",
            ));
        }
        if !matches!(model.device, Device::Cpu) {
            return Err(Error::unsupported("the feedback is learned in host memory: run on the cpu"));
        }
        let outputs = model.outputs();
        if outputs > 1 {
            return Err(Error::unsupported(format!(
                "the error of one output is brought to every layer, and this model is trained at {outputs}: use \
                 feedback-alignment, or a lane with global losses"
            )));
        }
        self.below = model.sites.len().saturating_sub(1);
        plan.persist("error", model.batch, model.classes);
        for guess in 0..model.guesses {
            for site in &model.sites[..self.below] {
                let columns = site.rows_per_example * site.width;
                bounded(
                    model.classes.max(model.batch),
                    columns,
                    &format!("to `{}`", site.name),
                    "choose a smaller model",
                )?;
                plan.persist(format!("feedback.{}.{guess}", site.name), model.classes, columns);
                plan.persist(format!("guess.{}.{guess}", site.name), model.batch, columns);
            }
        }
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        let batch = step.batch();
        let error = step.input(Role::OutputError, self.below)?;
        let kept = step.persistent(0)?;
        step.copy(kept, error)?;
        let column = step.scratch(batch, 1)?;
        step.row_dot(column, error, error)?;
        step.read(column, &mut self.other)?;
        self.other.iter_mut().for_each(|value| *value = value.sqrt());
        step.each_guess(|step, site, guess| {
            let signal = step.signal(site, guess)?;
            if step.is_last(site) {
                return step.copy(signal, error);
            }
            let (b, seen) = self.matrices(step, site, guess)?;
            let below = step.reshape(signal, batch, b.columns())?;
            let noise = step.scratch(signal.rows(), signal.columns())?;
            let scale = self.params.noise * (2.0 / b.columns() as f64).sqrt();
            step.normal(noise, site, guess, 1, scale)?;
            let noise = step.reshape(noise, batch, b.columns())?;
            step.write(column, &self.other)?;
            step.row_scale(noise, column)?;
            step.matmul(below, error, b)?;
            step.axpy(below, 1.0, noise)?;
            let mask = step.input(Role::Derivative, site)?;
            step.hadamard(signal, mask)?;
            self.normalise(step, signal)?;
            step.copy(seen, below)?;
            step.hadamard(seen, step.reshape(mask, batch, b.columns())?)
        })
    }

    fn observe(&mut self, step: &mut Step<'_>, outcome: &Outcome<'_>) -> Result {
        let (batch, sites) = (step.batch(), step.model().sites.len());
        if self.params.lr == 0.0 || outcome.scalars.len() != step.guesses().len() * sites * batch {
            return Ok(());
        }
        let error = step.persistent(0)?;
        let column = step.scratch(batch, 1)?;
        for guess in step.guesses() {
            for site in 0..self.below {
                let (b, seen) = self.matrices(step, site, guess)?;
                // What the feedback foretold, and the squared lengths of the regressor's two sides.
                let foretold = step.scratch(batch, b.columns())?;
                step.matmul(foretold, error, b)?;
                step.row_dot(column, foretold, seen)?;
                step.read(column, &mut self.values)?;
                for (into, d) in self.values.iter_mut().zip(&outcome.scalars[(guess * sites + site) * batch..]) {
                    *into = batch as f64 * d - *into;
                }
                for side in [error, seen] {
                    step.row_dot(column, side, side)?;
                    step.read(column, &mut self.other)?;
                    for (into, squared) in self.values.iter_mut().zip(&self.other) {
                        *into = if *squared > 0.0 { *into / squared } else { 0.0 };
                    }
                }
                step.write(column, &self.values)?;
                step.copy(foretold, seen)?;
                step.row_scale(foretold, column)?;
                step.gemm(b, self.params.lr / batch as f64, error.t(), foretold, 1.0)?;
            }
        }
        Ok(())
    }
}

impl LearnedFeedback {
    /// B_l of a guess, and what was last guessed with it, mask applied twice.
    fn matrices<'s>(&self, step: &mut Step<'s>, site: usize, guess: usize) -> Result<(Matrix<'s>, Matrix<'s>)> {
        let first = 1 + 2 * (guess * self.below + site);
        Ok((feedback(step, first, [site, guess, 0])?, step.persistent(first + 1)?))
    }

    /// Rows of length √n; rows of zeros stay.
    fn normalise<'s>(&mut self, step: &mut Step<'s>, e: Matrix<'s>) -> Result {
        let (column, length) = (step.scratch(e.rows(), 1)?, (e.columns() as f64).sqrt());
        step.row_dot(column, e, e)?;
        step.read(column, &mut self.values)?;
        for value in &mut self.values {
            *value = if *value > 0.0 { length / value.sqrt() } else { 0.0 };
        }
        step.write(column, &self.values)?;
        step.row_scale(e, column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guesswork_plugin::testing::{Activation, Grid, Host, Network};
    use guesswork_plugin::{DType, dense};

    fn error(host: &Host) -> Grid {
        let p = host.logits().softmax();
        Grid::from_fn(p.rows(), p.columns(), |i, j| p[(i, j)] - f64::from(host.labels()[i] == j))
    }

    /// What the host would find: ⟨δ_{l,i}, E_{l,i}⟩ for each guess, site and example.
    fn scalars(host: &Host, guesses: usize, batch: usize) -> Vec<f64> {
        let mut all = Vec::new();
        for guess in 0..guesses {
            for site in 0..host.network().sites() {
                let (delta, e) = (host.true_signal(site), host.signal(site, guess));
                let size = e.rows() * e.columns() / batch;
                let (delta, e) = (delta.reshape(batch, size), e.reshape(batch, size));
                all.extend((0..batch).map(|i| dense::dot(delta.row(i), e.row(i))));
            }
        }
        all
    }

    fn check(network: Network) {
        let batch = 5;
        let setup = Host::of::<LearnedFeedback>().network(network).batch(batch).guesses(2).param("noise", 0.5);
        let mut host = setup.param("lr", 0.7).start().unwrap();
        host.step().unwrap();
        let (last, classes) = (host.network().sites() - 1, host.logits().columns());
        let columns =
            |host: &Host, site: usize| host.derivative(site).columns() * host.network().rows_per_example(site);
        let draw = |host: &Host, site: usize, guess: usize| {
            let n = columns(host, site);
            host.normal(site, guess, 0, classes, n).map(|value| value * (2.0 / n as f64).sqrt())
        };
        let mut matrices: Vec<Vec<Grid>> =
            (0..2).map(|guess| (0..last).map(|site| draw(&host, site, guess)).collect()).collect();
        for _ in 0..3 {
            let (e, d) = (error(&host), scalars(&host, 2, batch));
            for (guess, matrices) in matrices.iter_mut().enumerate() {
                host.signal(last, guess).assert_close(&e, 1e-14);
                for (site, b) in matrices.iter_mut().enumerate() {
                    let (mask, n) = (host.derivative(site), columns(&host, site));
                    let length = |i: usize| dense::dot(e.row(i), e.row(i)).sqrt();
                    let noise = host.normal(site, guess, 1, batch, n);
                    let scale = 0.5 * (2.0 / n as f64).sqrt();
                    let noise = Grid::from_fn(batch, n, |i, j| scale * length(i) * noise[(i, j)]);
                    let raw = e.matmul(b).plus(&noise).reshape(mask.rows(), mask.columns()).hadamard(mask);
                    let long = |i: usize| dense::dot(raw.row(i), raw.row(i)).sqrt();
                    let width = (raw.columns() as f64).sqrt();
                    let unit = |i: usize, j: usize| if long(i) > 0.0 { width * raw[(i, j)] / long(i) } else { 0.0 };
                    let expected = Grid::from_fn(raw.rows(), raw.columns(), unit);
                    host.signal(site, guess).assert_close(&expected, 1e-11);
                    // One normalised step for each example, their mean.
                    let seen = expected.hadamard(mask).reshape(batch, n);
                    let foretold = e.matmul(b);
                    let mut sum = Grid::constant(classes, n, 0.0);
                    for i in 0..batch {
                        let y = batch as f64 * d[(guess * (last + 1) + site) * batch + i];
                        let sides = dense::dot(e.row(i), e.row(i)) * dense::dot(seen.row(i), seen.row(i));
                        let c = 0.7 / batch as f64 * (y - dense::dot(foretold.row(i), seen.row(i)));
                        let c = if sides > 0.0 { c / sides } else { 0.0 };
                        sum = sum.plus(&Grid::from_fn(classes, n, |row, j| c * e[(i, row)] * seen[(i, j)]));
                    }
                    *b = b.plus(&sum);
                }
            }
            host.observe(1.0, &d, 1.0).unwrap();
            host.step().unwrap();
        }
    }

    #[test]
    fn the_feedback_moves_towards_what_was_found() {
        check(Network::mlp(&[6, 5, 4, 3], Activation::Tanh));
        check(Network::residual(4, 6, 3, 3, Activation::Relu));
        check(Network::tokens(3, &[4, 5, 6, 2], Activation::Tanh));
    }

    fn degrees(a: &Grid, b: &Grid) -> f64 {
        let (a, b) = (a.values(), b.values());
        (dense::dot(a, b) / (dense::dot(a, a) * dense::dot(b, b)).sqrt()).clamp(-1.0, 1.0).acos().to_degrees()
    }

    /// Where the derivative of the logits is one matrix, W_L … W_{l+1}, less its part that no error sees (the errors of an example sum to
    /// 0), the feedback becomes that matrix: from more than 50° to less than 2° in 500 steps, for both layers. Seed 1.
    #[test]
    fn in_a_linear_network_the_feedback_becomes_the_product_of_the_weights() {
        let (batch, steps) = (16, 500);
        let network = Network::mlp(&[6, 5, 4, 3], Activation::Identity);
        let mut host = Host::of::<LearnedFeedback>().network(network).batch(batch).guesses(1).seed(1).start().unwrap();
        let centred = |m: &Grid| {
            let mean = |j: usize| (0..m.rows()).map(|i| m[(i, j)]).sum::<f64>() / m.rows() as f64;
            Grid::from_fn(m.rows(), m.columns(), |i, j| m[(i, j)] - mean(j))
        };
        let upper = host.network().weight(2).clone();
        let true_ones = [upper.matmul(host.network().weight(1)), upper];
        let angles =
            |host: &Host| [0, 1].map(|l| degrees(&centred(&host.persistent(1 + 2 * l)), &centred(&true_ones[l])));
        host.step().unwrap();
        let first = angles(&host);
        for _ in 0..steps {
            let d = scalars(&host, 1, batch);
            host.observe(1.0, &d, 1.0).unwrap();
            host.step().unwrap();
        }
        let last = angles(&host);
        assert!(first.iter().all(|angle| *angle > 50.0), "{first:?}");
        assert!(last.iter().all(|angle| *angle < 2.0), "{first:?} to {last:?}");
    }

    #[test]
    fn it_runs_in_single_precision() {
        let mut host = Host::of::<LearnedFeedback>().dtype(DType::F32).start().unwrap();
        host.step().unwrap();
        let d = vec![0.01; host.network().sites() * host.labels().len()];
        host.observe(1.0, &d, 1.0).unwrap();
        host.step().unwrap();
    }
}
