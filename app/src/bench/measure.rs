//! The turns: every method of a model opened and warm, then round by round a turn of each.

use super::case::Method;
use super::report::{Machine, Report, Row, median};
use super::{Bench, BenchError, Memory, Model};
use crate::kernel::{self, Draw, DrawKey};
use crate::session::{SessionError, Solo, device, pool};
use candle_core::{DType, Device, Tensor};
use std::time::{Duration, Instant};

/// Side of the product that measures the peak.
const SIDE: usize = 1024;
/// Products of a look at the peak: some milliseconds each.
const PRODUCTS: usize = 5;
/// Steps before anything is timed: buffers are planned and libraries' first calls are over.
const WARM_UP: usize = 5;

/// Measures what `bench` asks for; `say` is told of each model and method as it begins.
///
/// # Errors
/// [`BenchError`]: a strategy that is not found or refuses the model, a lane that fails, a device that cannot be had.
pub fn run(bench: &Bench, mut say: impl FnMut(&str) + Send) -> Result<Report, BenchError> {
    let (device, name) = device::open(bench.device)?;
    let pool = pool(bench.threads).map_err(|error| BenchError::Pool(Box::new(error)))?;
    let machine = Machine::here(pool.current_num_threads(), &name);
    let reference = Method::backprop();
    let others = bench.methods.iter().filter(|method| **method != reference).cloned();
    let methods: Vec<Method> = std::iter::once(reference.clone()).chain(others).collect();
    pool.install(|| {
        let mut peak = Peak::new(&device)?;
        let mut rows = Vec::new();
        for model in &bench.models {
            rows.extend(of_model(bench, model, &methods, &device, &mut peak, &mut say)?);
        }
        Ok(Report { machine, rounds: bench.rounds, gemm_peak: peak.best, rows })
    })
}

/// One method at work.
struct Turn<'a> {
    method: &'a Method,
    solo: Solo,
    steps: usize,
    seconds: Vec<f64>,
    memory: Option<u64>,
    strategy_flop: u64,
}

fn of_model(
    bench: &Bench,
    model: &Model,
    methods: &[Method],
    device: &Device,
    peak: &mut Peak,
    say: &mut impl FnMut(&str),
) -> Result<Vec<Row>, BenchError> {
    let data = model.data(device)?;
    let mut turns = Vec::new();
    for method in methods {
        say(&format!("{model}  {method}"));
        let failed = |source: SessionError| BenchError::Session {
            model: model.to_string(),
            method: method.to_string(),
            source: Box::new(source),
        };
        Memory::restart_peak();
        let before = Memory::now();
        let plan = model.plan(method, Method::RATE, data.clone(), &bench.plugin_paths);
        let mut solo = Solo::new(plan).map_err(failed)?;
        for _ in 0..WARM_UP {
            solo.step().map_err(failed)?;
        }
        let memory = before.zip(Memory::now()).map(|(before, after)| after.peak.saturating_sub(before.resident));
        let asked = solo.strategy_flop();
        let start = Instant::now();
        solo.step().map_err(failed)?;
        let strategy_flop = solo.strategy_flop() - asked;
        let steps = steps_of(bench.turn, start.elapsed());
        turns.push(Turn { method, solo, steps, seconds: Vec::new(), memory, strategy_flop });
    }
    for round in 0..bench.rounds {
        say(&format!("{model}  round {} of {}", round + 1, bench.rounds));
        peak.look(device)?;
        for place in 0..turns.len() {
            // Every other round backwards, so that none always follows the same neighbour.
            let place = if round % 2 == 0 { place } else { turns.len() - 1 - place };
            let turn = &mut turns[place];
            let start = Instant::now();
            for _ in 0..turn.steps {
                turn.solo.step().map_err(|source| BenchError::Session {
                    model: model.to_string(),
                    method: turn.method.to_string(),
                    source: Box::new(source),
                })?;
            }
            turn.seconds.push(start.elapsed().as_secs_f64() / turn.steps as f64);
        }
    }
    let reference = turns.first().map_or(&[][..], |turn| &turn.seconds);
    let rows = turns.iter().map(|turn| {
        let ratios: Vec<f64> = reference.iter().zip(&turn.seconds).map(|(theirs, ours)| theirs / ours).collect();
        Row {
            model: model.to_string(),
            method: turn.method.to_string(),
            parameters: turn.solo.info().parameters,
            seconds: turn.seconds.clone(),
            steps_per_second: 1.0 / median(&turn.seconds),
            flop: turn.solo.info().flop,
            strategy_flop: turn.strategy_flop,
            to_backprop: median(&ratios),
            memory: turn.memory,
        }
    });
    Ok(rows.collect())
}

