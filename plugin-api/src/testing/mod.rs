//! A host for `cargo test`: runs a strategy through its C functions on a small synthetic network.
//!
//! Everything is computed by the plainest loops, in doubles, and rounded where it is stored. Random numbers follow the
//! interface's recipe, so that [`Host::draw`] says what a strategy drew and a test can write its formula down:
//!
//! ```
//! use guesswork_plugin::testing::{Activation, Host, Network};
//! # use guesswork_plugin::{Info, Kind, Result, Role, Service, Step, Strategy};
//! # struct MaskedNoise;
//! # impl Strategy for MaskedNoise {
//! #     type Params = ();
//! #     const INFO: Info = Info::new("masked-noise", Kind::Signal)
//! #         .needs(&[Role::Derivative]).services(&[Service::Ops, Service::Rng]);
//! #     fn create((): ()) -> Result<Self> { Ok(Self) }
//! #     fn propose(&mut self, step: &mut Step<'_>) -> Result {
//! #         step.each_guess(|step, site, guess| {
//! #             let signal = step.signal(site, guess)?;
//! #             step.normal(signal, site, guess, 0, 1.0)?;
//! #             step.hadamard(signal, step.input(Role::Derivative, site)?)
//! #         })
//! #     }
//! # }
//! let mut host = Host::of::<MaskedNoise>().network(Network::mlp(&[6, 5, 4], Activation::Tanh)).batch(3).start()?;
//! host.step()?;
//! let noise = host.normal(0, 0, 0, 3, 5);
//! host.signal(0, 0).assert_close(&noise.hadamard(host.derivative(0)), 1e-14);
//! # Ok::<(), guesswork_plugin::Error>(())
//! ```
//!
//! After every step it is checked that outputs are written and finite, that nothing around any matrix was written, and
//! that inputs are unchanged; [`Host::step`] returns what was wrong. In call mode `layer` what comes later than the
//! site of the call is refused.

#![forbid(unsafe_code)]

mod algebra;
mod batch;
mod grid;
mod memory;
mod network;
mod philox;
mod services;
mod setup;

pub use grid::Grid;
pub use network::{Activation, Network};
pub use philox::{Draws, philox4x32_10};
pub use setup::Setup;

use crate::abi::instance::{Instance, Record, StepFacts};
use crate::abi::{self, GW_ALL_SITES};
use crate::error::{Error, Result};
use crate::strategy::Strategy;
use batch::{Batch, Lane};
use memory::Storage;
use network::Values;

/// A strategy at work on a network. The parameters of the network stay as they are; every step has its own batch.
///
/// Accessors speak of the last step; they panic before the first, and where there is no such site or guess.
#[derive(Debug)]
pub struct Host {
    setup: Setup,
    lane: Lane,
    instance: Instance,
    steps: u64,
    last: Option<Batch>,
}

impl Host {
    /// A host for a strategy of this crate, to be set up further and started.
    pub fn of<S: Strategy>() -> Setup {
        Setup::new(Record::of::<S>())
    }

    /// Draws a batch, runs the forward pass and lets the strategy propose, in the call mode it planned.
    ///
    /// # Errors
    /// The strategy's; an output left unwritten or not finite; a write outside an output.
    pub fn step(&mut self) -> Result {
        let draws = Draws { seed: self.setup.seed, instance: 0, step: self.steps };
        let batch = self.last.insert(self.lane.begin(self.setup.batch, draws));
        let calls = match self.lane.plan.call_mode {
            abi::GW_CALL_MODEL => vec![GW_ALL_SITES],
            _ => (0..self.lane.network.sites() as u32).collect(),
        };
        for first in (0..self.lane.guesses).step_by(self.lane.at_once) {
            batch.first.set(first as u32);
            for &site in &calls {
                let facts = facts(&self.lane, batch, site);
                let result = batch.call(&self.lane, site, false, |services| self.instance.propose(services, facts));
                batch.check_memory(&self.lane)?;
                result?;
            }
        }
        batch.first.set(0);
        batch.check_written()?;
        self.steps += 1;
        Ok(())
    }

    /// Tells the strategy what came of the last step.
    ///
    /// # Errors
    /// The strategy's.
    pub fn observe(&mut self, loss: f64, scalars: &[f64], estimate_norm: f64) -> Result {
        let Some(batch) = &mut self.last else { return Err(Error::invalid("there was no step yet")) };
        let facts = StepFacts { guesses: self.lane.guesses as u32, ..facts(&self.lane, batch, GW_ALL_SITES) };
        let instance = &mut self.instance;
        let result = batch.call(&self.lane, GW_ALL_SITES, true, |services| {
            instance.observe(services, facts, loss, scalars, estimate_norm)
        });
        batch.check_memory(&self.lane)?;
        result
    }

    /// Lets the strategy forget what it has learned; persistent matrices become zero and steps count from 0.
    ///
    /// # Errors
    /// The strategy's.
    pub fn reset(&mut self) -> Result {
        self.instance.reset()?;
        self.steps = 0;
        for matrix in &mut self.lane.persistent {
            let zero = matrix.grid().map(|_| 0.0);
            *matrix = Storage::holding(matrix.name.clone(), &zero, self.setup.dtype);
        }
        Ok(())
    }

    /// The state that a checkpoint would hold, besides persistent matrices.
    ///
    /// # Errors
    /// The strategy's.
    pub fn save(&mut self) -> Result<Vec<u8>> {
        self.instance.save()
    }

    /// Restores what [`Host::save`] returned, and goes on at `step`.
    ///
    /// # Errors
    /// The strategy's.
    pub fn load(&mut self, bytes: &[u8], step: u64) -> Result {
        self.steps = step;
        self.instance.load(bytes)
    }

