//! Feedback alignment: E_L = p − y, E_l = (E_{l+1} B_{l+1}) ⊙ M_l with a fixed random B_{l+1} in place of W_{l+1}.
//!
//! The signal is carried down as backpropagation would, through matrices that never change; training turns the weights towards
//! them. Each guess of a step has matrices of its own. B_{l+1} is drawn as He draws W_{l+1}, from N(0, 2/n_l), at the lane's first
//! step, and kept in its checkpoints.
//!
//! Where an example has several rows (positions, tokens) or several sites follow a site, each B stands for the whole way
//! between two sites: (P_f·n_f) × (P_l·n_l) on an example's rows side by side, and the ways add up.
//!
//! Source: Lillicrap, Cownden, Tweed, Akerman, *Random synaptic feedback weights support error backpropagation for deep
//! learning*, 2016.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | B above layer l, at the first step | normal, scale √(2/(P_l·n_l)) | l − 1, k, place f of the site in `following` (0 in a chain) | (P_f·n_f) × (P_l·n_l) |

use crate::kept::{bounded, feedback};
use guesswork_plugin::{CallMode, Error, Flag, Info, Kind, Model, Plan, Result, Role, Service, Step, Strategy};

/// The strategy; see the module.
#[derive(Debug)]
pub struct FeedbackAlignment {
    /// For each guess and site, the persistent matrix of its first way up; those of the other ways follow.
    first: Vec<Vec<usize>>,
}

impl Strategy for FeedbackAlignment {
    type Params = ();

    const INFO: Info = Info::new("feedback-alignment", Kind::Signal)
        .name("Feedback alignment")
        .version(env!("CARGO_PKG_VERSION"))
        .description("The output error carried down layer by layer through fixed random matrices.")
        .formula("E_L = p − y,  E_l = (E_{l+1} B_{l+1}) ⊙ M_l,  B fixed, ~ N(0, 2/n_l)")
        .citation("Lillicrap et al. 2016, Nature Communications 7:13276")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::OutputError, Role::Derivative])
        .services(&[Service::Ops, Service::Rng])
        .flags(&[Flag::Deterministic]);

    fn create((): ()) -> Result<Self> {
        Ok(Self { first: Vec::new() })
    }

    fn prepare(&mut self, model: &Model, plan: &mut Plan) -> Result {
        plan.call_mode = CallMode::Model;
        self.first = vec![vec![0; model.sites.len()]; model.guesses];
        for (guess, first) in self.first.iter_mut().enumerate() {
            for (site, first) in model.sites.iter().zip(first) {
                *first = plan.persistent.len();
                for &next in &site.following {
                    let above =
                        model.sites.get(next).ok_or_else(|| Error::invalid("a site follows that is not there"))?;
                    let (rows, columns) = (above.rows_per_example * above.width, site.rows_per_example * site.width);
                    let place = format!("from `{}` to `{}`", above.name, site.name);
                    bounded(rows, columns, &place, "use direct-feedback, whose matrices have a row a class")?;
                    plan.persist(format!("feedback.{}.{}.{guess}", site.name, above.name), rows, columns);
                }
            }
        }
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        let (model, batch) = (step.model(), step.batch());
        for guess in step.guesses() {
            for site in step.sites().rev() {
                let (signal, place) = (step.signal(site, guess)?, &model.sites[site]);
                if place.following.is_empty() {
                    step.copy(signal, step.input(Role::OutputError, site)?)?;
                    continue;
                }
                let below = step.reshape(signal, batch, place.rows_per_example * place.width)?;
                for (way, &next) in place.following.iter().enumerate() {
                    let b = feedback(step, self.first[guess][site] + way, [site, guess, way])?;
                    let above = step.reshape(step.signal(next, guess)?, batch, b.rows())?;
                    step.gemm(below, 1.0, above, b, if way == 0 { 0.0 } else { 1.0 })?;
                }
                step.hadamard(signal, step.input(Role::Derivative, site)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guesswork_plugin::DType;
    use guesswork_plugin::testing::{Activation, Grid, Host, Network};

    const BATCH: usize = 5;

    /// p − y.
    fn error(host: &Host) -> Grid {
        let p = host.logits().softmax();
        Grid::from_fn(p.rows(), p.columns(), |i, j| p[(i, j)] - f64::from(host.labels()[i] == j))
    }

    fn check(network: Network) {
        let mut host = Host::of::<FeedbackAlignment>().network(network).batch(BATCH).guesses(2).start().unwrap();
        assert_eq!(host.call_mode(), CallMode::Model);
        host.step().unwrap();
        let last = host.network().sites() - 1;
        // The matrices, as they are drawn at the first step.
        let size =
            |host: &Host, site: usize| host.network().rows_per_example(site) * host.network().weight(site).rows();
        let drawn = |host: &Host, [site, guess, way, next]: [usize; 4]| {
            let (rows, columns) = (size(host, next), size(host, site));
            host.normal(site, guess, way, rows, columns).map(|value| value * (2.0 / columns as f64).sqrt())
        };
        let mut matrices = std::collections::BTreeMap::new();
        for guess in 0..2 {
            for site in 0..last {
                for (way, next) in host.network().following(site).into_iter().enumerate() {
                    matrices.insert((guess, site, next), drawn(&host, [site, guess, way, next]));
                }
            }
        }
        for _ in 0..2 {
            for guess in 0..2 {
                let mut signals = vec![error(&host); last + 1];
                for site in (0..last).rev() {
                    let (shape, columns) = (host.derivative(site), size(&host, site));
                    let mut sum = Grid::constant(BATCH, columns, 0.0);
                    for next in host.network().following(site) {
                        let above = signals[next].reshape(BATCH, size(&host, next));
                        sum = sum.plus(&above.matmul(&matrices[&(guess, site, next)]));
                    }
                    signals[site] = sum.reshape(shape.rows(), shape.columns()).hadamard(shape);
                }
                for (site, expected) in signals.iter().enumerate() {
                    host.signal(site, guess).assert_close(expected, 1e-13);
                }
            }
            // Another step has another batch and the same matrices.
            host.step().unwrap();
        }
    }

    #[test]
    fn the_error_comes_down_through_matrices_that_stay() {
        check(Network::mlp(&[6, 5, 4, 3], Activation::Tanh));
        check(Network::residual(4, 6, 3, 3, Activation::Relu));
        check(Network::tokens(3, &[4, 5, 6, 2], Activation::Tanh));
    }

    #[test]
    fn it_runs_in_single_precision() {
        let mut host = Host::of::<FeedbackAlignment>().dtype(DType::F32).start().unwrap();
        host.step().unwrap();
        host.step().unwrap();
    }
}
