//! Learned feedback: E_L = p − y, E_l = ((p − y) B_l) ⊙ M_l, where B_l is a running mean of the derivatives of the logits.
//!
//! Were B_l the derivative ∂S_L/∂X_l, the guess would be the true signal. So each step looks, by one pass of the forward mode, how the
//! logits move while the activations of all layers move by P_l ~ N(0, I) at once. Since E[ẋ_{L,i} P_{l,i}ᵀ] = ∂S_{L,i}/∂X_{l,i},
//!
//! B_l ← (1 − α) B_l + (α/B) Σ_i ẋ_{L,i} P_{l,i}ᵀ
//!
//! is a running mean of that derivative over examples and steps: in a linear network it tends to W_L … W_{l+1}, in others to the mean over
//! the examples. The guess of a step is made with what was learned before it.
//!
//! The guess is the estimate as it is, unless the lane names a source of scalars. Each guess of a step has matrices and movements of
//! its own; B_l begins at N(0, 2/n_l) and is kept in the lane's checkpoints. Where an example has several rows, B_l is C × (P_l·n_l) on
//! its rows side by side. It reads no weight.
//!
//! Source: Bacho and Chu, *Low-Variance Forward Gradients using Direct Feedback Alignment and Momentum*, 2022, arXiv 2212.07282.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | B_l, at the first step | normal, scale √(2/(P_l·n_l)) | l − 1, k, 0 | C × (P_l·n_l) |
//! | P_l | normal | l − 1, k, 1 | (B·P_l) × n_l |

use crate::kept::{bounded, feedback};
use guesswork_plugin::{CallMode, Error, Flag, Info, Kind, Model, Param, Plan, Result, Role, Service, Step, Strategy};
use serde::Deserialize;

/// Parameters of the strategy.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Params {
    /// Share α of a step in the running mean.
    pub rate: f64,
}

/// The strategy; see the module.
#[derive(Debug)]
pub struct LearnedFeedback {
    params: Params,
    /// Sites below the logits.
    below: usize,
}

impl Strategy for LearnedFeedback {
    type Params = Params;

    const INFO: Info = Info::new("learned-feedback", Kind::Signal)
        .name("Learned feedback")
        .version(env!("CARGO_PKG_VERSION"))
        .description("The output error brought to every layer by a running mean of the derivatives of the logits.")
        .formula("E_l = ((p − y) B_l) ⊙ M_l,  B_l ← (1 − α) B_l + α mean_i ẋ_{L,i} P_{l,i}ᵀ,  P ~ N(0, I)")
        .citation("Bacho and Chu 2022, arXiv 2212.07282")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::OutputError, Role::Derivative])
        .services(&[Service::Ops, Service::Rng, Service::Oracle, Service::Scratch])
        .flags(&[Flag::Deterministic, Flag::Unscaled]);

    const PARAMS: &'static [Param] = &[Param::float("rate", 0.1)
        .bounds(0.0, 1.0)
        .doc("Share α of a step in the running mean that the feedback is; 0 leaves it as it began.")];

    fn create(params: Params) -> Result<Self> {
        Ok(Self { params, below: 0 })
    }

    fn prepare(&mut self, model: &Model, plan: &mut Plan) -> Result {
        plan.call_mode = CallMode::Model;
        let outputs = model.outputs();
        if outputs > 1 {
            return Err(Error::unsupported(format!(
                "the error of one output is brought to every layer, and this model is trained at {outputs}: use \
                 feedback-alignment, or a lane with global losses"
            )));
        }
        self.below = model.sites.len().saturating_sub(1);
        if self.params.rate > 0.0 {
            plan.oracle_budget = model.guesses as f64;
        }
        for guess in 0..model.guesses {
            for site in &model.sites[..self.below] {
                let columns = site.rows_per_example * site.width;
                bounded(model.classes, columns, &format!("to `{}`", site.name), "choose a smaller model")?;
                plan.persist(format!("feedback.{}.{guess}", site.name), model.classes, columns);
            }
        }
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        let batch = step.batch();
        step.each_guess(|step, site, guess| {
            let (signal, error) = (step.signal(site, guess)?, step.input(Role::OutputError, site)?);
            if step.is_last(site) {
                return step.copy(signal, error);
            }
            let b = feedback(step, guess * self.below + site, [site, guess, 0])?;
            let below = step.reshape(signal, batch, b.columns())?;
            step.matmul(below, error, b)?;
            step.hadamard(signal, step.input(Role::Derivative, site)?)
        })?;
        if self.params.rate > 0.0 { self.learn(step) } else { Ok(()) }
    }
}

