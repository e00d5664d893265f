//! The order of the strategies by how well they point along the gradient, on the quickstart's network: mean |cos| of the
//! whole gradient over 5 initialisations × 8 batches × 16 draws, at initialisation and after 500 steps of SGD.
//!
//! Expected values: independent runs in numpy on the same data, ± 0.05.

use crate::proposer::Proposer;
use candle_core::{DType, Device, Tensor};
use guesswork::data::{Batches, Dataset, Layout};
use guesswork::estimate::{Optimizer, Point, Settings};
use guesswork::kernel;
use guesswork::model::{Extent, Network, Tape, build};
use guesswork::objective::Loss;
use guesswork::workspace::{DataSpec, ModelSpec, Normalise, OptimizerSpec, ParamValue, Scaling, Scope};
use std::slice::from_ref;
use std::sync::Arc;

const INITIALISATIONS: u64 = 5;
const BATCHES: u64 = 8;
const DRAWS: u64 = 16;

struct Case {
    strategy: &'static str,
    mask: Option<&'static str>,
    scope: Scope,
    expected: [f64; 2],
}

const CASES: [Case; 6] = [
    Case { strategy: "activity-perturbation", mask: Some("none"), scope: Scope::ExampleLayer, expected: [0.23, 0.10] },
    Case {
        strategy: "activity-perturbation",
        mask: Some("derivative"),
        scope: Scope::ExampleLayer,
        expected: [0.29, 0.16],
    },
    Case { strategy: "weight-transpose", mask: None, scope: Scope::ExampleLayer, expected: [0.41, 0.22] },
    Case { strategy: "downstream", mask: None, scope: Scope::ExampleLayer, expected: [0.44, 0.24] },
    Case { strategy: "jacobian-transpose", mask: None, scope: Scope::ExampleLayer, expected: [0.63, 0.41] },
    Case { strategy: "weight-perturbation", mask: None, scope: Scope::Batch, expected: [0.0022, 0.0022] },
];

fn cosine(a: &[Tensor], b: &[Tensor]) -> f64 {
    let (mut inner, mut left, mut right) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        inner += kernel::dot(a, b).unwrap();
        left += kernel::norm_squared(a).unwrap();
        right += kernel::norm_squared(b).unwrap();
    }
    inner / (left * right).sqrt()
}

#[test]
fn strategies_point_along_the_gradient_in_the_published_order() {
    let spec =
        DataSpec { name: "fashion-mini".into(), path: None, scale: Scaling::Standard, validation: 0.0, limit: None };
    let data = Dataset::load(&spec, None, 0).unwrap().prepare(Layout::Flat, DType::F32, &Device::Cpu).unwrap();
    let mut batches = Batches::new(&data, 128, 0).unwrap();
    let model: ModelSpec = ron::from_str("mlp((hidden: [128, 128, 128]))").unwrap();
    let graph = Arc::new(build::build(&model, Extent::image(1, 28, 28), 10).unwrap());
    let tape = Tape::new(graph.clone(), 128, DType::F32, &Device::Cpu).unwrap();
    let delta = tape.logits().zeros_like().unwrap();
    let mut found = [[0.0; 2]; CASES.len()];
    for seed in 0..INITIALISATIONS {
        let network = Network::new(graph.clone(), DType::F32, &Device::Cpu, seed).unwrap();
        let theta = network.theta();
        let (gradient, estimate) = (network.zeros_like().unwrap(), network.zeros_like().unwrap());
        let sgd = OptimizerSpec::Sgd { lr: 0.1, momentum: 0.0, nesterov: false, weight_decay: 0.0 };
        let mut optimizer = Optimizer::new(sgd, theta).unwrap();
        for time in 0..2 {
            for batch in 0..BATCHES {
                let batch = batches.batch(1000 + batch).unwrap();
                for (case, found) in CASES.iter().zip(&mut found) {
                    let normalise = if case.scope == Scope::Batch { Normalise::None } else { Normalise::Row };
                    let settings = Settings { normalise, ..Settings::plain(case.scope) };
                    let mask = case.mask.map(|mask| [("mask", ParamValue::Text(mask.into()))]);
                    let params = mask.as_ref().map_or(&[][..], |mask| &mask[..]);
                    let mut proposer = Proposer::new(case.strategy, params, settings, &network, &tape);
                    let mut estimator = proposer.estimator(&tape, &network);
                    for draw in 0..DRAWS {
                        let step = seed * 10_000 + batch.step * 16 + draw;
                        proposer.propose(&network, &tape, &batch.x, step, &estimator);
                        if draw == 0 {
                            Loss::CrossEntropy.evaluate(tape.logits(), &batch.labels, Some(&delta)).unwrap();
                            tape.adjoint(theta, from_ref(&delta), Some(&gradient)).unwrap();
                        }
                        let point = Point {
                            tape: &tape,
                            theta,
                            data: &batch.x,
                            labels: &batch.labels,
                            loss: Loss::CrossEntropy,
                            deltas: from_ref(&delta),
                        };
                        proposer.estimate(point, &mut estimator, &estimate);
                        found[time] += cosine(&estimate, &gradient).abs() / (INITIALISATIONS * BATCHES * DRAWS) as f64;
                    }
                }
            }
            if time == 0 {
                for step in 0..500 {
                    let batch = batches.batch(step).unwrap();
                    tape.forward(theta, &batch.x, None, |_| Ok::<(), candle_core::Error>(())).unwrap();
                    Loss::CrossEntropy.evaluate(tape.logits(), &batch.labels, Some(&delta)).unwrap();
                    tape.adjoint(theta, from_ref(&delta), Some(&gradient)).unwrap();
                    optimizer.step(theta, &gradient, 1.0).unwrap();
                }
            }
        }
    }
    for (case, found) in CASES.iter().zip(&found) {
        let tolerance = if case.scope == Scope::Batch { 0.0004 } else { 0.05 };
        for (found, expected) in found.iter().zip(case.expected) {
            let what = format!("{} {:?}: {found:.4}, expected {expected} ± {tolerance}", case.strategy, case.mask);
            assert!((found - expected).abs() <= tolerance, "{what}");
        }
    }
    for pair in found[..5].windows(2) {
        assert!(pair[0][0] < pair[1][0] && pair[0][1] < pair[1][1], "the order: {found:?}");
    }
}
