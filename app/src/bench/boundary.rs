//! The price of the boundary: what a strategy's calls take beside the kernels that they ask for.
//!
//! A step's calls of `propose` are timed as a whole on a model so small that kernels are quick, and the kernels behind the
//! services apart; the difference is what a strategy pays for being a plugin: the records and handles of a call, the
//! guards around it (redzones, floating-point mode, panics), the plugin's own code on both sides of each service. Reading
//! the clock around kernels is measured and taken out. Steps in which outputs are scanned in full (every hundredth) are
//! timed apart.

use super::report::median;
use crate::kernel::{self, Draw, DrawKey};
use crate::model::{Extent, Network, Tape, build};
use crate::objective::Loss;
use crate::strategy::{Call, CallMode, Inputs, Instance, Outputs, Params, PluginError, RunFacts, StrategyInfo};
use crate::workspace::{ActivationSpec, InitSpec, MlpSpec, ModelSpec, Scope};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Width of the data and of the three hidden layers.
const WIDTH: usize = 8;
/// Hidden layers.
const HIDDEN: usize = 3;
/// Examples.
const BATCH: usize = 4;
/// Classes.
const CLASSES: usize = 3;
/// Hundreds of steps, of which a median each is taken.
const HUNDREDS: u64 = 60;
/// Steps of a hundred that scan nothing.
const PLAIN: std::ops::Range<u64> = 3..100;

/// What one strategy's step takes, in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Boundary {
    /// Id of the strategy.
    pub strategy: String,
    /// Calls of `propose` a step.
    pub calls: usize,
    /// Kernels asked for a step.
    pub kernels: u64,
    /// All calls of a step.
    pub step: f64,
    /// The kernels of a step.
    pub work: f64,
    /// All calls of a step in which outputs are scanned.
    pub scanned: f64,
}

impl Boundary {
    /// What the calls take beside the kernels.
    pub fn overhead(&self) -> f64 {
        self.step - self.work
    }
}

