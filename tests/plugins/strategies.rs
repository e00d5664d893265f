//! The shipped strategies through the host, on every architecture.

use crate::fixture::{Model, catalog, facts, folder, prepared, prepared_with, step, written};
use candle_core::DType;
use guesswork::strategy::{Kind, Roles};
use guesswork::workspace::{ParamValue, Scope};
use guesswork_plugin::abi::{GW_ROLE_LABELS, GW_ROLE_OUTPUT_ERROR};

const MODELS: [&str; 4] = [
    "mlp((hidden: [6, 7]))",
    "mlp((hidden: [6, 6], norm: true, residual: true, activation: tanh))",
    "conv((layers: [(channels: 3, pool: max(2)), (channels: 4, pool: average(2))]))",
    "mixer((patch: 4, width: 6, blocks: 1, token_hidden: 5, channel_hidden: 7))",
];

/// Strategies that read the labels or the output error, and so no weight.
const TOLD: [&str; 4] = ["direct-feedback", "feedback-alignment", "learned-feedback", "local-loss"];

/// What a strategy that takes the matrix of each example apart is to be told on a model that is no chain of dense layers; the
/// advice it gives when it is not.
fn beyond_chains(id: &str) -> Option<((&'static str, ParamValue), &'static str)> {
    match id {
        "orthogonal-transpose" => Some((("k", ParamValue::Int(0)), "set `k` to 0")),
        "whitened" => Some((("mask", ParamValue::Text("outside".to_owned())), "set `mask` to outside")),
        _ => None,
    }
}

#[test]
fn every_strategy_writes_finite_guesses_on_every_architecture_and_the_same_ones_again() {
    let catalog = catalog(&[folder()]);
    for (index, spec) in MODELS.into_iter().enumerate() {
        for dtype in [DType::F32, DType::F64] {
            let model = Model::new(spec, dtype);
            for info in &catalog.strategies {
                let scope = if info.kind == Kind::Weight { Scope::Batch } else { Scope::ExampleLayer };
                let told = beyond_chains(&info.id).filter(|_| index > 0);
                if let Some((_, advice)) = told {
                    let refused = prepared(info, &model, &facts(scope, 2)).unwrap_err().to_string();
                    assert!(refused.contains(advice), "{} on {spec}: {refused}", info.id);
                }
                let params: Vec<_> = told.into_iter().map(|(param, _)| param).collect();
                let guess = |number: u64, seed: u64| {
                    let mut run = facts(scope, 2);
                    run.seed = seed;
                    let (mut instance, mut outputs) = prepared_with(info, &params, &model, &run).unwrap();
                    step(&mut instance, &mut outputs, &model, number).unwrap_or_else(|error| panic!("{spec}: {error}"));
                    written(&outputs, &model)
                };
                let first = guess(0, 3);
                let what = format!("{} on {spec} in {dtype:?}", info.id);
                assert!(first.iter().all(|value| value.is_finite()), "{what}");
                assert!(first.iter().any(|&value| value != 0.0), "{what}");
                assert_eq!(first, guess(0, 3), "{what}: the same seed gives the same guess");
                assert_ne!(first, guess(1, 3), "{what}: another step gives another guess");
                assert_ne!(first, guess(0, 4), "{what}: another seed gives another guess");
            }
        }
    }
}

#[test]
fn the_guesses_of_one_step_differ_and_no_shipped_strategy_can_build_the_gradient() {
    let model = Model::mlp(DType::F64);
    for info in &catalog(&[folder()]).strategies {
        let scope = if info.kind == Kind::Weight { Scope::Layer } else { Scope::ExampleLayer };
        let (mut instance, mut outputs) = prepared(info, &model, &facts(scope, 2)).unwrap();
        step(&mut instance, &mut outputs, &model, 0).unwrap();
        let plan = instance.plan().unwrap();
        let target = Roles::one(GW_ROLE_LABELS) | Roles::one(GW_ROLE_OUTPUT_ERROR);
        assert_eq!((plan.granted & target).is_empty(), !TOLD.contains(&info.id.as_str()), "{}", info.id);
        assert!(!plan.gradient_capable, "{}", info.id);
        if let (Some(first), Some(second)) = (outputs.signal(0, 0), outputs.signal(0, 1)) {
            let (first, second) = (first.to_vec2::<f64>().unwrap(), second.to_vec2::<f64>().unwrap());
            assert_ne!(first, second, "{}", info.id);
        }
    }
}
