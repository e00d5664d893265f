//! Label guess: E_{L,i} = softmax(S_{L,i}) − onehot(c_i) with a drawn class c_i, carried down as the true signal would
//! be: E_l = (E_{l+1} W_{l+1}) ⊙ M_l.
//!
//! With the softmax cross-entropy the signal at the logits is one of C known vectors, one a class: the guess draws
//! which, from softmax(S_{L,i}) or uniformly. It never reads a label. (The true signal carries the mean's 1/B as well;
//! a guess is a direction, so that factor is left out.)
//!
//! `depth` is the number of layers below the logits that the guess is carried down to, 0 for all. A site is as far from
//! the logits as the longest way between them has layers, so that everything that follows a site within the depth is
//! within it too. The sites beyond get E_l = ε ⊙ M_l, ε ~ N(0, I), as in activity perturbation, so that every layer
//! goes on learning: a zero there would freeze it.
//!
//! Source: the observation that the last layer's gradient is known up to the label; compare Singhal et al., *How to
//! Guess a Gradient*, 2023, arXiv 2312.04709.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | classes c | categorical | L − 1, k, 0 | B × 1 |
//! | ε at layer l beyond the depth | normal | l − 1, k, 0 | (B·P_l) × n_l |

use guesswork_plugin::{CallMode, Flag, Info, Kind, Matrix, Model, Param, Plan, Result, Role, Service, Step, Strategy};
use serde::Deserialize;

/// What the class is drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// All classes alike.
    Uniform,
    /// The model's own softmax(S_L).
    Softmax,
}

/// Parameters of the strategy.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Params {
    /// What the class is drawn from.
    pub class: Class,
    /// Layers below the logits that the guess is carried down to; 0 for all.
    pub depth: usize,
}

/// The strategy; see the module.
#[derive(Debug)]
pub struct LabelGuess {
    params: Params,
    /// For each site, whether the guess is carried down to it.
    reached: Vec<bool>,
}

impl Strategy for LabelGuess {
    type Params = Params;

    const INFO: Info = Info::new("label-guess", Kind::Signal)
        .name("Label guess")
        .version(env!("CARGO_PKG_VERSION"))
        .description("The signal as it would be if a drawn class were the label, carried down exactly.")
        .formula("E_L = softmax(S_L) − onehot(c),  E_l = (E_{l+1} W_{l+1}) ⊙ M_l")
        .citation("Compare Singhal et al., How to Guess a Gradient, 2023, arXiv 2312.04709")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::Logits, Role::Weight, Role::Derivative])
        .services(&[Service::Ops, Service::Rng, Service::Scratch])
        .flags(&[Flag::Deterministic, Flag::Stateless]);

    const PARAMS: &'static [Param] = &[
        Param::choice("class", &["uniform", "softmax"], "softmax").doc("What the class is drawn from."),
        Param::int("depth", 0)
            .range(0, 64)
            .doc("Layers below the logits that the guess is carried down to; 0 for all. Noise beyond."),
    ];

    fn create(params: Params) -> Result<Self> {
        Ok(Self { params, reached: Vec::new() })
    }

    fn prepare(&mut self, model: &Model, plan: &mut Plan) -> Result {
        plan.call_mode = CallMode::Model;
        plan.independent = true;
        let depth = if self.params.depth == 0 { usize::MAX } else { self.params.depth };
        self.reached = model.distances().into_iter().map(|distance| distance <= depth).collect();
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        for guess in step.guesses() {
            for site in step.sites().rev() {
                let signal = step.signal(site, guess)?;
                let following = &step.model().sites[site].following;
                if following.is_empty() {
                    self.at_output(step, signal, [site, guess])?;
                } else if self.reached[site] {
                    let above = following.iter().map(|&next| step.signal(next, guess)).collect::<Result<Vec<_>>>()?;
                    step.pull_back(site, &above, signal)?;
                } else {
                    step.normal(signal, site, guess, 0, 1.0)?;
                    step.hadamard(signal, step.input(Role::Derivative, site)?)?;
                }
            }
        }
        Ok(())
    }
}