/// Why it could not be timed.
#[derive(Debug, thiserror::Error)]
pub enum BoundaryError {
    /// The strategy refused or failed.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// Its parameters' defaults do not pass.
    #[error(transparent)]
    Params(#[from] crate::strategy::ParamError),
    /// The model cannot be built.
    #[error(transparent)]
    Model(#[from] build::BuildError),
    /// A kernel failed.
    #[error("the engine failed: {0}")]
    Engine(#[from] candle_core::Error),
}

/// Times one strategy with its default parameters, one guess a step.
///
/// # Errors
/// When it refuses the model or fails; oracles and the exact gradient are not offered.
pub fn boundary(info: &Arc<StrategyInfo>) -> Result<Boundary, BoundaryError> {
    let mut stage = Stage::new(info)?;
    let clock = clock_reading();
    let (mut steps, mut scanned) = (Vec::new(), Vec::new());
    let (mut works, mut kernels) = (Vec::new(), 0);
    for hundred in 0..HUNDREDS {
        let first = 100 * hundred;
        scanned.push(stage.step(first)?.as_secs_f64());
        let each: Result<Vec<f64>, BoundaryError> =
            PLAIN.map(|step| Ok(stage.step(first + step)?.as_secs_f64())).collect();
        steps.push(median(&each?));
        // The kernels, in steps of their own: reading the clock inside would lengthen the whole.
        stage.instance.time_kernels(true);
        let each: Result<Vec<f64>, BoundaryError> = PLAIN
            .map(|step| {
                stage.step(first + step)?;
                let taken = stage.instance.take_kernel_time();
                kernels = taken.count;
                Ok((taken.time.as_secs_f64() - clock * taken.count as f64).max(0.0))
            })
            .collect();
        stage.instance.time_kernels(false);
        works.push(median(&each?));
    }
    Ok(Boundary {
        strategy: info.id.clone(),
        calls: stage.calls,
        kernels,
        step: median(&steps),
        work: median(&works),
        scanned: median(&scanned),
    })
}

/// Rows as a table, times in µs.
pub fn boundary_table(rows: &[Boundary]) -> String {
    let mut text = format!(
        "mlp {WIDTH}-{WIDTH}x{HIDDEN}-{CLASSES} on {BATCH} examples, f32, one thread: medians of {HUNDREDS} runs of \
         {} steps\n\n",
        PLAIN.count()
    );
    let width = rows.iter().map(|row| row.strategy.len()).max().unwrap_or(0).max("STRATEGY".len());
    let _ = writeln!(
        text,
        "{:<width$} {:>6} {:>8} {:>8} {:>11} {:>12} {:>16}",
        "STRATEGY", "CALLS", "KERNELS", "STEP µs", "KERNELS µs", "BOUNDARY µs", "SCANNED STEP µs"
    );
    for row in rows {
        let [step, work, overhead, scanned] = [row.step, row.work, row.overhead(), row.scanned].map(|s| 1e6 * s);
        let _ = writeln!(
            text,
            "{:<width$} {:>6} {:>8} {step:>8.2} {work:>11.2} {overhead:>12.2} {scanned:>16.2}",
            row.strategy, row.calls, row.kernels
        );
    }
    text
}

/// Seconds that reading the clock adds to what lies between two readings.
fn clock_reading() -> f64 {
    let readings: Vec<f64> = (0..1000).map(|_| Instant::now().elapsed().as_secs_f64()).collect();
    median(&readings)
}

/// A strategy on a tiny model whose forward pass is done.
struct Stage {
    network: Network,
    tape: Tape,
    labels: Tensor,
    error: Tensor,
    zeros: Vec<Tensor>,
    instance: Instance,
    outputs: Outputs,
    by_layer: bool,
    calls: usize,
}

impl Stage {
    fn new(info: &Arc<StrategyInfo>) -> Result<Self, BoundaryError> {
        let model = ModelSpec::Mlp(MlpSpec {
            hidden: vec![WIDTH; HIDDEN],
            activation: ActivationSpec::Relu,
            init: InitSpec::He,
            norm: false,
            residual: false,
        });
        let (dtype, device) = (DType::F32, Device::Cpu);
        let graph = Arc::new(build::build(&model, Extent::dense(WIDTH), CLASSES)?);
        let network = Network::new(Arc::clone(&graph), dtype, &device, 0)?;
        let tape = Tape::new(Arc::clone(&graph), BATCH, dtype, &device)?;
        let x = Tensor::zeros((BATCH, WIDTH), dtype, &device)?;
        let key = DrawKey { seed: 0, instance: 0, step: 0, site: 0, guess: 0, draw: 0 };
        kernel::fill_draws(&x, Draw::Normal, 1.0, key)?;
        tape.forward(network.theta(), &x, None, |_| Ok::<(), candle_core::Error>(()))?;
        let labels = Tensor::zeros((BATCH, 1), dtype, &device)?;
        let error = tape.logits().zeros_like()?;
        Loss::CrossEntropy.evaluate(tape.logits(), &labels, Some(&error))?;
        let mut instance = Instance::create(info, &Params::check(&info.id, &info.params, &BTreeMap::new())?)?;
        let facts = RunFacts {
            scope: if info.kind == crate::strategy::Kind::Signal { Scope::ExampleLayer } else { Scope::Batch },
            guesses: 1,
            seed: 0,
            instance: 0,
            diagnostic: false,
            oracle: true,
            cancelled: Arc::default(),
        };
        let plan = instance.prepare(&graph, &tape, &facts)?;
        let outputs = instance.outputs(&tape)?;
        let zeros = network.zeros_like()?;
        let by_layer = plan.call_mode == CallMode::Layer;
        let calls = if by_layer { graph.sites.len() } else { 1 };
        Ok(Self { network, tape, labels, error, zeros, instance, outputs, by_layer, calls })
    }

    /// All calls of a step; how long they take.
    fn step(&mut self, step: u64) -> Result<Duration, BoundaryError> {
        let start = Instant::now();
        for site in 0..self.calls {
            let inputs = Inputs {
                labels: Some(&self.labels),
                output_errors: std::slice::from_ref(&self.error),
                previous_estimate: Some(&self.zeros),
                previous_update: Some(&self.zeros),
                gradient: None,
            };
            let mut call = Call {
                tape: &self.tape,
                theta: self.network.theta(),
                step,
                site: self.by_layer.then_some(site),
                first_guess: 0,
                progress: 0.0,
                inputs,
                outputs: Some(&mut self.outputs),
                oracle: None,
            };
            self.instance.propose(&mut call)?;
        }
        Ok(start.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boundary_is_what_the_kernels_leave() {
        let row = Boundary {
            strategy: "masked-noise".into(),
            calls: 4,
            kernels: 8,
            step: 3.5e-6,
            work: 2.75e-6,
            scanned: 9e-6,
        };
        let table = boundary_table(&[row]);
        let last = table.lines().last().unwrap();
        let fields: Vec<&str> = last.split_whitespace().collect();
        assert_eq!(fields, ["masked-noise", "4", "8", "3.50", "2.75", "0.75", "9.00"]);
    }
}
