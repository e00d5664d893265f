//! A shipped strategy called as a lane calls it: during or after a forward pass, through its library.

use candle_core::Tensor;
use guesswork::estimate::{Directions, Estimator, GuessKind, Point, Settings};
use guesswork::kernel;
use guesswork::model::{Network, Tape};
use guesswork::strategy::{
    Call, CallMode, Catalog, Draws, Inputs, Instance, Kind, Outcome, Outputs, Params, Plan, PluginError, RunFacts,
    SignalAt,
};
use guesswork::workspace::ParamValue;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

/// The strategies whose guesses the golden files have.
pub const GOLDEN: [&str; 6] = [
    "activity-perturbation",
    "weight-transpose",
    "downstream",
    "jacobian-transpose",
    "activation-mixing",
    "label-guess",
];

/// The libraries that Cargo built beside this test.
pub fn catalog() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| Catalog::standard(&[], None))
}

/// An instance that has seen the model of the tape; the refusal where it makes no sense there.
pub fn prepared(
    id: &str,
    params: &[(&str, ParamValue)],
    settings: Settings,
    tape: &Tape,
) -> Result<(Instance, Plan), PluginError> {
    prepared_with(id, params, settings, tape, (3, 0))
}

fn prepared_with(
    id: &str,
    params: &[(&str, ParamValue)],
    settings: Settings,
    tape: &Tape,
    (seed, number): (u64, u64),
) -> Result<(Instance, Plan), PluginError> {
    let info = catalog().get(id).unwrap_or_else(|error| panic!("{error}"));
    let given = params.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    let params = Params::check(id, &info.params, &given).unwrap();
    let mut instance = Instance::create(info, &params)?;
    let facts = RunFacts {
        scope: settings.scope,
        guesses: settings.guesses,
        seed,
        instance: number,
        diagnostic: false,
        oracle: tape.graph().outputs.len() == 1,
        cancelled: Arc::new(AtomicBool::new(false)),
    };
    let plan = instance.prepare(tape.graph(), tape, &facts)?;
    Ok((instance, plan))
}

pub struct Proposer {
    instance: Instance,
    plan: Plan,
    outputs: Outputs,
    signals: Vec<Tensor>,
    weights: Vec<Vec<Tensor>>,
    settings: Settings,
    errors: Vec<Tensor>,
    labels: Option<Tensor>,
    previous: Option<Vec<Tensor>>,
}

impl Proposer {
    pub fn new(id: &str, params: &[(&str, ParamValue)], settings: Settings, network: &Network, tape: &Tape) -> Self {
        Self::keyed(id, params, settings, network, tape, (3, 0))
    }

    /// With draws of this seed and instance.
    pub fn keyed(
        id: &str,
        params: &[(&str, ParamValue)],
        settings: Settings,
        network: &Network,
        tape: &Tape,
        key: (u64, u64),
    ) -> Self {
        let (instance, plan) = prepared_with(id, params, settings, tape, key).unwrap();
        let outputs = instance.outputs(tape).unwrap();
        let signals = outputs.signals().iter().flatten().cloned().collect();
        let weights = match plan.kind {
            Kind::Weight => (0..settings.guesses).map(|_| network.zeros_like().unwrap()).collect(),
            _ => Vec::new(),
        };
        let (errors, labels, previous) = (Vec::new(), None, None);
        Self { instance, plan, outputs, signals, weights, settings, errors, labels, previous }
    }

    pub fn set_draws(&mut self, draws: Draws) {
        self.instance.set_draws(Some(draws));
    }

    /// What a strategy that asks for the output error p − y is given from now on.
    pub fn set_error(&mut self, error: Tensor) {
        self.errors = vec![error];
    }

    /// The same at every output.
    pub fn set_errors(&mut self, errors: Vec<Tensor>) {
        self.errors = errors;
    }

    /// The labels that a strategy that asks for them is given from now on.
    pub fn set_labels(&mut self, labels: Tensor) {
        self.labels = Some(labels);
    }

    /// The estimate of the step before, from now on.
    pub fn set_previous(&mut self, estimate: Vec<Tensor>) {
        self.previous = Some(estimate);
    }

    pub fn estimator(&self, tape: &Tape, network: &Network) -> Estimator {
        let kind = if self.plan.kind == Kind::Weight { GuessKind::Weight } else { GuessKind::Signal };
        Estimator::new(self.settings, kind, tape, network.theta()).unwrap()
    }

    /// The forward pass on `data` and the guesses of `step`; normalised by `estimator`.
    pub fn propose(&mut self, network: &Network, tape: &Tape, data: &Tensor, step: u64, estimator: &Estimator) {
        let theta = network.theta();
        let (errors, labels, previous) = (&self.errors[..], self.labels.as_ref(), self.previous.as_deref());
        let call = |instance: &mut Instance, outputs: &mut Outputs, site| {
            let inputs = Inputs { output_errors: errors, labels, previous_estimate: previous, ..Inputs::default() };
            let outputs = Some(outputs);
            instance
                .propose(&mut Call {
                    tape,
                    theta,
                    step,
                    site,
                    first_guess: 0,
                    progress: 0.0,
                    inputs,
                    outputs,
                    oracle: None,
                })
                .unwrap();
        };
        let by_layer = self.plan.call_mode == CallMode::Layer;
        let (instance, outputs) = (&mut self.instance, &mut self.outputs);
        let each = |site| {
            if by_layer {
                call(instance, outputs, Some(site));
            }
            Ok::<(), candle_core::Error>(())
        };
        tape.forward(theta, data, None, each).unwrap();
        if !by_layer {
            call(&mut self.instance, &mut self.outputs, None);
        }
        for (site, guess) in self.signals.iter().enumerate() {
            if let (SignalAt::Activation, Some(mask)) = (self.plan.signal_at, tape.derivative(site)) {
                kernel::hadamard_assign(guess, mask).unwrap();
            }
            estimator.normalise(guess).unwrap();
        }
        for (guess, v) in self.weights.iter().enumerate() {
            self.outputs.direction_into(guess, v).unwrap();
        }
    }

    pub fn directions(&self) -> Directions<'_> {
        if self.weights.is_empty() { Directions::Signal(&self.signals) } else { Directions::Weight(&self.weights) }
    }

    /// Tells the strategy what came of a step.
    pub fn observe(
        &mut self,
        network: &Network,
        tape: &Tape,
        step: u64,
        estimator: &Estimator,
        (loss, norm): (f64, f64),
    ) {
        let (inputs, theta) = (Inputs::default(), network.theta());
        let mut call =
            Call { tape, theta, step, site: None, first_guess: 0, progress: 0.0, inputs, outputs: None, oracle: None };
        let outcome = Outcome { loss, scalars: &estimator.scalars().values, estimate_norm: norm };
        self.instance.observe(&mut call, &outcome).unwrap();
    }

    /// Scalars and estimate at `point`, into `estimate`.
    pub fn estimate(&self, point: Point, estimator: &mut Estimator, estimate: &[Tensor]) {
        estimator.derive(point, self.directions()).unwrap();
        estimator.combine(point, self.directions(), estimate).unwrap();
    }
}
