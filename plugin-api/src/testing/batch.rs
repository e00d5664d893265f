//! One step of the test host: its batch, what the strategy writes, and the checks afterwards.

#![forbid(unsafe_code)]

use super::memory::{Handles, Storage};
use super::network::{Network, Values};
use super::services::Services;
use super::{Draws, Grid};
use crate::abi;
use crate::abi::instance::PlanFacts;
use crate::abi::serve::Serve;
use crate::error::{Error, Result};
use crate::model::DType;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What stays from step to step.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) kind: u32,
    pub(super) granted: u64,
    pub(super) services: u64,
    pub(super) dtype: DType,
    pub(super) guesses: usize,
    /// Guesses that a call asks for.
    pub(super) at_once: usize,
    pub(super) persistent: Vec<Rc<Storage>>,
    pub(super) plan: PlanFacts,
    pub(super) network: Network,
}

/// An input with its bits as they were.
type Watched = (Rc<Storage>, Vec<u64>);

/// One step: its batch, what the strategy wrote, what it asked for.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) size: usize,
    pub(super) draws: Draws,
    /// Number of the first guess that the call asks for.
    pub(super) first: Cell<u32>,
    pub(super) values: Values,
    pub(super) labels: Vec<usize>,
    pub(super) outputs: Outputs,
    pub(super) metrics: RefCell<Vec<(String, Vec<f64>)>>,
    pub(super) messages: RefCell<Vec<(u32, String)>>,
    pub(super) data: Grid,
    pub(super) inputs: RefCell<BTreeMap<(u32, u32, u32), Watched>>,
    pub(super) scratch: RefCell<Vec<Rc<Storage>>>,
    pub(super) seeds: RefCell<BTreeMap<(u32, u32), u64>>,
    pub(super) spent: Cell<f64>,
    calls: u64,
}

/// The class at which the sum of the probabilities so far first exceeds the share `uniform` of them all.
pub(super) fn class_of(probabilities: &[f64], uniform: f64) -> usize {
    let threshold = uniform * probabilities.iter().sum::<f64>();
    let mut sum = 0.0;
    let passed = probabilities.iter().position(|p| {
        sum += p;
        sum > threshold
    });
    passed.unwrap_or(probabilities.len().saturating_sub(1))
}

impl Lane {
    /// Draws a batch, runs the forward pass and allocates the outputs.
    pub(super) fn begin(&self, size: usize, draws: Draws) -> Batch {
        let data = self.network.data(size, draws);
        let labels = (0..size).map(|i| {
            let word = draws.element(abi::GW_DRAW_UNIFORM, [0, 1, 65535], i as u64).unwrap_or_default();
            (word * self.network.classes() as f64) as usize
        });
        let mut wanted = Outputs::new();
        for site in 0..self.network.sites() {
            let rows = size * self.network.rows_per_example(site);
            for (output, [rows, columns]) in outputs(self.kind, &self.plan, &self.network, site, rows) {
                for guess in 0..self.guesses {
                    let name = format!("output {output} of site {site}, guess {guess}");
                    let storage = Storage::unwritten(name, rows, columns, self.dtype);
                    wanted.insert((output, site as u32, guess as u32), storage);
                }
            }
        }
        Batch {
            size,
            draws,
            first: Cell::new(0),
            values: self.network.forward(size, &data),
            labels: labels.collect(),
            outputs: wanted,
            metrics: RefCell::default(),
            messages: RefCell::default(),
            data,
            inputs: RefCell::default(),
            scratch: RefCell::default(),
            seeds: RefCell::default(),
            spent: Cell::new(0.0),
            calls: 0,
        }
    }
}

impl Batch {
    /// Calls `f` with the services of one call.
    pub(super) fn call(
        &mut self,
        lane: &Lane,
        site: u32,
        observing: bool,
        f: impl FnOnce(&dyn Serve) -> Result,
    ) -> Result {
        self.calls += 1;
        let call = self.draws.step.wrapping_mul(1 << 12).wrapping_add(self.calls) & 0xFFFF_FFFF;
        f(&Services { lane, batch: self, site, observing, handles: Handles::new(call) })
    }

    pub(super) fn seed(&self, site: u32, guess: u32) -> Option<u64> {
        self.seeds.borrow().get(&(site, guess)).copied()
    }

    /// Looks at the guards of every matrix and at the inputs.
    pub(super) fn check_memory(&self, lane: &Lane) -> Result {
        let (scratch, inputs) = (self.scratch.borrow(), self.inputs.borrow());
        let inputs_only = inputs.values().map(|(storage, _)| storage);
        let all = self.outputs.values().chain(&lane.persistent).chain(scratch.iter()).chain(inputs_only);
        all.into_iter().try_for_each(|storage| storage.check_guards())?;
        match inputs.values().find(|(storage, before)| storage.bits() != *before) {
            Some((storage, _)) => Err(Error::new(format!("{} was written, but is an input", storage.name))),
            None => Ok(()),
        }
    }

    /// Looks for elements of outputs that were left unwritten or are not finite.
    pub(super) fn check_written(&self) -> Result {
        self.outputs.values().try_for_each(|storage| storage.check_finite())
    }

    pub(super) fn output_error(&self) -> Grid {
        let mut error = self.values.pre_activations[self.values.pre_activations.len() - 1].softmax();
        self.labels.iter().enumerate().for_each(|(i, &label)| error[(i, label)] -= 1.0);
        error
    }

    /// δ_l of every site.
    pub(super) fn true_signals(&self, network: &Network) -> Vec<Grid> {
        let last = network.sites() - 1;
        let mut signals = vec![self.output_error().map(|error| error / self.size as f64); last + 1];
        for site in (0..last).rev() {
            let above: Vec<Grid> = network.following(site).into_iter().map(|next| signals[next].clone()).collect();
            signals[site] = network.pull_back(site, self.size, &above, &self.values.derivatives[site]);
        }
        signals
    }
}

type Outputs = BTreeMap<(u32, u32, u32), Rc<Storage>>;

/// Matrices that a strategy of `kind` with this plan must write at a site: id and extents.
fn outputs(kind: u32, plan: &PlanFacts, network: &Network, site: usize, rows: usize) -> Vec<(u32, [usize; 2])> {
    let [n, m] = [network.weight(site).rows(), network.weight(site).columns()];
    let rank = plan.rank as usize;
    match (kind, plan.direction) {
        (abi::GW_KIND_SIGNAL, _) => vec![(abi::GW_OUT_SIGNAL, [rows, n])],
        (abi::GW_KIND_ESTIMATE, _) => vec![(abi::GW_OUT_ESTIMATE_WEIGHT, [n, m]), (abi::GW_OUT_ESTIMATE_BIAS, [1, n])],
        (abi::GW_KIND_WEIGHT, abi::GW_DIRECTION_SEED) => vec![],
        (abi::GW_KIND_WEIGHT, abi::GW_DIRECTION_FACTORS) => {
            vec![(abi::GW_OUT_LEFT, [n, rank]), (abi::GW_OUT_RIGHT, [m, rank]), (abi::GW_OUT_BIAS, [1, n])]
        }
        _ => vec![(abi::GW_OUT_WEIGHT, [n, m]), (abi::GW_OUT_BIAS, [1, n])],
    }
}