impl LabelGuess {
    /// `signal ← softmax(S) − onehot(c)` at an output: C scores after C scores, each with a class of its own.
    fn at_output<'s>(&self, step: &mut Step<'s>, signal: Matrix<'s>, [site, guess]: [usize; 2]) -> Result {
        let scores = step.input(Role::Logits, site)?;
        let classes = step.model().classes;
        let rows = scores.rows() * scores.columns() / classes;
        let (scores, signal) = (step.reshape(scores, rows, classes)?, step.reshape(signal, rows, classes)?);
        let (drawn, work) = (step.scratch(rows, 1)?, step.scratch(rows, classes)?);
        step.softmax(signal, scores)?;
        match self.params.class {
            Class::Softmax => step.categorical(drawn, signal, site, guess, 0)?,
            Class::Uniform => {
                step.fill(work, 1.0 / classes as f64)?;
                step.categorical(drawn, work, site, guess, 0)?;
            }
        }
        step.one_hot(work, drawn)?;
        step.axpy(signal, -1.0, work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guesswork_plugin::testing::{Activation, Grid, Host, Network};

    fn check(network: Network, class: &str, depth: i64, reached: &[bool]) {
        let setup = Host::of::<LabelGuess>().network(network).batch(5).guesses(2);
        let mut host = setup.param("class", class).param("depth", depth).start().unwrap();
        assert_eq!(host.call_mode(), CallMode::Model);
        host.step().unwrap();
        let last = host.network().sites() - 1;
        for guess in 0..2 {
            let p = host.logits().softmax();
            let drawn_from = if class == "softmax" { p.clone() } else { p.map(|_| 1.0 / p.columns() as f64) };
            let classes = host.classes(last, guess, 0, &drawn_from);
            let top = Grid::from_fn(5, p.columns(), |i, j| p[(i, j)] - f64::from(classes[i] == j));
            let mut signals = vec![top; last + 1];
            for site in (0..last).rev() {
                let mask = host.derivative(site);
                signals[site] = if reached[site] {
                    let above: Vec<Grid> =
                        host.network().following(site).into_iter().map(|next| signals[next].clone()).collect();
                    host.network().pull_back(site, 5, &above, mask)
                } else {
                    host.normal(site, guess, 0, mask.rows(), mask.columns()).hadamard(mask)
                };
            }
            for (site, expected) in signals.iter().enumerate() {
                host.signal(site, guess).assert_close(expected, 1e-13);
            }
        }
    }

    #[test]
    fn a_drawn_class_is_carried_down() {
        for class in ["softmax", "uniform"] {
            check(Network::mlp(&[6, 5, 4, 3], Activation::Tanh), class, 0, &[true; 3]);
            check(Network::mlp(&[6, 5, 4, 3], Activation::Tanh), class, 1, &[false, true, true]);
            check(Network::residual(4, 6, 3, 3, Activation::Relu), class, 2, &[false, true, true, true]);
            check(Network::tokens(3, &[4, 5, 6, 2], Activation::Tanh), class, 0, &[true; 3]);
        }
    }

    /// Were the drawn classes the labels, the guess would be the true signal times B.
    #[test]
    fn the_guess_agrees_with_the_true_signal_where_the_class_is_the_label() {
        let network = Network::mlp(&[6, 5, 4, 3], Activation::Tanh);
        let mut host = Host::of::<LabelGuess>().network(network).batch(12).start().unwrap();
        host.step().unwrap();
        let classes = host.classes(2, 0, 0, &host.logits().softmax());
        let hits: Vec<usize> = (0..12).filter(|&i| classes[i] == host.labels()[i]).collect();
        assert!(!hits.is_empty() && hits.len() < 12);
        for site in 0..3 {
            let (guess, truth) = (host.signal(site, 0), host.true_signal(site).map(|value| 12.0 * value));
            for &i in &hits {
                let row = |grid: &Grid| Grid::new(1, grid.columns(), grid.row(i).to_vec());
                row(&guess).assert_close(&row(&truth), 1e-14);
            }
        }
    }
}
