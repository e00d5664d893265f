//! Local loss: E_l = e_l H_l ⊙ M_l, the signal that a small classifier on layer l sends back: e_l = softmax(X_l H_lᵀ + b_l) − y.
//!
//! Every layer below the logits has an auxiliary head of its own, H_l of C × n_l with a bias, that no other layer's signal reaches:
//! the gradient of its loss is known as soon as X_l is, and serves as a guess of the gradient of the network's. Heads learn by
//! plain descent on their loss at the batch under way, at the rate `lr`, after the guess was made with them. H_l is drawn from
//! N(0, 2/n_l) at the lane's first step, each guess of a step with its own; heads are kept in the lane's checkpoints.
//!
//! Where an example has P_l rows, `loss` says what a head reads: `block` the mean of the rows (one loss an example), `patch` each
//! row by itself (a loss each, averaged). Either way the guess is B times the gradient of the head's mean loss. At an output it is
//! softmax(S_L) − y.
//!
//! The head reads the labels and no weight of the network, so that the strategy cannot build the gradient.
//!
//! Source: Fournier, Rivaud, Belilovsky, Eickenberg, Oyallon, *Can Forward Gradient Match Backpropagation?*, 2023, arXiv 2306.06968,
//! whose best guesses are gradients of such losses; blocks and patches as in Ren, Kornblith, Liao, Hinton, *Scaling Forward Gradient
//! With Local Losses*, 2023, arXiv 2210.03310.
//!
//! | draw | kind | site, guess, number | extent |
//! |---|---|---|---|
//! | H_l, at the first step | normal, scale √(2/n_l) | l − 1, k, 0 | C × n_l |

use crate::kept::{bounded, feedback};
use guesswork_plugin::{
    Error, Flag, Info, Input, Kind, Matrix, Model, Param, Plan, Result, Role, Service, Step, Strategy,
};
use serde::Deserialize;

/// What a head reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// The mean of an example's rows.
    Block,
    /// Each row by itself.
    Patch,
}

/// Parameters of the strategy.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Params {
    /// Learning rate of the heads.
    pub lr: f64,
    /// What a head reads.
    pub loss: Loss,
}

/// The strategy; see the module.
#[derive(Debug)]
pub struct LocalLoss {
    params: Params,
    places: Vec<Place>,
}

/// What is kept of a site.
#[derive(Debug)]
struct Place {
    /// For each guess the persistent matrix of its head, the bias after it; none at an output.
    heads: Vec<usize>,
    /// Scored rows an example.
    copies: usize,
    /// The persistent matrix [I I … I], C × (copies·C), where there are several.
    tile: Option<usize>,
}

impl Strategy for LocalLoss {
    type Params = Params;

    const INFO: Info = Info::new("local-loss", Kind::Signal)
        .name("Local loss")
        .version(env!("CARGO_PKG_VERSION"))
        .description("The gradient of a small classifier on each layer, which learns beside the network.")
        .formula("E_l = ((softmax(X_l H_lᵀ + b_l) − y) H_l) ⊙ M_l,  H_l learns at rate lr")
        .citation("Fournier et al. 2023, arXiv 2306.06968; Ren et al. 2023, arXiv 2210.03310")
        .licence(env!("CARGO_PKG_LICENSE"))
        .needs(&[Role::Labels, Role::Activation, Role::Derivative])
        .services(&[Service::Ops, Service::Rng, Service::Scratch])
        .flags(&[Flag::Deterministic]);