    fn batch(&self) -> &Batch {
        self.last.as_ref().expect("`step` must have been called")
    }

    fn values(&self) -> &Values {
        &self.batch().values
    }

    fn output(&self, output: u32, site: usize, guess: usize) -> Grid {
        let found = self.batch().outputs.get(&(output, site as u32, guess as u32));
        found.expect("the strategy has such an output").grid()
    }

    /// The network, its parameters rounded to the element type.
    pub fn network(&self) -> &Network {
        &self.lane.network
    }

    /// The call mode the strategy planned.
    pub fn call_mode(&self) -> crate::CallMode {
        match self.lane.plan.call_mode {
            abi::GW_CALL_MODEL => crate::CallMode::Model,
            _ => crate::CallMode::Layer,
        }
    }

    /// Where the strategy gives its signal guesses.
    pub fn signal_at(&self) -> crate::SignalAt {
        match self.lane.plan.signal_at {
            abi::GW_AT_ACTIVATION => crate::SignalAt::Activation,
            _ => crate::SignalAt::PreActivation,
        }
    }

    /// The signal guess E_l the strategy wrote.
    pub fn signal(&self, site: usize, guess: usize) -> Grid {
        self.output(abi::GW_OUT_SIGNAL, site, guess)
    }

    /// The weight and bias parts of the direction the strategy wrote, dense or from its factors.
    pub fn direction(&self, site: usize, guess: usize) -> (Grid, Grid) {
        let weight = match self.lane.plan.direction {
            abi::GW_DIRECTION_FACTORS => {
                let right = self.output(abi::GW_OUT_RIGHT, site, guess);
                self.output(abi::GW_OUT_LEFT, site, guess).matmul(&right.t())
            }
            _ => self.output(abi::GW_OUT_WEIGHT, site, guess),
        };
        (weight, self.output(abi::GW_OUT_BIAS, site, guess))
    }

    /// The weight and bias parts of the estimate the strategy wrote.
    pub fn estimate(&self, site: usize, guess: usize) -> (Grid, Grid) {
        let part = |output| self.output(output, site, guess);
        (part(abi::GW_OUT_ESTIMATE_WEIGHT), part(abi::GW_OUT_ESTIMATE_BIAS))
    }

    /// The seed of a direction, when the strategy gave one.
    pub fn direction_seed(&self, site: usize, guess: usize) -> Option<u64> {
        self.batch().seed(site as u32, guess as u32)
    }

    /// A layer's input X_{l-1}.
    pub fn input(&self, site: usize) -> &Grid {
        &self.values().inputs[site]
    }

    /// A site's pre-activation S_l.
    pub fn pre_activation(&self, site: usize) -> &Grid {
        &self.values().pre_activations[site]
    }

    /// A site's activation X_l.
    pub fn activation(&self, site: usize) -> &Grid {
        &self.values().activations[site]
    }

    /// A site's activation derivative M_l.
    pub fn derivative(&self, site: usize) -> &Grid {
        &self.values().derivatives[site]
    }

    /// The logits.
    pub fn logits(&self) -> &Grid {
        self.pre_activation(self.lane.network.sites() - 1)
    }

    /// The labels.
    pub fn labels(&self) -> &[usize] {
        &self.batch().labels
    }

    /// The true signal δ_l of a site, with the mean's 1/B.
    pub fn true_signal(&self, site: usize) -> Grid {
        self.batch().true_signals(&self.lane.network).swap_remove(site)
    }

    /// Content of persistent matrix `index`.
    pub fn persistent(&self, index: usize) -> Grid {
        self.lane.persistent[index].grid()
    }

    /// A draw of the last step: kind `GW_DRAW_*`, keyed by (site, guess, draw).
    pub fn draw(&self, kind: u32, key: [usize; 3], rows: usize, columns: usize) -> Grid {
        let key = key.map(|part| part as u32);
        let draws = self.batch().draws;
        Grid::from_fn(rows, columns, |i, j| {
            draws.element(kind, key, (i * columns + j) as u64).expect("a kind of draw that the interface knows")
        })
    }

    /// The standard normal draw keyed by (site, guess, draw) of the last step.
    pub fn normal(&self, site: usize, guess: usize, draw: usize, rows: usize, columns: usize) -> Grid {
        self.draw(abi::GW_DRAW_NORMAL, [site, guess, draw], rows, columns)
    }

    /// The classes drawn from the rows of `probabilities`, keyed by (site, guess, draw), of the last step.
    pub fn classes(&self, site: usize, guess: usize, draw: usize, probabilities: &Grid) -> Vec<usize> {
        let uniform = self.draw(abi::GW_DRAW_UNIFORM, [site, guess, draw], probabilities.rows(), 1);
        (0..probabilities.rows()).map(|i| batch::class_of(probabilities.row(i), uniform[(i, 0)])).collect()
    }

    /// Metrics of the last step, in order: name and values.
    pub fn metrics(&self) -> Vec<(String, Vec<f64>)> {
        self.batch().metrics.borrow().clone()
    }

    /// Messages of the last step, in order: level `GW_LOG_*` and text.
    pub fn messages(&self) -> Vec<(u32, String)> {
        self.batch().messages.borrow().clone()
    }
}

fn facts(lane: &Lane, batch: &Batch, site: u32) -> StepFacts {
    StepFacts {
        step: batch.draws.step,
        site,
        guesses: lane.at_once as u32,
        batch: batch.size as u64,
        progress: 0.0,
        oracle_budget: lane.plan.oracle_budget,
    }
}
