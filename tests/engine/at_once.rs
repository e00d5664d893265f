//! Guesses that go through the layers a few at a time give the step, bit for bit, that they give all side by side.

use crate::cases::cases;
use crate::proposer::{catalog, prepared};
use candle_core::{DType, Device, Tensor};
use guesswork::data::{Layout, Prepared, Split};
use guesswork::estimate::{GuessKind, Settings};
use guesswork::kernel::{self, Draw, DrawKey};
use guesswork::model::{Extent, Tape, build};
use guesswork::session::{Solo, SoloPlan};
use guesswork::workspace::{LaneSpec, Scope};
use std::collections::BTreeSet;
use std::sync::Arc;

const BATCH: usize = 6;
const GUESSES: usize = 4;
const STEPS: usize = 4;

const MLP: &str = "mlp((hidden: [7, 6, 5], activation: tanh))";
const MODELS: [&str; 4] = [
    MLP,
    "conv((layers: [(channels: 4, pool: max(2)), (channels: 3)], hidden: [5]))",
    "mixer((patch: 2, width: 6, blocks: 1, token_hidden: 5, channel_hidden: 7))",
    "mlp((hidden: [6, 6, 6], norm: true, residual: true))",
];

/// Strategies that make the guesses of a step one without the other.
const INDEPENDENT: [&str; 6] = [
    "activation-mixing",
    "activity-perturbation",
    "downstream",
    "jacobian-transpose",
    "label-guess",
    "weight-transpose",
];

const DEBIASED: &str = "scope: example_layer, params: {\"debias\": 0.1}";

/// Examples of 2 × 4 × 4, as the model takes them.
fn data(flat: bool) -> Prepared {
    let count = 2 * BATCH;
    let (rows, width) = if flat { (1, 32) } else { (16, 2) };
    let x = Tensor::zeros((count * rows, width), DType::F32, &Device::Cpu).unwrap();
    let key = DrawKey { seed: 0, instance: 0, step: 0, site: 0, guess: 0, draw: 0 };
    kernel::fill_draws(&x, Draw::Normal, 1.0, key).unwrap();
    let classes: Vec<u32> = (0..count).map(|example| (example % 3) as u32).collect();
    let labels = Tensor::from_iter(classes.iter().map(|class| *class as f32), &Device::Cpu).unwrap();
    let split = Split { x, labels: labels.reshape((count, 1)).unwrap(), classes, rows, width };
    let (train, test) = (split.clone(), split);
    let layout = if flat { Layout::Flat } else { Layout::Positions };
    Prepared { layout, channels: 2, height: 4, width: 4, classes: 3, train, validation: None, test }
}

