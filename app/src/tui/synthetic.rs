//! A session that trains nothing: made-up curves of the right shape, the same at every start. What tests, benchmarks and work on
//! the look of the screen draw.
#![forbid(unsafe_code)]

use crate::estimate::GuessKind;
use crate::model::Extent;
use crate::record::{
    EndReason, Key, LaneId, LaneInfo, Level, Message, Quantity, StageSeconds, StepReport, StrategyCard,
};
use crate::session::Source;
use crate::session::history::LaneHistory;
use crate::session::offer::{Architecture, Offer, Offers};
use crate::session::protocol::{BatchView, Command, LaneView, Origin, Snapshot, Status};
use crate::strategy::{ParamKind, ParamSpec};
use crate::workspace::{ActivationSpec, InitSpec, LaneSpec, MlpSpec, ModelSpec, OptimizerSpec, Scope};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Parameters of the model: an MLP 784-128-128-128-10.
const PARAMETERS: usize = 134_794;
const SITES: [(&str, usize); 4] = [("fc1", 100_480), ("fc2", 16_512), ("fc3", 16_512), ("fc4", 1_290)];

/// What a made-up strategy does: how fast and how far its loss falls, how well it is aligned, what it costs.
struct Shape {
    strategy: &'static str,
    name: &'static str,
    formula: &'static str,
    description: &'static str,
    citation: &'static str,
    scope: Option<Scope>,
    floor: f64,
    rate: f64,
    cosines: [f64; 4],
    milliseconds: [f64; 4],
    flop: u64,
}

const SHAPES: [Shape; 5] = [
    Shape {
        strategy: "backprop",
        name: "Backpropagation",
        formula: "ĝ_l = δ_lᵀ X_{l−1}",
        description: "The exact gradient by the adjoint: the reference that every guess is measured against.",
        citation: "Rumelhart, Hinton, Williams 1986",
        scope: None,
        floor: 0.21,
        rate: 0.004,
        cosines: [1.0, 1.0, 1.0, 1.0],
        milliseconds: [0.62, 0.0, 0.9, 0.21],
        flop: 77_600_000,
    },
    Shape {
        strategy: "weight-transpose",
        name: "Weight transpose (Wᵀ)",
        formula: "E_l = (ε W_{l+1}) ⊙ M_l,  ε ~ N(0, I)",
        description: "Noise at the layer above is carried down through its weights and masked: the guess lies in the subspace that holds the true signal.",
        citation: "Singhal et al., How to Guess a Gradient, arXiv 2312.04709 (2023)",
        scope: Some(Scope::ExampleLayer),
        floor: 0.52,
        rate: 0.0018,
        cosines: [0.34, 0.41, 0.52, 0.71],
        milliseconds: [0.62, 0.44, 0.71, 0.25],
        flop: 82_400_000,
    },
    Shape {
        strategy: "activation-mixing",
        name: "Activation mixing",
        formula: "E_l = (A X_l) ⊙ M_l,  A ~ N(0, 1/B)",
        description: "Each example's guess is a random mix of the batch's activations: weights accumulate outer products with them, so the signal lies near their span.",
        citation: "Singhal et al., How to Guess a Gradient, arXiv 2312.04709 (2023)",
        scope: Some(Scope::ExampleLayer),
        floor: 0.66,
        rate: 0.0015,
        cosines: [0.22, 0.27, 0.36, 0.62],
        milliseconds: [0.62, 0.53, 0.72, 0.25],
        flop: 82_400_000,
    },
    Shape {
        strategy: "activity-perturbation",
        name: "Activity perturbation",
        formula: "E_l ~ N(0, I) ⊙ M_l",
        description: "Noise on the pre-activations, masked by the activation's derivative.",
        citation: "Ren et al., Scaling Forward Gradient With Local Losses, 2023",
        scope: Some(Scope::ExampleLayer),
        floor: 1.02,
        rate: 0.0011,
        cosines: [0.09, 0.11, 0.14, 0.58],
        milliseconds: [0.62, 0.21, 0.7, 0.25],
        flop: 82_400_000,
    },
    Shape {
        strategy: "weight-perturbation",
        name: "Weight perturbation",
        formula: "V_l ~ N(0, I)",
        description: "A random direction in weight space, scaled by the loss' derivative along it.",
        citation: "Polyak 1987; Spall 1987; Baydin et al. 2022",
        scope: Some(Scope::Batch),
        floor: 2.24,
        rate: 0.0004,
        cosines: [0.0024, 0.004, -0.003, 0.01],
        milliseconds: [0.62, 0.83, 1.24, 0.18],
        flop: 59_800_000,
    },
];