impl LearnedFeedback {
    /// Looks along a movement of all activations for each guess, and takes what it shows into the running means.
    fn learn(&self, step: &mut Step<'_>) -> Result {
        let (batch, rate) = (step.batch(), self.params.rate);
        let error = step.input(Role::OutputError, self.below)?;
        let seen = step.scratch(batch, error.columns())?;
        let mut moved = Vec::with_capacity(self.below + 1);
        for site in 0..self.below {
            let mask = step.input(Role::Derivative, site)?;
            moved.push(Some(step.scratch(mask.rows(), mask.columns())?));
        }
        moved.push(None);
        for guess in step.guesses() {
            for (site, movement) in moved.iter().enumerate() {
                if let Some(movement) = *movement {
                    step.normal(movement, site, guess, 1, 1.0)?;
                }
            }
            step.logit_tangent(&moved, seen)?;
            for (site, movement) in moved.iter().enumerate() {
                let Some(movement) = *movement else { continue };
                let b = step.persistent(guess * self.below + site)?;
                let movement = step.reshape(movement, batch, b.columns())?;
                step.gemm(b, rate / batch as f64, seen.t(), movement, 1.0 - rate)?;
            }
        }
        Ok(())
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

    fn columns(host: &Host, site: usize) -> usize {
        host.derivative(site).columns() * host.network().rows_per_example(site)
    }

    /// Guesses and feedback of three steps as the formula says, with the logits' movement from pulling every logit back.
    fn check(network: Network) {
        let batch = 5;
        let setup = Host::of::<LearnedFeedback>().network(network).batch(batch).guesses(2).param("rate", 0.3);
        let mut host = setup.start().unwrap();
        host.step().unwrap();
        let (last, classes) = (host.network().sites() - 1, host.logits().columns());
        let draw = |host: &Host, site: usize, guess: usize| {
            let n = columns(host, site);
            host.normal(site, guess, 0, classes, n).map(|value| value * (2.0 / n as f64).sqrt())
        };
        let mut matrices: Vec<Vec<Grid>> =
            (0..2).map(|guess| (0..last).map(|site| draw(&host, site, guess)).collect()).collect();
        for _ in 0..3 {
            let e = error(&host);
            for (guess, matrices) in matrices.iter_mut().enumerate() {
                host.signal(last, guess).assert_close(&e, 1e-14);
                let movement = |site: usize| host.normal(site, guess, 1, batch, columns(&host, site));
                let seen = Grid::from_fn(batch, classes, |i, class| {
                    (0..last).map(|site| dense::dot(derivative(&host, site, class).row(i), movement(site).row(i))).sum()
                });
                for (site, b) in matrices.iter_mut().enumerate() {
                    let mask = host.derivative(site);
                    let expected = e.matmul(b).reshape(mask.rows(), mask.columns()).hadamard(mask);
                    host.signal(site, guess).assert_close(&expected, 1e-12);
                    *b = b.map(|b| 0.7 * b).plus(&seen.t().matmul(&movement(site)).map(|m| 0.3 / batch as f64 * m));
                    host.persistent(guess * last + site).assert_close(b, 1e-12);
                }
            }
            host.step().unwrap();
        }
    }

    /// ∂S_{L,i,class}/∂X_{l,i} for every example i, B × (P_l·n_l).
    fn derivative(host: &Host, site: usize, class: usize) -> Grid {
        let network = host.network();
        let (batch, last) = (host.labels().len(), network.sites() - 1);
        let mut signals: Vec<Option<Grid>> = (0..=last).map(|_| None).collect();
        signals[last] = Some(Grid::from_fn(batch, host.logits().columns(), |_, j| f64::from(j == class)));
        for before in (site..last).rev() {
            let following: Vec<Grid> =
                network.following(before).into_iter().map(|next| signals[next].clone().expect("made")).collect();
            // Of the site itself by its activation: the mask left out.
            let mask = host.derivative(before);
            let ones = if before == site { mask.map(|_| 1.0) } else { mask.clone() };
            signals[before] = Some(network.pull_back(before, batch, &following, &ones));
        }
        signals[site].take().expect("made").reshape(batch, columns(host, site))
    }

    #[test]
    fn the_feedback_is_a_running_mean_of_what_was_seen() {
        check(Network::mlp(&[6, 5, 4, 3], Activation::Tanh));
        check(Network::residual(4, 6, 3, 3, Activation::Relu));
        check(Network::tokens(3, &[4, 5, 6, 2], Activation::Tanh));
    }

    fn degrees(a: &Grid, b: &Grid) -> f64 {
        let (a, b) = (a.values(), b.values());
        (dense::dot(a, b) / (dense::dot(a, a) * dense::dot(b, b)).sqrt()).clamp(-1.0, 1.0).acos().to_degrees()
    }

    /// From more than 45° to less than 6° of the mean derivative in 4000 steps at a rate of 0.002, for both layers of a network that
    /// stays as it is. Seed 1.
    #[test]
    fn the_feedback_becomes_the_mean_derivative() {
        for activation in [Activation::Identity, Activation::Tanh] {
            let (batch, steps) = (16, 4000);
            let network = Network::mlp(&[6, 5, 4, 3], activation);
            let setup = Host::of::<LearnedFeedback>().network(network).batch(batch).guesses(1).param("rate", 0.002);
            let mut host = setup.seed(1).start().unwrap();
            host.step().unwrap();
            let mean = |host: &Host, site: usize| {
                let rows: Vec<Grid> = (0..3).map(|class| derivative(host, site, class)).collect();
                Grid::from_fn(3, columns(host, site), |class, j| {
                    (0..batch).map(|i| rows[class][(i, j)]).sum::<f64>() / batch as f64
                })
            };
            let angles = |host: &Host| [0, 1].map(|l| degrees(&host.persistent(l), &mean(host, l)));
            let first = angles(&host);
            for _ in 0..steps {
                host.step().unwrap();
            }
            let last = angles(&host);
            assert!(first.iter().all(|angle| *angle > 45.0), "{first:?}");
            assert!(last.iter().all(|angle| *angle < 6.0), "{first:?} to {last:?}");
        }
    }

    #[test]
    fn without_a_rate_the_feedback_stays_and_asks_nothing() {
        let mut host = Host::of::<LearnedFeedback>().param("rate", 0.0).start().unwrap();
        host.step().unwrap();
        let before = host.persistent(0);
        host.step().unwrap();
        host.persistent(0).assert_close(&before, 0.0);
    }

    #[test]
    fn it_runs_in_single_precision() {
        let mut host = Host::of::<LearnedFeedback>().dtype(DType::F32).start().unwrap();
        host.step().unwrap();
        host.step().unwrap();
    }
}