/// Steps that fill a turn, at least two.
fn steps_of(turn: Duration, step: Duration) -> usize {
    let steps = turn.as_secs_f64() / step.as_secs_f64().max(1e-9);
    (steps.ceil() as usize).max(2)
}

/// The machine's own best: a square product by the kernel that steps use, in the same pool.
pub(super) struct Peak {
    matrices: [Tensor; 3],
    /// FLOP a second.
    pub(super) best: f64,
}

impl Peak {
    pub(super) fn new(device: &Device) -> candle_core::Result<Self> {
        let matrix = |site| -> candle_core::Result<Tensor> {
            let matrix = Tensor::zeros((SIDE, SIDE), DType::F32, device)?;
            kernel::fill_draws(
                &matrix,
                Draw::Normal,
                1.0,
                DrawKey { seed: 0, instance: 0, step: 0, site, guess: 0, draw: 0 },
            )?;
            Ok(matrix)
        };
        let mut peak = Self { matrices: [matrix(0)?, matrix(1)?, matrix(2)?], best: 0.0 };
        peak.look(device)?;
        peak.look(device)?;
        Ok(peak)
    }

    /// Looks anew; a better product counts from here on.
    pub(super) fn look(&mut self, device: &Device) -> candle_core::Result<()> {
        let [product, a, b] = &self.matrices;
        for _ in 0..PRODUCTS {
            device.synchronize()?;
            let start = Instant::now();
            kernel::gemm(product, 0.0, 1.0, a, false, b, false)?;
            device.synchronize()?;
            let flop = 2.0 * (SIDE * SIDE * SIDE) as f64;
            self.best = self.best.max(flop / start.elapsed().as_secs_f64());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::DeviceChoice;

    #[test]
    fn a_turn_has_two_steps_or_fills_its_time() {
        assert_eq!(steps_of(Duration::from_millis(500), Duration::from_millis(3)), 167);
        assert_eq!(steps_of(Duration::from_millis(500), Duration::from_secs(9)), 2);
        assert!(steps_of(Duration::from_millis(1), Duration::ZERO) >= 1000);
    }

    #[test]
    fn backpropagation_is_measured_first_and_once() {
        let bench = Bench {
            models: vec!["6-5x2:4".parse().unwrap()],
            methods: vec![Method::backprop()],
            rounds: 3,
            turn: Duration::from_micros(1),
            threads: Some(1),
            device: DeviceChoice::Cpu,
            plugin_paths: Vec::new(),
        };
        let report = run(&bench, |_| {}).unwrap();
        let [row] = &report.rows[..] else { panic!("{report:?}") };
        assert_eq!((row.seconds.len(), row.to_backprop), (3, 1.0));
        // Layers 6-5, 5-5, 5-10 on four examples: two products of each forward pass' size, one of all but the first's.
        assert_eq!(row.flop, 2 * 4 * (2 * (30 + 25 + 50) + 25 + 50));
        assert!(report.gemm_peak > 0.0);
        let unknown = Bench { methods: vec!["no-such".parse().unwrap()], ..bench };
        let error = run(&unknown, |_| {}).unwrap_err().to_string();
        assert!(error.starts_with("6-5x2:4 no-such: ") && error.contains("no-such"), "{error}");
    }
}