    const PARAMS: &'static [Param] = &[
        Param::float("lr", 0.1).bounds(0.0, 1e3).doc("Learning rate of the heads; 0 keeps them as they were drawn."),
        Param::choice("loss", &["block", "patch"], "block")
            .doc("Whether a head reads the mean of an example's rows (positions, tokens), or each row has a loss."),
    ];

    fn create(params: Params) -> Result<Self> {
        Ok(Self { params, places: Vec::new() })
    }

    fn prepare(&mut self, model: &Model, plan: &mut Plan) -> Result {
        let classes = model.classes;
        self.places.clear();
        for site in &model.sites {
            let output = site.following.is_empty();
            let copies = site.rows_per_example * if output { site.width / classes } else { 1 };
            let (name, mut heads) = (&site.name, Vec::new());
            if !output {
                bounded(classes, site.width, &format!("on `{name}`"), "choose a smaller model")?;
                for guess in 0..model.guesses {
                    heads.push(plan.persist(format!("head.{name}.{guess}"), classes, site.width));
                    plan.persist(format!("head.{name}.{guess}.bias"), 1, classes);
                }
            }
            let tile = (copies > 1).then(|| plan.persist(format!("tile.{name}"), classes, copies * classes));
            self.places.push(Place { heads, copies, tile });
        }
        Ok(())
    }

    fn propose(&mut self, step: &mut Step<'_>) -> Result {
        let (batch, classes) = (step.batch(), step.model().classes);
        step.each_guess(|step, site, guess| {
            let place = &self.places[site];
            let (signal, x) = (step.signal(site, guess)?, step.input(Role::Activation, site)?);
            if place.heads.is_empty() {
                step.copy(signal, x)?;
                let error = step.reshape(signal, batch * place.copies, classes)?;
                return place.against_labels(step, error);
            }
            let h = feedback(step, place.heads[guess], [site, guess, 0])?;
            let b = step.persistent(place.heads[guess] + 1)?;
            let error = self.error(step, place, x, h, b)?;
            step.matmul(signal, error, h)?;
            step.hadamard(signal, step.input(Role::Derivative, site)?)?;
            if self.params.lr > 0.0 {
                let rate = self.params.lr / batch as f64;
                step.gemm(h, -rate, error.t(), x, 1.0)?;
                let sum = step.scratch(1, classes)?;
                step.column_sum(sum, error)?;
                step.axpy(b, -rate, sum)?;
            }
            Ok(())
        })
    }
}

impl LocalLoss {
    /// B times the gradient of the head's mean loss with respect to X_l H_lᵀ, a row for each row of X_l.
    fn error<'s>(
        &self,
        step: &mut Step<'s>,
        place: &Place,
        x: Input<'s>,
        h: Matrix<'s>,
        b: Matrix<'s>,
    ) -> Result<Matrix<'s>> {
        let (batch, classes, share) = (step.batch(), h.rows(), 1.0 / place.copies as f64);
        let error = step.scratch(batch * place.copies, classes)?;
        step.matmul(error, x, h.t())?;
        match (self.params.loss, place.tile) {
            (Loss::Block, Some(_)) => {
                let (pooled, tile) = (step.scratch(batch, classes)?, place.tiled(step)?);
                let rows = step.reshape(error, batch, place.copies * classes)?;
                step.gemm(pooled, share, rows, tile.t(), 0.0)?;
                step.add_row(pooled, 1.0, b)?;
                Place { heads: Vec::new(), copies: 1, tile: None }.against_labels(step, pooled)?;
                step.gemm(rows, share, pooled, tile, 0.0)?;
            }
            _ => {
                step.add_row(error, 1.0, b)?;
                place.against_labels(step, error)?;
                if place.copies > 1 {
                    step.scale(error, share)?;
                }
            }
        }
        Ok(error)
    }
}

