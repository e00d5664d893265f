//! Measurements: the analysis side, and the only place where backpropagation may run beside a guess lane.
//!
//! Each has a cadence; none is computed when it is not due. What they cost is accounted apart from training.
#![forbid(unsafe_code)]

pub mod alignment;
pub mod bias;
pub mod containment;
pub mod evaluate;
pub mod examples;
pub mod hessian;
pub mod jackknife;
pub mod one_step;
pub mod peak;
pub mod spectrum;

use crate::data::Prepared;
use crate::estimate::{Estimator, Point};
use crate::kernel;
use crate::model::{Network, Tape};
use crate::objective::Loss;
use crate::record::{Key, Quantity};
use crate::workspace::Measure;
use candle_core::{Result, Tensor};
use evaluate::Evaluator;

/// Everything a measurement may look at: a point, the estimate made there and the data.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The step's point, before the update.
    pub point: Point<'a>,
    /// The lane's model.
    pub network: &'a Network,
    /// What is trained at the point: the loss of the batch, with those of heads.
    pub loss: f64,
    /// ĝ, shaped as the parameters.
    pub estimate: &'a [Tensor],
    /// What made the estimate; `None` when ĝ is the exact gradient or came from the strategy whole.
    pub estimator: Option<&'a Estimator>,
    /// Whether ĝ is the exact gradient itself.
    pub exact: bool,
    /// The data set.
    pub data: &'a Prepared,
}

/// The measurements of one lane, with the buffers they take.
#[derive(Debug)]
pub struct Measurer {
    cadence: Measure,
    gradient: Option<Vec<Tensor>>,
    probe: Option<(Tape, Vec<Tensor>)>,
    bias: Option<bias::Probe>,
    hessian: Option<hessian::Probe>,
    evaluator: Evaluator,
}

impl Measurer {
    /// The cadences of a trial of a tuning stage: what it is compared by is measured at its end, and no other split of the
    /// data is any of its business.
    pub fn trial(cadence: Measure) -> Self {
        Self::new(Measure { test: 0, train: 0, ..cadence })
    }

    /// Measurements at the given cadences; buffers are planned when first needed.
    pub fn new(cadence: Measure) -> Self {
        Self { cadence, gradient: None, probe: None, bias: None, hessian: None, evaluator: Evaluator::default() }
    }

    /// Whether anything is to be measured at `step`.
    pub fn due(&self, step: u64) -> bool {
        let c = &self.cadence;
        let beside = [c.alignment, c.examples, c.one_step, c.bias, c.containment, c.hessian, c.signal_spectrum];
        let alone = [c.spectrum, c.mask_density, c.test, c.train];
        beside.iter().chain(&alone).any(|&every| is_due(every, step))
    }

    /// Whether bias and variance are to be measured at `step`.
    pub fn bias_due(&self, step: u64) -> bool {
        is_due(self.cadence.bias, step)
    }

    /// Measures bias and variance with their standard errors from fresh estimates, each written twice by `fresh` given its number,
    /// against the gradient that [`Measurer::measure`] found at the same step.
    ///
    /// # Errors
    /// Those of `fresh` and of the kernels.
    pub fn bias<E: From<candle_core::Error>>(
        &mut self,
        network: &Network,
        fresh: impl FnMut(u64, &[Tensor]) -> std::result::Result<(), E>,
        values: &mut Values,
    ) -> std::result::Result<(), E> {
        let Some(gradient) = &self.gradient else { return Ok(()) };
        let probe = match &mut self.bias {
            Some(probe) => probe,
            None => self.bias.insert(bias::Probe::new(network.theta())?),
        };
        probe.measure(network.graph(), gradient, self.cadence.bias_guesses, fresh, values)
    }

