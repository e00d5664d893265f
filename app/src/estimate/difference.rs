//! Directional derivatives by differences: losses at θ ± hV or with ±hE injected, two a guess and scalar; one-sided ones take the
//! loss at θ itself, which the forward pass has, for the second.
#![forbid(unsafe_code)]

use super::directions::{Directions, Point};
use super::estimator::Estimator;
use crate::kernel;
use crate::model::Tape;
use candle_core::{Result, Tensor, bail};

/// What differences need: a second tape and a second set of parameters.
#[derive(Debug)]
pub(super) struct Probe {
    tape: Tape,
    theta: Vec<Tensor>,
}

impl Probe {
    /// Buffers as `tape`'s and `theta`'s.
    pub(super) fn new(tape: &Tape, theta: &[Tensor]) -> Result<Self> {
        Ok(Self {
            tape: Tape::new(tape.graph().clone(), tape.batch(), tape.dtype(), tape.device())?,
            theta: theta.iter().map(Tensor::zeros_like).collect::<Result<_>>()?,
        })
    }
}

impl Estimator {
    /// Differences at step `h`, `central` or one-sided.
    pub(super) fn by_difference(&mut self, point: Point, directions: Directions, h: f64, central: bool) -> Result<()> {
        let (guesses, batch) = (self.settings.guesses, point.tape.batch());
        let sites = if self.settings.per_layer() { self.graph.sites.len() } else { 1 };
        let examples = if self.settings.per_example() { batch } else { 1 };
        self.scalars.reset(guesses, std::iter::repeat_n(examples, sites));
        let Some(probe) = &self.probe else { bail!("differences need a probe") };
        let here = match central {
            true => Vec::new(),
            false => point.loss.evaluate(point.tape.logits(), point.labels, None)?.examples,
        };
        let distance = if central { 2.0 * h } else { h };
        let signs: &[f64] = if central { &[h, -h] } else { &[h] };
        for guess in 0..guesses {
            for place in 0..sites {
                let moved = |site: usize| (sites == 1 || site == place) && !self.exact_output(site);
                let mut losses = [Vec::new(), Vec::new()];
                for (side, &sign) in losses.iter_mut().zip(signs) {
                    let (theta, injected);
                    if self.settings.per_example() {
                        let mut blocks = Vec::with_capacity(self.graph.sites.len());
                        for (site, matrix) in self.injection.iter().enumerate() {
                            let rows = point.tape.pre_activation(site).dim(0)?;
                            blocks.push(match matrix {
                                Some(matrix) if moved(site) => Some(matrix.narrow(0, guess * rows, rows)?),
                                _ => None,
                            });
                        }
                        (theta, injected) = (point.theta, Some(blocks));
                    } else {
                        let v: &[Tensor] = match directions {
                            Directions::Signal(_) => &self.directions[guess],
                            Directions::Weight(weights) => &weights[guess],
                        };
                        for site in 0..self.graph.sites.len() {
                            for index in self.parameters(site) {
                                kernel::copy(&probe.theta[index], &point.theta[index])?;
                                if moved(site) {
                                    kernel::axpy(&probe.theta[index], sign, &v[index])?;
                                }
                            }
                        }
                        (theta, injected) = (&probe.theta[..], None);
                    }
                    let injection = injected.as_ref().map(|blocks| (&blocks[..], sign));
                    probe.tape.forward(theta, point.data, injection, |_| Ok::<(), candle_core::Error>(()))?;
                    *side = point.loss.evaluate(probe.tape.logits(), point.labels, None)?.examples;
                }
                let row = self.scalars.row_mut(guess, place);
                let minus = if central { &losses[1] } else { &here };
                for (i, (plus, minus)) in losses[0].iter().zip(minus).enumerate() {
                    row[i.min(examples - 1)] += (plus - minus) / (distance * batch as f64);
                }
            }
        }
        Ok(())
    }
}