impl Place {
    /// `logits ← softmax(logits) − y`, the scored rows of an example one under the other, each against its label.
    fn against_labels<'s>(&self, step: &mut Step<'s>, logits: Matrix<'s>) -> Result {
        let (batch, classes) = (step.batch(), logits.columns());
        let labels = step.scratch(batch, classes)?;
        step.one_hot(labels, step.input(Role::Labels, 0)?)?;
        let raw = step.scratch(logits.rows(), classes)?;
        step.copy(raw, logits)?;
        step.softmax(logits, raw)?;
        match self.tile {
            None => step.axpy(logits, -1.0, labels),
            Some(_) => {
                let (tile, rows) = (self.tiled(step)?, step.reshape(logits, batch, self.copies * classes)?);
                step.gemm(rows, -1.0, labels, tile, 1.0)
            }
        }
    }

    /// [I I … I], made when it is first asked for.
    fn tiled<'s>(&self, step: &mut Step<'s>) -> Result<Matrix<'s>> {
        let index = self.tile.ok_or_else(|| Error::invalid("a site of one row has no tile"))?;
        let tile = step.persistent(index)?;
        if step.dot(tile, tile)? == 0.0 {
            let elements = step.reshape(tile, tile.rows() * tile.columns(), 1)?;
            for row in 0..tile.rows() {
                for column in (row..tile.columns()).step_by(tile.rows()) {
                    step.fill(step.rows(elements, row * tile.columns() + column, 1)?, 1.0)?;
                }
            }
        }
        Ok(tile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guesswork_plugin::testing::{Activation, Grid, Host, Network};
    use guesswork_plugin::{CallMode, DType};

    const BATCH: usize = 5;
    const RATE: f64 = 0.3;

    /// softmax(z) − y, each example's rows against its label.
    fn against_labels(host: &Host, logits: &Grid) -> Grid {
        let (p, copies) = (logits.softmax(), logits.rows() / BATCH);
        Grid::from_fn(p.rows(), p.columns(), |i, j| p[(i, j)] - f64::from(host.labels()[i / copies] == j))
    }

    /// The rows' error under a head, written down row by row.
    fn error(host: &Host, x: &Grid, h: &Grid, b: &Grid, loss: &str) -> Grid {
        let copies = x.rows() / BATCH;
        let logits = x.matmul(&h.t());
        let with_bias = |z: &Grid| Grid::from_fn(z.rows(), z.columns(), |i, j| z[(i, j)] + b[(0, j)]);
        let share = 1.0 / copies as f64;
        if loss == "patch" {
            return against_labels(host, &with_bias(&logits)).map(|value| share * value);
        }
        let mean = |i: usize, j: usize| (0..copies).map(|row| logits[(i * copies + row, j)]).sum::<f64>() * share;
        let pooled = against_labels(host, &with_bias(&Grid::from_fn(BATCH, h.rows(), mean)));
        Grid::from_fn(logits.rows(), h.rows(), |i, j| share * pooled[(i / copies, j)])
    }

    fn check(network: Network, loss: &str) {
        let setup = Host::of::<LocalLoss>().network(network).batch(BATCH).guesses(2);
        let mut host = setup.param("loss", loss).param("lr", RATE).start().unwrap();
        assert_eq!(host.call_mode(), CallMode::Layer);
        host.step().unwrap();
        let (last, classes) = (host.network().sites() - 1, host.logits().columns());
        let drawn = |site: usize, guess: usize| {
            let n = host.derivative(site).columns();
            host.normal(site, guess, 0, classes, n).map(|value| value * (2.0 / n as f64).sqrt())
        };
        let head = |site: usize, guess: usize| (drawn(site, guess), Grid::constant(1, classes, 0.0));
        let mut heads: Vec<Vec<(Grid, Grid)>> =
            (0..2).map(|guess| (0..last).map(|site| head(site, guess)).collect()).collect();
        for _ in 0..3 {
            for (guess, heads) in heads.iter_mut().enumerate() {
                for (site, (h, b)) in heads.iter_mut().enumerate() {
                    let x = host.activation(site);
                    let error = error(&host, x, h, b, loss);
                    let expected = error.matmul(h).hadamard(host.derivative(site));
                    host.signal(site, guess).assert_close(&expected, 1e-12);
                    // The head's own step: H ← H − (η/B) eᵀX, b ← b − (η/B) eᵀ1.
                    let rate = RATE / BATCH as f64;
                    *h = h.plus(&error.t().matmul(x).map(|value| -rate * value));
                    let ones = Grid::constant(1, error.rows(), -rate);
                    *b = b.plus(&ones.matmul(&error));
                }
                host.signal(last, guess).assert_close(&against_labels(&host, host.logits()), 1e-13);
            }
            host.step().unwrap();
        }
    }

    #[test]
    fn a_head_sends_its_gradient_back_and_learns_from_it() {
        for loss in ["block", "patch"] {
            check(Network::mlp(&[6, 5, 4, 3], Activation::Tanh), loss);
            check(Network::residual(4, 6, 3, 3, Activation::Relu), loss);
            check(Network::tokens(3, &[4, 5, 6, 2], Activation::Tanh), loss);
        }
    }

    #[test]
    fn it_runs_in_single_precision() {
        let mut host = Host::of::<LocalLoss>().dtype(DType::F32).start().unwrap();
        host.step().unwrap();
        host.step().unwrap();
    }
}
