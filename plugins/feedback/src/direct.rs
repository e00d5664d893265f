//! Direct feedback: E_L = p − y, E_l = ((p − y) B_l) ⊙ M_l with a fixed random B_l of C × n_l.
//!
//! The output error reaches every layer at once. Each guess of a step has matrices of its own, drawn from N(0, 2/n_l) at the lane's
//! first step and kept in its checkpoints. Where an example has several rows, B_l is C × (P_l·n_l) on its rows side by side.
//!
//! Over the draws of B_l the estimate at scope `example-layer` has the mean (2/(P_l·n_l)) Σ_i ‖p_i − y_i‖² (δ_{l,i} ⊙ M_{l,i}²)
//! x_{l-1,i}ᵀ: activity perturbation whose examples count by their error.
//!
//! Source: Nøkland, *Direct Feedback Alignment Provides Learning in Deep Neural Networks*, 2016, arXiv 1609.01596; as a direction of
//! forward derivatives Bacho and Chu 2022, arXiv 2212.07282.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | B_l, at the first step | normal, scale √(2/(P_l·n_l)) | l − 1, k, 0 | C × (P_l·n_l) |

use crate::kept::{bounded, feedback};
use guesswork_plugin::{CallMode, Error, Flag, Info, Kind, Model, Plan, Result, Role, Service, Step, Strategy};

/// The strategy; see the module.
#[derive(Debug)]
pub struct DirectFeedback {
    /// Sites below the logits.
    below: usize,
}

impl Strategy for DirectFeedback {
    type Params = ();

    const INFO: Info = Info::new("direct-feedback", Kind::Signal)
        .name("Direct feedback alignment")
        .version(env!("CARGO_PKG_VERSION"))
        .description("The output error brought to every layer by one fixed random matrix each.")
        .formula("E_L = p − y,  E_l = ((p − y) B_l) ⊙ M_l,  B fixed, ~ N(0, 2/n_l)")
        .citation("Nøkland 2016, arXiv 1609.01596; Bacho and Chu 2022, arXiv 2212.07282")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::OutputError, Role::Derivative])
        .services(&[Service::Ops, Service::Rng])
        .flags(&[Flag::Deterministic]);

    fn create((): ()) -> Result<Self> {
        Ok(Self { below: 0 })
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
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guesswork_plugin::testing::{Activation, Grid, Host, Network};
    use guesswork_plugin::{DType, dense};

    const BATCH: usize = 5;

    fn error(host: &Host) -> Grid {
        let p = host.logits().softmax();
        Grid::from_fn(p.rows(), p.columns(), |i, j| p[(i, j)] - f64::from(host.labels()[i] == j))
    }

    fn started(network: Network, seed: u64) -> Host {
        let mut host =
            Host::of::<DirectFeedback>().network(network).batch(BATCH).guesses(2).seed(seed).start().unwrap();
        host.step().unwrap();
        host
    }

    fn check(network: Network) {
        let mut host = started(network, 1);
        let last = host.network().sites() - 1;
        let classes = host.logits().columns();
        let columns =
            |host: &Host, site: usize| host.network().rows_per_example(site) * host.derivative(site).columns();
        let matrix = |host: &Host, site: usize, guess: usize| {
            let scale = (2.0 / columns(host, site) as f64).sqrt();
            host.normal(site, guess, 0, classes, columns(host, site)).map(|value| scale * value)
        };
        let kept: Vec<Vec<Grid>> =
            (0..2).map(|guess| (0..last).map(|site| matrix(&host, site, guess)).collect()).collect();
        for _ in 0..2 {
            for (guess, kept) in kept.iter().enumerate() {
                for (site, b) in kept.iter().enumerate() {
                    let shape = host.derivative(site);
                    let expected = error(&host).matmul(b).reshape(shape.rows(), shape.columns()).hadamard(shape);
                    host.signal(site, guess).assert_close(&expected, 1e-13);
                }
                host.signal(last, guess).assert_close(&error(&host), 1e-15);
            }
            host.step().unwrap();
        }
    }

    #[test]
    fn the_error_reaches_every_layer_through_matrices_that_stay() {
        check(Network::mlp(&[6, 5, 4, 3], Activation::Tanh));
        check(Network::residual(4, 6, 3, 3, Activation::Relu));
        check(Network::tokens(3, &[4, 5, 6, 2], Activation::Tanh));
    }

    /// Over the draws of B: E[⟨δ_i, E_i⟩ E_i] = (2/n)‖p_i − y_i‖² δ_i ⊙ M_i², where δ carries its mask once already.
    #[test]
    fn over_its_matrices_the_estimate_is_activity_perturbation_by_the_error() {
        let width = 6;
        let network = Network::mlp(&[5, width, 3], Activation::Tanh);
        // The batch is one of the seed; what changes are the guesses of one step, each with a B of its own.
        let guesses = 4000;
        let setup = Host::of::<DirectFeedback>().network(network).batch(2).guesses(guesses);
        let mut host = setup.start().unwrap();
        host.step().unwrap();
        let (delta, mask, error) = (host.true_signal(0), host.derivative(0).clone(), error(&host));
        for i in 0..2 {
            let (mut mean, mut square) = (vec![0.0; width], vec![0.0; width]);
            for guess in 0..guesses {
                let e = host.signal(0, guess);
                let d = dense::dot(e.row(i), delta.row(i));
                for (j, e) in e.row(i).iter().enumerate() {
                    mean[j] += d * e / guesses as f64;
                    square[j] += (d * e).powi(2) / guesses as f64;
                }
            }
            let size = dense::dot(error.row(i), error.row(i));
            for j in 0..width {
                let expected = 2.0 / width as f64 * size * delta[(i, j)] * mask[(i, j)].powi(2);
                let deviation = ((square[j] - mean[j] * mean[j]) / guesses as f64).sqrt();
                assert!((mean[j] - expected).abs() < 5.0 * deviation, "{} for {expected} ± {deviation}", mean[j]);
            }
        }
    }

    #[test]
    fn it_runs_in_single_precision() {
        let mut host = Host::of::<DirectFeedback>().dtype(DType::F32).start().unwrap();
        host.step().unwrap();
        host.step().unwrap();
    }
}