/// A number in [−1, 1) fixed by its arguments (SplitMix64, Steele et al. 2014).
fn noise(lane: usize, step: u64, stream: u64) -> f64 {
    let mut z =
        (lane as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ step.wrapping_mul(0xD1B5_4A32_D192_ED03) ^ stream << 40;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (z >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

struct Lane {
    shape: &'static Shape,
    info: Arc<LaneInfo>,
    history: Arc<LaneHistory>,
    step: u64,
    ended: Option<EndReason>,
    seconds: StageSeconds,
}

impl Lane {
    fn new(lane: usize, shape: &'static Shape, seed: u64) -> Self {
        let spec = LaneSpec {
            strategy: shape.strategy.to_owned(),
            name: None,
            params: BTreeMap::new(),
            of: Vec::new(),
            scope: shape.scope,
            guesses: Some(1),
            at_once: None,
            combine: None,
            scaling: None,
            normalise: None,
            clip: None,
            source: None,
            output: None,
            losses: None,
            optimizer: Some(OptimizerSpec::default().with_lr(0.1)),
            schedule: None,
            seeds: None,
        };
        let reference = shape.scope.is_none();
        let family = shape.strategy.split('-').next().unwrap_or_default();
        let card = StrategyCard {
            name: shape.name.to_owned(),
            version: if reference { String::new() } else { "1.0.0".to_owned() },
            kind: if reference { "reference" } else { "signal" }.to_owned(),
            formula: shape.formula.to_owned(),
            description: shape.description.to_owned(),
            citation: shape.citation.to_owned(),
            library: if reference { "built in".to_owned() } else { format!("plugins/libguesswork_{family}.so") },
            members: Vec::new(),
        };
        let info = LaneInfo {
            lane,
            name: shape.strategy.to_owned(),
            spec,
            seed,
            scope: shape.scope,
            sites: SITES.iter().map(|(name, _)| (*name).to_owned()).collect(),
            site_parameters: SITES.iter().map(|(_, parameters)| *parameters).collect(),
            parts: 1,
            parameters: PARAMETERS,
            card,
            flop: shape.flop,
            batch: 128,
            gradient_capable: reference,
            trial: false,
            steps: 0,
            scalars: 0,
            axes: Default::default(),
        };
        Self {
            shape,
            info: Arc::new(info),
            history: Arc::new(LaneHistory::new()),
            step: 0,
            ended: None,
            seconds: StageSeconds::default(),
        }
    }

    /// Takes one step and records what a real lane would.
    fn step(&mut self, breaks: bool) {
        let mut spectra = Vec::new();
        let (lane, step, shape) = (self.info.lane, self.step, self.shape);
        let n = |stream| noise(lane, step, stream);
        let time = step as f64;
        let fall = (-time * shape.rate).exp();
        let smooth = shape.floor + (2.31 - shape.floor) * (0.75 * fall + 0.25 * fall.sqrt());
        let loss = smooth * (1.0 + 0.09 * n(1) * (1.4 - fall));
        let accuracy = (1.0 - smooth / 2.6).clamp(0.1, 0.97);
        let broken = breaks && step == 700;
        let whole = |quantity, value| (Key::whole(quantity), value);
        let mut values = vec![
            whole(Quantity::Loss, if broken { f64::NAN } else { loss }),
            whole(Quantity::Accuracy, (accuracy + 0.05 * n(2)).clamp(0.0, 1.0)),
            whole(Quantity::EstimateNorm, 0.5 + 0.1 * n(3)),
            whole(Quantity::LearningRate, 0.1),
        ];
        if step.is_multiple_of(10) {
            let mut total = 0.0;
            for (site, cosine) in shape.cosines.iter().enumerate() {
                let stream = 10 + site as u64;
                let value = if shape.scope.is_none() {
                    1.0
                } else {
                    let wobble = if cosine.abs() < 0.05 { 0.006 * n(stream) } else { 0.05 * n(stream) };
                    (cosine * (1.0 - 0.45 * (1.0 - fall)) + wobble).clamp(-1.0, 1.0)
                };
                total += value * SITES[site].1 as f64 / PARAMETERS as f64;
                values.push((Key::site(Quantity::Cosine, site), value));
            }
            let whole_cosine = if shape.scope == Some(Scope::Batch) { 0.0027 * n(20) } else { total };
            values.push(whole(Quantity::Cosine, whole_cosine));
            values.push(whole(Quantity::NormRatio, 1.0 / total.abs().max(0.003) * (1.0 + 0.1 * n(21))));
        }
        if step.is_multiple_of(50) {
            let gap = 0.04 + 0.12 * (1.0 - fall) * (2.4 - shape.floor) / 2.4;
            values.push(whole(Quantity::TestLoss, smooth + gap + 0.01 * n(4)));
            values.push(whole(Quantity::TestAccuracy, (accuracy - 0.02 + 0.01 * n(5)).clamp(0.0, 1.0)));
            values.push(whole(Quantity::OneStep, shape.cosines[1].abs() * (0.8 + 0.3 * n(6))));
            for (site, full) in [128.0, 118.0, 112.0, 9.6].into_iter().enumerate() {
                let narrow = full * (1.0 - 0.3 * (1.0 - fall) * (1.0 - shape.floor / 2.5));
                values.push((Key::site(Quantity::EffectiveRank, site), narrow + 0.3 * n(30 + site as u64)));
                values.push((Key::site(Quantity::StableRank, site), 0.3 * narrow + 0.2 * n(60 + site as u64)));
            }
        }
        if step.is_multiple_of(100) {
            for (site, count) in [128u32, 128, 128, 10].into_iter().enumerate() {
                let bulk = |index: u32| 1.9 * (1.0 - f64::from(index) / f64::from(count)).powf(0.9);
                let grown = |index: u32| (1.0 - fall) * 2.4 * (-f64::from(index) / 3.0).exp();
                spectra.push((site as u16, (0..count).map(|index| bulk(index) + grown(index)).collect()));
                let drift = 0.08 * (1.0 - fall) + 0.01 * n(40 + site as u64);
                values.push((Key::site(Quantity::ActivationContainment, site), (0.62 + drift).min(1.0)));
                values.push((Key::site(Quantity::ActivationContainmentRandom, site), 0.5));
                values.push((Key::site(Quantity::WeightContainment, site), 1.0));
                let rank = (9.0 - 2.0 * site as f64) * (0.6 + 0.4 * fall);
                values.push((Key::site(Quantity::SignalEffectiveRank, site), rank + 0.1 * n(44 + site as u64)));
                values.push((Key::site(Quantity::SignalStableRank, site), 0.4 * rank));
                values.push((Key::site(Quantity::ActivationEffectiveRank, site), 3.0 * rank));
            }
            let held = 0.45 + 0.2 * (1.0 - fall) + 0.03 * n(53);
            let guessed = if shape.scope.is_none() { held } else { held * shape.cosines[1].powi(2) + 0.0001 };
            values.push(whole(Quantity::HessianLargest, 14.0 * (1.0 + fall) + 0.5 * n(54)));
            values.push(whole(Quantity::HessianLast, 1.2 + 0.1 * n(55)));
            values.push(whole(Quantity::HessianGradient, held));
            values.push(whole(Quantity::HessianEstimate, guessed * (1.0 + 0.2 * n(56))));
            values.push(whole(Quantity::HessianRandom, 10.0 / 134_794.0));
            if shape.scope.is_some() {
                let biased = if shape.scope == Some(Scope::Batch) { 0.0 } else { 0.4 };
                values.push(whole(Quantity::BiasSquared, biased + 0.05 * n(50)));
                let variance = if shape.scope == Some(Scope::Batch) { 134_795.0 } else { 40.0 };
                values.push(whole(Quantity::Variance, variance * (1.0 + 0.05 * n(51))));
                values.push(whole(Quantity::ScalarFit, 1.0 - biased + 0.02 * n(52)));
                values.push(whole(Quantity::BiasSquaredError, 0.05));
                values.push(whole(Quantity::VarianceError, variance * 0.05));
                values.push(whole(Quantity::ScalarFitError, 0.02));
            }
        }
        let [forward, guess, tangent, update] = shape.milliseconds.map(|time| time / 1000.0);
        let measure = if shape.scope.is_none() { 0.000_05 } else { 0.000_22 };
        let seconds = StageSeconds { forward, guess, tangent, update, measure };
        self.history.push(&StepReport { lane, step, values, spectra, metrics: Vec::new(), seconds });
        self.seconds.forward += forward;
        self.seconds.guess += guess;
        self.seconds.tangent += tangent;
        self.seconds.update += update;
        self.seconds.measure += measure;
        self.step += 1;
        if broken {
            self.ended = Some(EndReason::Diverged("loss is NaN at step 700".to_owned()));
        }
    }

    fn view(&self) -> LaneView {
        LaneView {
            info: Arc::clone(&self.info),
            step: self.step,
            ended: self.ended.clone(),
            seconds: self.seconds,
            history: Arc::clone(&self.history),
        }
    }
}

/// The strategies as a session offers them, one with parameters of every kind.
fn offers(steps: u64) -> Offers {
    let param = |key: &str, doc: &str, kind| ParamSpec { key: key.to_owned(), doc: doc.to_owned(), kind };
    let params = || {
        vec![
            param(
                "depth",
                "Layers up from which noise is carried down.",
                ParamKind::Int { default: 1, min: 1.0, max: 8.0 },
            ),
            param("ridge", "Added to the diagonal.", ParamKind::Float { default: 0.5, min: 0.0, max: f64::INFINITY }),
            param("shared", "The same noise at every layer.", ParamKind::Bool { default: false }),
            param(
                "mask",
                "Which mask is put on the guess.",
                ParamKind::Choice {
                    default: "active".to_owned(),
                    choices: vec!["active".to_owned(), "none".to_owned()],
                },
            ),
            param("note", "Free text.", ParamKind::Text { default: String::new() }),
        ]
    };
    let kind = |shape: &Shape| match shape.scope {
        None => None,
        Some(Scope::Batch) => Some(GuessKind::Weight),
        Some(_) => Some(GuessKind::Signal),
    };
    let offer = |shape: &Shape| Offer {
        id: shape.strategy.to_owned(),
        name: shape.name.to_owned(),
        formula: shape.formula.to_owned(),
        description: shape.description.to_owned(),
        kind: kind(shape),
        source: Default::default(),
        params: if shape.strategy == "weight-transpose" { params() } else { Vec::new() },
    };
    let model = ModelSpec::Mlp(MlpSpec {
        hidden: vec![128; 3],
        activation: ActivationSpec::Relu,
        init: InitSpec::He,
        norm: false,
        residual: false,
    });
    let architecture = Some(Architecture { model, images: Extent::image(1, 28, 28), classes: 10 });
    let strategies = SHAPES.iter().map(offer).collect();
    Offers { strategies, architecture, steps, per_epoch: 11, ..Offers::default() }
}

struct Inner {
    lanes: Vec<Lane>,
    seeds: u64,
    breaks: bool,
    status: Status,
    revision: u64,
    steps: u64,
    per_second: f64,
    debt: f64,
    clock: Option<Instant>,
    messages: Arc<Vec<Message>>,
    batch: Option<Arc<BatchView>>,
}

impl Inner {
    fn fill(&mut self) {
        self.lanes = SHAPES
            .iter()
            .flat_map(|shape| (0..self.seeds).map(move |seed| (shape, seed)))
            .enumerate()
            .map(|(lane, (shape, seed))| Lane::new(lane, shape, seed))
            .collect();
    }

    fn advance(&mut self, rounds: u64) {
        for _ in 0..rounds {
            for lane in self.lanes.iter_mut().filter(|lane| lane.ended.is_none()) {
                lane.step(self.breaks && lane.shape.strategy == "weight-perturbation");
                if lane.step >= self.steps {
                    lane.ended = Some(EndReason::Done);
                }
            }
        }
        self.revision += u64::from(rounds > 0);
        if self.lanes.iter().all(|lane| lane.ended.is_some()) {
            self.status = Status::Finished;
        }
    }

    /// Takes the steps that the clock says are due.
    fn tick(&mut self) {
        let Some(before) = self.clock.replace(Instant::now()) else { return };
        if self.status != Status::Running {
            return;
        }
        self.debt += before.elapsed().as_secs_f64() * self.per_second;
        let rounds = (self.debt as u64).min(2_000);
        self.debt -= rounds as f64;
        self.advance(rounds);
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            revision: self.revision,
            status: self.status.clone(),
            origin: Origin::Training,
            name: "quickstart".to_owned(),
            title: "fashion-mini · mlp 784-128-128-128-10".to_owned(),
            device: "cpu×2".to_owned(),
            steps: self.steps,
            steps_per_second: self.per_second,
            peak: 96e9,
            batch: self.batch.clone(),
            lanes: self.lanes.iter().map(Lane::view).collect(),
            messages: Arc::clone(&self.messages),
            offers: Arc::new(offers(self.steps)),
            ..Snapshot::default()
        }
    }
}

/// A made-up session of five lanes.
pub struct Synthetic {
    inner: Mutex<Inner>,
}

impl Synthetic {
    /// Each strategy with so many seeds, `done` of `steps` steps taken, paused. With `breaks` the last lane ends in a NaN at step 700.
    pub fn new(seeds: u64, done: u64, steps: u64, breaks: bool) -> Self {
        let message = |lane, level, text: &str| Message { lane, step: None, level, text: text.to_owned() };
        let messages = vec![
            message(None, Level::Info, "data fashion-mini: 1500 train, 500 test, 28×28"),
            message(None, Level::Info, "9 strategies in 4 libraries"),
            message(Some(1), Level::Info, "rows normalised to √n_l"),
            message(Some(4 * seeds.max(1) as usize), Level::Warn, "scope batch: one scalar for 134 794 parameters"),
        ];
        let mut inner = Inner {
            lanes: Vec::new(),
            seeds: seeds.max(1),
            breaks,
            status: Status::Paused,
            revision: 1,
            steps,
            per_second: 412.0,
            debt: 0.0,
            clock: None,
            messages: Arc::new(messages),
            batch: None,
        };
        inner.fill();
        inner.advance(done);
        Self { inner: Mutex::new(inner) }
    }

    /// The same, stepping with the clock.
    pub fn live(seeds: u64, done: u64, steps: u64, breaks: bool) -> Self {
        let session = Self::new(seeds, done, steps, breaks);
        {
            let mut inner = session.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.status = Status::Running;
            inner.clock = Some(Instant::now());
        }
        session
    }
}

/// Rings of different sizes: bright on dark, so that a picture of them can be recognised.
fn made_up_batch(lane: LaneId, step: u64) -> BatchView {
    const SIDE: usize = 28;
    let count = 24;
    let (mut pixels, mut labels, mut predictions) = (Vec::new(), Vec::new(), Vec::new());
    for image in 0..count {
        let label = (image as u64 + step) % 10;
        let radius = 3.0 + label as f64;
        for place in 0..SIDE * SIDE {
            let (x, y) = ((place % SIDE) as f64 - 13.5, (place / SIDE) as f64 - 13.5);
            let off = (x.hypot(y) - radius).abs();
            pixels.push((255.0 * (1.0 - off / 2.5).clamp(0.0, 1.0)) as u8);
        }
        labels.push(label as u32);
        predictions.push(if image % 5 == 3 { (label as u32 + 1) % 10 } else { label as u32 });
    }
    BatchView { lane, step, channels: 1, height: SIDE, width: SIDE, pixels, labels, predictions }
}

impl Source for Synthetic {
    fn snapshot(&self) -> Arc<Snapshot> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.tick();
        Arc::new(inner.snapshot())
    }

    fn send(&self, command: Command) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match command {
            Command::Pause => inner.status = Status::Paused,
            Command::Resume | Command::RunUntil(_) => inner.status = Status::Running,
            Command::Step(rounds) => {
                inner.status = Status::Paused;
                inner.advance(rounds);
            }
            Command::Reset => inner.fill(),
            Command::Peek(id) => {
                let step = inner.lanes.iter().find(|lane| lane.info.lane == id).map_or(0, |lane| lane.step);
                inner.batch = Some(Arc::new(made_up_batch(id, step.saturating_sub(1))));
            }
            Command::Drop(id) => inner.lanes.retain(|lane| lane.info.lane != id),
            Command::Say(message) => Arc::make_mut(&mut inner.messages).push(*message),
            Command::Add(..) | Command::LearningRate(..) | Command::Retune(..) | Command::Stop => {}
        }
        inner.revision += 1;
        true
    }
}