    /// Measures what is due at `step`, but bias and variance, and appends it to `values`, singular values to `spectra`.
    ///
    /// # Errors
    /// As the kernels do.
    pub fn measure(&mut self, view: View, step: u64, values: &mut Values, spectra: &mut Spectra) -> Result<()> {
        let cadence = self.cadence;
        let (align, one_step) = (is_due(cadence.alignment, step), is_due(cadence.one_step, step));
        let (bias, containment) = (is_due(cadence.bias, step), is_due(cadence.containment, step));
        let (examples, hessian) = (is_due(cadence.examples, step), is_due(cadence.hessian, step));
        let signals = is_due(cadence.signal_spectrum, step);
        if align || examples || one_step || bias || containment || hessian || signals {
            let gradient = match &mut self.gradient {
                Some(gradient) => gradient,
                None => self.gradient.insert(view.network.zeros_like()?),
            };
            let Point { tape, theta, deltas, .. } = view.point;
            if view.exact {
                for (into, estimate) in gradient.iter().zip(view.estimate) {
                    kernel::copy(into, estimate)?;
                }
            } else {
                tape.adjoint(theta, deltas, Some(gradient))?;
            }
            if align {
                alignment::measure(view, gradient, values)?;
            }
            if examples {
                examples::measure(view, values)?;
            }
            if one_step {
                let (probe, theta) = match &mut self.probe {
                    Some(probe) => probe,
                    None => {
                        let fresh = Tape::new(tape.graph().clone(), tape.batch(), tape.dtype(), tape.device())?;
                        self.probe.insert((fresh, view.network.zeros_like()?))
                    }
                };
                one_step::measure(view, gradient, cadence.one_step_rate, probe, theta, values)?;
            }
            if hessian {
                let probe = match &mut self.hessian {
                    Some(probe) => probe,
                    None => self.hessian.insert(hessian::Probe::new(view)?),
                };
                probe.measure(view, gradient, cadence.hessian_top, values)?;
            }
        }
        if containment {
            containment::measure(view.network, view.point.tape, values)?;
        }
        if signals {
            spectrum::signals(view.point.tape, values)?;
        }
        if is_due(cadence.spectrum, step) {
            spectrum::measure(view.network, values, spectra)?;
        }
        if is_due(cadence.mask_density, step) {
            mask_density(view.point.tape, values)?;
        }
        if is_due(cadence.test, step) {
            self.held_out(view.network, view.point.loss, view.data, values)?;
        }
        if is_due(cadence.train, step) {
            self.training(view.network, view.point.loss, view.data, values)?;
            gap(values);
        }
        Ok(())
    }

    /// Loss and accuracy of every split, for the end of a run.
    ///
    /// # Errors
    /// As the kernels do.
    pub fn last(&mut self, network: &Network, loss: Loss, data: &Prepared, values: &mut Values) -> Result<()> {
        self.held_out(network, loss, data, values)?;
        self.training(network, loss, data, values)?;
        gap(values);
        Ok(())
    }

    fn held_out(&mut self, network: &Network, loss: Loss, data: &Prepared, values: &mut Values) -> Result<()> {
        let found = self.evaluator.evaluate(network, loss, &data.test)?;
        values.push((Key::whole(Quantity::TestLoss), found.loss));
        values.push((Key::whole(Quantity::TestAccuracy), found.accuracy));
        self.validation(network, loss, data, values)
    }

    /// Loss and accuracy of the validation split, where there is one.
    ///
    /// # Errors
    /// As the kernels do.
    pub fn validation(&mut self, network: &Network, loss: Loss, data: &Prepared, values: &mut Values) -> Result<()> {
        if let Some(split) = &data.validation {
            let found = self.evaluator.evaluate(network, loss, split)?;
            values.push((Key::whole(Quantity::ValidationLoss), found.loss));
            values.push((Key::whole(Quantity::ValidationAccuracy), found.accuracy));
        }
        Ok(())
    }

    fn training(&mut self, network: &Network, loss: Loss, data: &Prepared, values: &mut Values) -> Result<()> {
        let found = self.evaluator.evaluate(network, loss, &data.train)?;
        values.push((Key::whole(Quantity::TrainLoss), found.loss));
        values.push((Key::whole(Quantity::TrainAccuracy), found.accuracy));
        Ok(())
    }
}

/// Measured quantities, in the order they were taken.
pub type Values = Vec<(Key, f64)>;

/// Singular values by site, falling.
pub type Spectra = Vec<(u16, Vec<f64>)>;

fn is_due(every: u64, step: u64) -> bool {
    every > 0 && step.is_multiple_of(every)
}

/// The generalisation gap, where both accuracies were measured.
fn gap(values: &mut Values) {
    let find = |quantity| values.iter().find(|(key, _)| *key == Key::whole(quantity)).map(|(_, value)| *value);
    if let (Some(train), Some(test)) = (find(Quantity::TrainAccuracy), find(Quantity::TestAccuracy)) {
        values.push((Key::whole(Quantity::GeneralisationGap), train - test));
    }
}

/// Mean of M_l of every site that an activation follows.
fn mask_density(tape: &Tape, values: &mut Values) -> Result<()> {
    for site in 0..tape.graph().sites.len() {
        if let Some(mask) = tape.derivative(site) {
            let mean = kernel::sum(mask)? / mask.elem_count() as f64;
            values.push((Key::site(Quantity::MaskDensity, site), mean));
        }
    }
    Ok(())
}