/// The losses of some steps with `at_once` guesses side by side, and the parameters after them, bit for bit.
fn trained(model: &str, lane: &str, at_once: usize) -> Result<(Vec<u64>, Vec<u32>), String> {
    let mut lane: LaneSpec = ron::from_str(&format!("#![enable(implicit_some)] {lane}")).unwrap();
    (lane.guesses, lane.at_once) = (Some(GUESSES), Some(at_once));
    let (data, model) = (data(model.starts_with("mlp")), ron::from_str(model).unwrap());
    let plan = SoloPlan { model, lane, data, batch: BATCH, plugin_paths: Vec::new() };
    let mut solo = Solo::new(plan).map_err(|error| error.to_string())?;
    let losses = (0..STEPS).map(|_| solo.step().unwrap().to_bits()).collect();
    let theta = solo.network().theta().iter();
    let theta = theta.flat_map(|theta| theta.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    Ok((losses, theta.map(f32::to_bits).collect()))
}

fn same_steps(model: &str, lane: &str) {
    let whole = trained(model, lane, GUESSES).unwrap_or_else(|error| panic!("{lane}: {error}"));
    for at_once in [1, 2] {
        assert!(trained(model, lane, at_once).unwrap() == whole, "{model}, {lane}, {at_once} at once");
    }
    let other = trained(model, &lane.replace("lr: 0.1", "lr: 0.2"), 1).unwrap();
    assert!(other.1 != whole.1, "{lane}: other steps are no other numbers");
}

#[test]
fn a_few_guesses_at_a_time_make_the_same_step() {
    for id in INDEPENDENT {
        for scope in ["example", "example_layer"] {
            let lane = format!("(strategy: \"{id}\", scope: {scope}, optimizer: sgd(lr: 0.1))");
            MODELS.iter().for_each(|model| same_steps(model, &lane));
        }
    }
    for (id, params) in [
        ("weight-transpose", "\"depth\": 2"),
        ("activation-mixing", "\"shared\": true"),
        ("activation-mixing", "\"centred\": true"),
        ("label-guess", "\"class\": \"uniform\", \"depth\": 1"),
        ("activity-perturbation", "\"mask\": \"none\""),
        ("activity-perturbation", "\"mask\": \"active\""),
    ] {
        let lane = format!("(strategy: \"{id}\", params: {{{params}}}, scope: example_layer, optimizer: sgd(lr: 0.1))");
        same_steps(MLP, &lane);
    }
}

#[test]
fn settings_are_those_of_the_whole_step() {
    for settings in [
        "scaling: unit",
        "normalise: row",
        "normalise: batch, clip: 0.5",
        "output: exact",
        "output: exact, losses: local(greedy: true, patches: false, groups: 1)",
        "optimizer: adam(lr: 0.1)",
    ] {
        let optimizer = if settings.contains("optimizer") { "" } else { "optimizer: sgd(lr: 0.1), " };
        for id in ["weight-transpose", "label-guess"] {
            let lane = format!("(strategy: \"{id}\", scope: example_layer, {optimizer}{settings})");
            same_steps(MLP, &lane);
        }
    }
    // A scalar for each copy of a loss.
    let losses = "output: exact, losses: local(greedy: true, patches: true, groups: 2)";
    let lane = format!("(strategy: \"activity-perturbation\", scope: example, optimizer: sgd(lr: 0.1), {losses})");
    same_steps("local_mixer((patch: 2, width: 12, groups: 2, blocks: 2))", &lane);
    // A mixture: its strategies' guesses are added up a few at a time.
    let of = "of: [(strategy: \"weight-transpose\"), (strategy: \"label-guess\", weight: 0.5)]";
    for scope in ["example", "example_layer"] {
        same_steps(MLP, &format!("(strategy: \"mixture\", {of}, scope: {scope}, optimizer: sgd(lr: 0.1))"));
    }
}

/// What the engine does is only as good as what the strategies promise: all that do are named here, and the first test holds them to it.
#[test]
fn the_strategies_that_promise_it_are_those_tested() {
    let graph = Arc::new(build::build(&ron::from_str(MLP).unwrap(), Extent::dense(4), 3).unwrap());
    let tape = Tape::new(graph, BATCH, DType::F64, &Device::Cpu).unwrap();
    let settings = |weight| Settings {
        guesses: GUESSES,
        ..Settings::plain(if weight { Scope::Layer } else { Scope::ExampleLayer })
    };
    let promised = cases().into_iter().filter_map(|case| {
        let plan = prepared(case.id, &case.params, settings(case.weight), &tape).ok()?.1;
        (plan.independent && case.params.iter().all(|(key, _)| *key != "debias")).then_some(case.id)
    });
    assert_eq!(promised.collect::<BTreeSet<_>>(), BTreeSet::from(INDEPENDENT));
    assert!(INDEPENDENT.iter().all(|id| catalog().get(id).is_ok()));
}

#[test]
fn what_needs_all_guesses_says_so() {
    let lane = |strategy: &str, rest: &str| format!("(strategy: \"{strategy}\", {rest})");
    for (lane, words) in [
        (
            lane("weight-transpose", "scope: batch"),
            "at scope batch and layer the guesses of a step are kept side by side",
        ),
        (lane("weight-transpose", "combine: span"), "the projection on the span of the guesses needs all of them"),
        (lane("weight-transpose", "source: central(0.01)"), "only guesses that go through the layers as tangents"),
        (lane("whitened", "scope: example_layer"), "the strategy makes the guesses of a step together"),
        (lane("weight-transpose", DEBIASED), "the strategy makes the guesses of a step together"),
        (lane("downstream", DEBIASED), "the strategy makes the guesses of a step together"),
        (lane("jacobian-transpose", DEBIASED), "the strategy makes the guesses of a step together"),
        (lane("activation-mixing", DEBIASED), "the strategy makes the guesses of a step together"),
        (lane("weight-perturbation", "scope: layer"), "only guesses of signals are made a few at a time"),
    ] {
        let refused = trained(MLP, &lane, 2).unwrap_err();
        assert!(refused.contains("at_once") && refused.contains(words), "{lane}: {refused}");
        assert!(trained(MLP, &lane, GUESSES).is_ok(), "{lane}");
    }
    let refused = trained(MLP, &lane("weight-transpose", "scope: example"), 3).unwrap_err();
    assert!(refused.contains("4 guesses do not fall into parts of 3; write 1, 2, 4"), "{refused}");
}

/// Left open, as few go side by side as fill a product: rows count, those of the layer that works most.
#[test]
fn the_number_follows_from_the_rows_of_the_largest_layer() {
    let chosen = |model: &str, image, batch, guesses| {
        let graph = Arc::new(build::build(&ron::from_str(model).unwrap(), image, 3).unwrap());
        let tape = Tape::new(graph, batch, DType::F32, &Device::Cpu).unwrap();
        let settings = Settings { guesses, ..Settings::plain(Scope::Example) };
        settings.resolve_at_once(GuessKind::Signal, true, &tape).unwrap()
    };
    let (row, image) = (Extent::dense(32), Extent::image(2, 16, 16));
    assert_eq!([1, 4, 8].map(|guesses| chosen(MLP, row, 1024, guesses)), [1, 1, 1]);
    assert_eq!([1, 4, 8, 9, 7].map(|guesses| chosen(MLP, row, 256, guesses)), [1, 4, 4, 9, 7]);
    assert_eq!([1, 8, 64].map(|guesses| chosen(MLP, row, 32, guesses)), [1, 8, 32]);
    assert_eq!(chosen("conv((layers: [(channels: 4)]))", image, 4, 8), 1);
}
