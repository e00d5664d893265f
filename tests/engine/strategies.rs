//! The shipped strategies, through their libraries, against the golden vectors.

use crate::fixture::flatten;
use crate::proposer::{GOLDEN, Proposer};
use crate::reference::{ACTIVATIONS, Golden};
use crate::support::{assert_close, assert_near};
use candle_core::Tensor;
use guesswork::estimate::{Directions, Estimator, GuessKind, Point, Settings};
use guesswork::objective::Loss;
use guesswork::strategy::{DrawKind, DrawPlace, Draws};
use guesswork::workspace::{GuessScaling, ParamValue, Scope};
use std::slice::from_ref;

const TOLERANCE: f64 = 1e-9;
const SCOPES: [Scope; 4] = [Scope::Batch, Scope::Layer, Scope::Example, Scope::ExampleLayer];

fn place(kind: DrawKind, site: usize) -> DrawPlace {
    DrawPlace { kind, site: site as u32, guess: 0, draw: 0 }
}

/// The golden file's draws in the places where the strategy makes them.
fn draws(golden: &Golden, strategy: &str) -> Draws {
    let depth = golden.reference.depth();
    let get = |name: &str| golden.reference.get(&format!("{strategy}.draw.{name}"));
    let mut draws = Draws::new();
    for site in 0..depth {
        let last = site + 1 == depth;
        let name = match (strategy, last) {
            ("activity-perturbation", _) | ("activation-mixing", true) => format!("eps{}", site + 1),
            ("weight-transpose" | "downstream", false) => format!("up{}", site + 1),
            ("weight-transpose" | "downstream", true) => "out".to_owned(),
            ("jacobian-transpose", true) => "eps".to_owned(),
            ("activation-mixing", false) => format!("A{}", site + 1),
            _ => continue,
        };
        let mut matrix = get(&name);
        if name.starts_with('A') {
            // The file's A has variance 1/B; the strategy asks for standard normal numbers and scales them.
            matrix = (matrix * (golden.tape.batch() as f64).sqrt()).unwrap();
        }
        draws.insert(place(DrawKind::Normal, site), matrix);
    }
    if strategy == "label-guess" {
        let rows = golden.tape.batch();
        let classes = get("class").to_dtype(candle_core::DType::F64).unwrap().reshape((rows, 1)).unwrap();
        draws.insert(place(DrawKind::Categorical, depth - 1), classes);
    }
    draws
}

fn point<'a>(golden: &'a Golden, batch: &'a [Tensor; 2], delta: &'a Tensor) -> Point<'a> {
    let [data, labels] = batch;
    Point {
        tape: &golden.tape,
        theta: golden.network.theta(),
        data,
        labels,
        loss: Loss::CrossEntropy,
        deltas: from_ref(delta),
    }
}

#[test]
pub fn strategies_reproduce_the_golden_guesses_scalars_and_estimates() {
    for (name, activation) in ACTIVATIONS {
        for strategy in GOLDEN {
            let golden = Golden::mlp(name, activation);
            let (_, delta, _) = golden.adjoint();
            let batch = [golden.reference.get("x"), golden.reference.labels()];
            let depth = golden.reference.depth();
            for scope in SCOPES {
                let word = match scope {
                    Scope::Batch => "batch",
                    Scope::Layer => "layer",
                    Scope::Example => "example",
                    Scope::ExampleLayer => "example-layer",
                };
                for scaling in [GuessScaling::Raw, GuessScaling::Unit] {
                    if scaling == GuessScaling::Unit && scope != Scope::Batch {
                        continue;
                    }
                    let params: &[(&str, ParamValue)] = match strategy {
                        "label-guess" => &[("class", ParamValue::Text("uniform".to_owned()))],
                        _ => &[],
                    };
                    let settings = Settings { scaling, ..Settings::plain(scope) };
                    let mut proposer = Proposer::new(strategy, params, settings, &golden.network, &golden.tape);
                    proposer.set_draws(draws(&golden, strategy));
                    let mut estimator = proposer.estimator(&golden.tape, &golden.network);
                    proposer.propose(&golden.network, &golden.tape, &batch[0], 0, &estimator);
                    let estimate = golden.network.zeros_like().unwrap();
                    proposer.estimate(point(&golden, &batch, &delta), &mut estimator, &estimate);
                    let label = |what: &str| format!("{name} {strategy} {word} {what}");
                    let Directions::Signal(guesses) = proposer.directions() else { panic!("signals are expected") };
                    for (site, guess) in guesses.iter().enumerate() {
                        let expected = golden.reference.get(&format!("{strategy}.E{}", site + 1));
                        assert_close(&label("E"), guess, &expected, TOLERANCE);
                    }
                    let scalars = golden.reference.get(&format!("{strategy}.d_{}", word.replace('-', "_")));
                    let scalars = flatten(&[scalars]);
                    assert_eq!(scalars.len(), estimator.scalars().values.len(), "{}", label("scalars"));
                    let scale = scalars.iter().fold(0.0_f64, |most, d| most.max(d.abs()));
                    for (found, expected) in estimator.scalars().values.iter().zip(&scalars) {
                        assert!(
                            (found - expected).abs() <= TOLERANCE * scale,
                            "{}: {found} not {expected}",
                            label("d")
                        );
                    }
                    let form = if scaling == GuessScaling::Unit { "unit" } else { "raw" };
                    for site in 0..depth {
                        for (part, letter) in [(0, "W"), (1, "b")] {
                            let key = format!("{strategy}.{word}.{form}.{letter}{}", site + 1);
                            if golden.reference.has(&key) {
                                let expected = golden.reference.get(&key);
                                assert_close(&label(&key), &estimate[2 * site + part], &expected, TOLERANCE);
                            } else {
                                assert_eq!(letter, "b", "the file has no {key}");
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
pub fn weight_perturbation_reproduces_the_golden_scalars_and_estimates() {
    for (name, activation) in ACTIVATIONS {
        let golden = Golden::mlp(name, activation);
        let (_, delta, _) = golden.adjoint();
        let batch = [golden.reference.get("x"), golden.reference.labels()];
        let get = |what: &str, l: usize| golden.reference.get(&format!("weight-perturbation.{what}{l}"));
        let v: Vec<Tensor> = (1..=golden.reference.depth()).flat_map(|l| [get("VW", l), get("Vb", l)]).collect();
        for (scaling, form) in [(GuessScaling::Raw, "raw"), (GuessScaling::Unit, "unit")] {
            let settings = Settings { scaling, ..Settings::plain(Scope::Batch) };
            let mut estimator =
                Estimator::new(settings, GuessKind::Weight, &golden.tape, golden.network.theta()).unwrap();
            let estimate = golden.network.zeros_like().unwrap();
            let directions = [v.clone()];
            estimator.derive(point(&golden, &batch, &delta), Directions::Weight(&directions)).unwrap();
            estimator.combine(point(&golden, &batch, &delta), Directions::Weight(&directions), &estimate).unwrap();
            let expected = golden.reference.scalar("weight-perturbation.d_batch");
            assert_near(&format!("{name} d"), estimator.scalars().values[0], expected, TOLERANCE);
            for l in 1..=golden.reference.depth() {
                let expected = get(&format!("batch.{form}.W"), l);
                assert_close(&format!("{name} {form} W{l}"), &estimate[2 * (l - 1)], &expected, TOLERANCE);
            }
        }
    }
}
